//! Import of published ledgers (`rectify import`): both layouts, ambiguous names, faults, repeated and later files.

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::ledgers::{CITY_ROWS, CityRow, ROUND, city, city_csv, province};
use crate::support::{World, block_on, stories};

stories!(
    a_province_s_list_gives_its_published_figures,
    a_county_s_answers_become_its_assignments_and_nobody_else_s,
    a_broken_ledger_is_rejected_with_every_fault_named,
    csv_in_either_encoding_is_the_same_ledger,
    a_person_decides_ambiguous_names,
    a_later_file_reports_and_an_older_one_moves_nothing,
    what_contradicts_the_ledger_is_named,
    what_is_no_ledger_is_refused,
);

const COUNTY: [&str; 7] = ["--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"];

fn import(world: &World, file: &str, more: &[&str]) -> String {
    world.done(&[&["import", file], more].concat())
}

fn a_province_s_list_gives_its_published_figures(world: &World) {
    let file = world.file("省.xlsx", &province());
    let said = import(world, &file, &["--round", "中央督察", "--region", "540000"]);
    assert!(said.contains("新增：6 个问题、9 条措施、0 项责任分解"), "{said}");
    let again = import(world, &file, &["--round", "中央督察", "--region", "540000"]);
    assert!(again.contains("没有变化"), "{again}");

    let server = world.serve();
    let data = server.data(&std::fs::read_to_string("tests/contract/round.graphql").unwrap(), &json!({}));
    let round = &data["inspectionRounds"]["nodes"][0];
    assert_eq!(round["level"], "CENTRAL");
    assert_eq!(round["problems"]["totalCount"], 6);
    assert_eq!(round["measures"]["totalCount"], 9);
    let years = json!([{"year": 2018, "count": 4}, {"year": 2020, "count": 2}, {"year": null, "count": 3}]);
    assert_eq!(round["measuresByDeadlineYear"], years);
    let statistics = "query($asOf: Date) { statistics(by: DOMAIN, count: PROBLEMS, asOf: $asOf) {
        total { all completed closed overdue completionRate } rows { key all } } }";
    let at = |day: &str| server.data(statistics, &json!({ "asOf": day }))["statistics"]["total"].clone();
    assert_eq!(
        at("2019-03-31"),
        json!({"all": 6, "completed": 2, "closed": 0, "overdue": 1, "completionRate": 2.0 / 6.0})
    );
    assert_eq!(at("2019-03-30")["completed"], 0, "the statuses are stated as of the end of March");

    let stated = server.data(
        "{ problems(first: 10) { nodes { number ratedProgress status statusStatedOn measures { nodes {
            number status pace completedOn milestones { label dueOn } } } } } }",
        &json!({}),
    );
    let nineteen = &stated["problems"]["nodes"][2];
    assert_eq!(nineteen["number"], "19");
    assert_eq!(nineteen["statusStatedOn"], "2019-03-31");
    let numbers: Vec<&str> =
        nineteen["measures"]["nodes"].as_array().unwrap().iter().map(|one| one["number"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["1", "6", "9"], "numbers are stored as printed, with gaps");
    assert_eq!(
        nineteen["measures"]["nodes"][2]["milestones"][0],
        json!({"label": "5A级、4A级景区", "dueOn": "2019-12-31"})
    );
    assert_eq!(stated["problems"]["nodes"][0]["measures"]["nodes"][1]["pace"], "DONE");
}

fn a_county_s_answers_become_its_assignments_and_nobody_else_s(world: &World) {
    let file = world.file("县.xlsx", &city(&CITY_ROWS));
    let refused = world.run(&["import", &file, "--round", ROUND, "--region", "540329", "--issued-by", "540300"]);
    assert_eq!(refused.code, 1);
    assert!(refused.out.contains("建议读作“市委宣传部”"), "{}", refused.out);
    assert!(refused.out.contains("没有登记过单位“市水利局”"), "{}", refused.out);

    let rehearsed = import(world, &file, &[&COUNTY[..], &["--dry-run"]].concat());
    assert!(rehearsed.contains("未写入任何内容"), "{rehearsed}");
    let said = import(world, &file, &COUNTY);
    assert!(said.contains("新增：3 个问题、8 条措施、8 项责任分解、8 条进展"), "{said}");
    assert!(said.contains("“市…水利局”读作“市水利局”"), "{said}");
    assert!(said.contains("“填报人及联系方式”列是个人信息"), "{said}");
    let again = import(world, &file, &COUNTY[..6]);
    assert!(again.contains("没有变化"), "a second import needs no `--create-units`: {again}");

    // The file of a sibling county adds assignments to the same measures.
    let sibling = ["--round", ROUND, "--region", "540323", "--issued-by", "540300", "--create-units"];
    let said = import(world, &file, &sibling);
    assert!(said.contains("新增：0 个问题、0 条措施、8 项责任分解、8 条进展"), "{said}");

    let server = world.serve();
    let data = server.data(
        "{ region(code: \"540329\") { id } problems(first: 9) { totalCount nodes { number title measures { nodes {
            number leadUnit { name region { name } } responsibleParties { nodes { raw selector unit { name } } }
            responsibleUnits { totalCount } assignments { totalCount nodes { status unit { name } } } } } } } }",
        &json!({}),
    );
    let problems = data["problems"]["nodes"].as_array().unwrap();
    let numbers: Vec<&str> = problems.iter().map(|one| one["number"].as_str().unwrap()).collect();
    assert_eq!(numbers, ["一", "十九", "五"]);
    assert_eq!(problems[1]["title"], "小水电退出整治不彻底");
    let measure = &problems[1]["measures"]["nodes"][1];
    assert_eq!(measure["number"], "6");
    assert_eq!(measure["leadUnit"], json!({"name": "市水利局", "region": {"name": "昌都市"}}));
    let parties = measure["responsibleParties"]["nodes"].as_array().unwrap();
    assert!(parties.iter().any(|party| party["selector"] == "ALL_COUNTIES" && party["unit"].is_null()));
    assert_eq!(measure["assignments"]["totalCount"], 2);
    assert_eq!(measure["assignments"]["nodes"][0]["status"], "NOT_APPLICABLE_PROPOSED");
    assert_eq!(measure["responsibleUnits"]["totalCount"], 3);
    let region = data["region"]["id"].as_str().unwrap();
    let listed = server.data(
        "query($region: ID!) { problems(filter: {region: {within: $region}}) { totalCount } }",
        &json!({ "region": region }),
    );
    assert_eq!(listed["problems"]["totalCount"], 3, "a problem concerns every county that answers for it");
    block_on(async {
        let db = world.db().await;
        let kept = db.query_one_raw(sea_orm::Statement::from_string(
            db.get_database_backend(),
            "SELECT count(*) AS found FROM progress_report WHERE text LIKE '%某某%'",
        ));
        let found: i64 = kept.await.unwrap().unwrap().try_get("", "found").unwrap();
        assert_eq!(found, 0, "the reporter's column must not be stored");
    });
}

fn a_broken_ledger_is_rejected_with_every_fault_named(world: &World) {
    let mut rows: Vec<CityRow> = CITY_ROWS.to_vec();
    rows[1].2 = "2022年2月30日";
    rows[2].3 = "";
    rows[4].2 = "尽快";
    rows[5].5 = "#REF!";
    rows.insert(7, rows[6]);
    let file = world.file("坏.xlsx", &city(&rows));
    let ran = world.run(&[&["import", &file][..], &COUNTY].concat());
    assert_eq!(ran.code, 1);
    for fault in [
        "第 5 行 D 列（整改时限）：“2022年2月30日”不是日历上的日期；单元格内容“2022年2月30日”",
        "第 6 行 E 列（牵头单位）：没有牵头单位",
        "第 8 行 D 列（整改时限）：“尽快”无法识别",
        "第 9 行 G 列（整改进展）：单元格是错误值",
        "第 11 行 C 列（整改任务）：重复的行",
    ] {
        assert!(ran.out.contains(fault), "{fault}\n{}", ran.out);
    }
    assert!(ran.out.contains("5 处有误"), "{}", ran.out);
    assert!(world.done(&["unit", "list"]).is_empty(), "nothing must be written");
    assert!(world.done(&["region", "list"]).is_empty());
}

fn csv_in_either_encoding_is_the_same_ledger(world: &World) {
    let text = city_csv(&CITY_ROWS);
    let (gb, _, _) = encoding_rs::GB18030.encode(&text);
    let gb = world.file("国标.csv", &gb);
    let said = import(world, &gb, &COUNTY);
    assert!(said.contains("新增：3 个问题、8 条措施、8 项责任分解、8 条进展"), "{said}");
    let utf8 = world.file("统一码.csv", format!("\u{feff}{text}").as_bytes());
    assert!(import(world, &utf8, &COUNTY).contains("没有变化"));
    let book = world.file("同一台账.xlsx", &city(&CITY_ROWS));
    assert!(import(world, &book, &COUNTY).contains("没有变化"));
}

fn a_person_decides_ambiguous_names(world: &World) {
    let file = world.file("县.xlsx", &city(&CITY_ROWS[5..]));
    let aliases = world.file("别名.csv", "原文,单位\n市林业和草原局,市林草局\n".as_bytes());
    let said = import(world, &file, &[&COUNTY[..], &["--aliases", &aliases]].concat());
    assert!(said.contains("新建单位 2 个：市林草局、洛隆县人民政府"), "{said}");
}

fn a_later_file_reports_and_an_older_one_moves_nothing(world: &World) {
    let file = |day: &str, progress: &'static str| {
        let mut rows = CITY_ROWS[1..2].to_vec();
        rows[0].0 = CITY_ROWS[0].0;
        rows[0].5 = progress;
        let name = world.file(&format!("{day}.xlsx"), &city(&rows));
        import(world, &name, &[&COUNTY[..], &["--as-of", day]].concat())
    };
    assert!(file("2023-04-30", "达到序时进度").contains("1 条进展"));
    assert!(file("2023-04-30", "达到序时进度").contains("没有变化"));
    assert!(file("2023-07-31", "已整改到位").contains("新增：0 个问题、0 条措施、0 项责任分解、1 条进展"));
    assert!(file("2022-06-30", "不涉及").contains("1 条进展"), "the older report is kept");
    let server = world.serve();
    let state = || {
        let query = "{ assignments(first: 1) { nodes { status completedOn reports { totalCount } } } }";
        server.data(query, &json!({}))["assignments"]["nodes"][0].clone()
    };
    let expected = json!({"status": "IN_PROGRESS", "completedOn": "2023-07-31", "reports": {"totalCount": 3}});
    assert_eq!(state(), expected, "an older file must not change the status");
    assert!(
        file("2023-08-31", "达到序时进度").contains("1 条进展"),
        "a text that differs from the last report's is a new report"
    );
    assert!(state()["completedOn"].is_null(), "a later ledger without completion withdraws it");
}

fn what_contradicts_the_ledger_is_named(world: &World) {
    let import = |name: &str, rows: &[CityRow]| {
        let file = world.file(name, &city(rows));
        world.run(&[&["import", &file][..], &COUNTY].concat())
    };
    assert_eq!(import("一.xlsx", &CITY_ROWS).code, 0);
    let mut rows = CITY_ROWS.to_vec();
    rows[1].2 = "2024年12月31日";
    let ran = import("二.xlsx", &rows);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("第 5 行 D 列（整改时限）：时限与台账不同"), "{}", ran.out);
    assert!(ran.out.contains("台账中的“2022年12月31日”；时限变更请走延期"), "{}", ran.out);
    let mut rows = CITY_ROWS.to_vec();
    rows[5].0 = Some("（十九）另一个问题。");
    let ran = import("三.xlsx", &rows);
    assert!(ran.code == 1 && ran.out.contains("问题编号重复"), "{}", ran.out);
    let mut rows = CITY_ROWS.to_vec();
    rows[0].4 = "县委组织部、宣传部";
    let file = world.file("四.xlsx", &city(&rows));
    let ran = world.run(&[&["import", &file][..], &COUNTY[..6]].concat());
    assert!(
        ran.out.contains("“县委…”之后的“宣传部”前缀不明确"),
        "a decision about 市委 must not apply to 县委: {}",
        ran.out
    );
    let apart = world.run(&["import", &file, "--round", ROUND, "--region", "110101", "--issued-by", "540300"]);
    assert!(apart.code == 1 && apart.out.contains("东城区不在昌都市之下"), "{}", apart.out);
}

fn what_is_no_ledger_is_refused(world: &World) {
    let bomb = {
        // A sheet that unpacks to 300 MB of spaces.
        use std::io::Write;
        let mut packed = std::io::Cursor::new(Vec::new());
        let mut archive = zip::ZipWriter::new(&mut packed);
        archive.start_file("xl/worksheets/sheet1.xml", zip::write::SimpleFileOptions::default()).unwrap();
        let blanks = vec![b' '; 1 << 20];
        for _ in 0..300 {
            archive.write_all(&blanks).unwrap();
        }
        archive.finish().unwrap();
        packed.into_inner()
    };
    // An .ods file of some hundred bytes with two cells far apart.
    let apart = {
        use std::io::Write;
        let mut packed = std::io::Cursor::new(Vec::new());
        let mut archive = zip::ZipWriter::new(&mut packed);
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file("mimetype", options).unwrap();
        archive.write_all(b"application/vnd.oasis.opendocument.spreadsheet").unwrap();
        archive.start_file("content.xml", options).unwrap();
        let cell = r#"<table:table-cell office:value-type="string"><text:p>x</text:p></table:table-cell>"#;
        let far = r#"<table:table-cell table:number-columns-repeated="16000"/>"#;
        let rows = format!(
            "<table:table-row>{cell}</table:table-row><table:table-row table:number-rows-repeated=\"1000000\"/>\
             <table:table-row>{far}{cell}</table:table-row>"
        );
        write!(archive, r#"<office:body><table:table table:name="a">{rows}</table:table></office:body>"#).unwrap();
        archive.finish().unwrap();
        packed.into_inner()
    };
    for (name, bytes, said) in [
        ("空.csv", Vec::new(), "没有找到台账"),
        ("图.xlsx", b"\x89PNG\r\n\x1a\n\0\0\0".to_vec(), "既不是工作簿"),
        ("断.xlsx", city(&CITY_ROWS)[..2000].to_vec(), "不是有效的工作簿"),
        ("弹.xlsx", bomb, "解压后超过"),
        ("散.ods", apart, "分布过散"),
    ] {
        let file = world.file(name, &bytes);
        let ran = world.run(&[&["import", &file][..], &COUNTY].concat());
        assert_eq!(ran.code, 1, "{name}: {}", ran.out);
        assert!(ran.out.contains(said), "{name}: {}", ran.out);
    }
    let ran = world.run(&["import", "没有.xlsx", "--round", ROUND, "--region", "540329"]);
    assert!(ran.code == 1 && ran.out.contains("无法读取"), "{}", ran.out);
    assert_eq!(world.run(&["import"]).code, 2);
}
