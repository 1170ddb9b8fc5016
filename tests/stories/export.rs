//! Export as a workbook and import of the same workbook: the whole ledger for an office, a county's own part, and
//! progress that a unit filled in.

use rust_xlsxwriter::Workbook;
use serde_json::{Value, json};

use crate::support::ledgers::{CITY_ROWS, ROUND, city, province};
use crate::support::{Server, World, stories};

stories!(
    a_county_s_sheet_comes_back_as_it_is,
    what_is_exported_is_imported_as_the_same,
    a_ledger_that_names_no_units_comes_back_as_well,
    the_columns_of_the_imported_file_have_the_state_of_today,
    a_county_gets_the_columns_of_its_own_file,
    filled_in_progress_is_reported_by_the_same_rules,
);

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

fn imported(world: &World) {
    let file = world.file("县.xlsx", &city(&CITY_ROWS));
    for region in ["540329", "540323"] {
        let issued = ["--region", region, "--issued-by", "540300", "--create-units"];
        world.done(&[&["import", &file, "--round", ROUND][..], &issued].concat());
    }
}

fn send(server: &Server, token: &str, path: &str, bytes: &[u8]) -> (u16, Value) {
    let request = Server::agent().post(format!("{}{path}", server.base)).header("content-type", XLSX);
    let mut response = request.header("authorization", &format!("Bearer {token}")).send(bytes).unwrap();
    let text = response.body_mut().read_to_string().unwrap();
    (response.status().as_u16(), serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

fn fetch(server: &Server, token: &str, path: &str) -> (u16, Vec<u8>) {
    let request = Server::agent().get(format!("{}{path}", server.base));
    let mut response = request.header("authorization", &format!("Bearer {token}")).call().unwrap();
    let bytes = response.body_mut().read_to_vec().unwrap();
    (response.status().as_u16(), bytes)
}

/// Returns all texts of a workbook, as the XML of its shared strings.
fn texts(bytes: &[u8]) -> String {
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut archive.by_name("xl/sharedStrings.xml").unwrap(), &mut text).unwrap();
    text
}

fn a_county_s_sheet_comes_back_as_it_is(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let offices = "{ demoAccounts { accountId role } }";
    let accounts = server.data(offices, &json!({}))["demoAccounts"].clone();
    let office = accounts.as_array().unwrap().iter().find(|account| account["role"] == "REGIONAL_OFFICE").unwrap();
    let enter = "mutation($account: ID!) { signInAsDemo(accountId: $account) { token } }";
    let token = server.data(enter, &json!({"account": office["accountId"]}))["signInAsDemo"]["token"].clone();
    let token = token.as_str().unwrap();
    let answers = || {
        let query =
            "{ assignments(first: 200) { nodes { id status pace version completedOn reports { totalCount } } } }";
        server.data_as(token, query, &json!({}))
    };
    let before = answers();
    // Export and import accept codes and global ids alike.
    let (status, sheet) = fetch(&server, token, "/export/ledger.xlsx?round=round_1&region=990121");
    assert_eq!(status, 200);
    let (_, same) = fetch(&server, token, "/export/ledger.xlsx?round=round_1&region=region_4");
    assert_eq!(texts(&sheet), texts(&same));
    let (status, said) =
        send(&server, token, "/import?round=round_1&region=region_4&issuedBy=990100&name=kk.xlsx", &sheet);
    assert_eq!((status, &said["outcome"], &said["newReports"]), (200, &json!("UNCHANGED"), &json!(0)), "{said}");
    assert_eq!(answers(), before);
    let (status, said) = send(&server, token, "/import?round=round_99&region=990121&name=kk.xlsx", &sheet);
    assert_eq!(status, 400, "an unknown round id must not create a round: {said}");
}

fn what_is_exported_is_imported_as_the_same(world: &World) {
    imported(world);
    let file = world.dir.path().join("out.xlsx").to_string_lossy().into_owned();
    world.done(&["export", &file, "--region", "540329"]);
    let again =
        ["import", &file, "--round", ROUND, "--region", "540329", "--issued-by", "540300", "--as-of", "2023-04-30"];
    let said = world.done(&again);
    assert!(said.contains("没有变化"), "{said}");
    // Importing the same texts a month later changes nothing either.
    let later = [&again[..9], &["2023-05-31"]].concat();
    let said = world.done(&later);
    assert!(said.contains("没有变化"), "{said}");

    // A county gets only its own part.
    world.done(&["unit", "add", "昌都市生态环境保护督察整改办", "--region", "540300"]);
    let county = world.account("county@gov.example", "responsible-unit", "洛隆县人民政府");
    let city = world.account("city@gov.example", "city-office", "昌都市生态环境保护督察整改办");
    let server = world.serve();
    let (status, of_county) = fetch(&server, &county, "/export/ledger.xlsx");
    assert_eq!(status, 200);
    let (status, of_city) = fetch(&server, &city, "/export/ledger.xlsx");
    assert_eq!(status, 200);
    assert!(texts(&of_city).contains("类乌齐县人民政府") && !texts(&of_county).contains("类乌齐县"));
    assert_eq!(fetch(&server, "none", "/export/ledger.xlsx").0, 401);
    // A sibling's region is answered like one that does not exist, so that it does not reveal shared measures.
    let region = "query($code: String!) { region(code: $code) { id } }";
    let region = |code: &str| {
        let found = server.data_as(&county, region, &json!({ "code": code }));
        found["region"]["id"].as_str().unwrap().to_owned()
    };
    let of_region = |id: &str| fetch(&server, &county, &format!("/export/ledger.xlsx?region={id}")).0;
    assert_eq!(of_region(&region("540329")), 200);
    assert_eq!((of_region(&region("540323")), of_region("region_999999")), (404, 404));
    // Only accounts that keep the ledger can import.
    let path = "/import?round=x&region=540329&issuedBy=540300&name=a.xlsx&dryRun=true";
    let (status, refused) = send(&server, &county, path, &of_city);
    assert_eq!((status, &refused["errors"][0]["code"]), (403, &json!("NOT_ALLOWED")));
    let (status, refused) = send(&server, &county, path, b"no workbook at all");
    assert_eq!(
        (status, &refused["errors"][0]["code"]),
        (403, &json!("NOT_ALLOWED")),
        "the role must be checked before the file is read"
    );
}

fn a_ledger_that_names_no_units_comes_back_as_well(world: &World) {
    let place = ["--round", "中央督察", "--region", "540000", "--as-of", "2019-04-01"];
    let import = |file: &str| world.done(&[&["import", file][..], &place].concat());
    import(&world.file("省.xlsx", &province()));
    let file = world.dir.path().join("out.xlsx").to_string_lossy().into_owned();
    world.done(&["export", &file]);
    let said = import(&file);
    assert!(said.contains("没有变化"), "{said}");
}

/// Returns the lines of the first sheet of a workbook.
fn lines(bytes: Vec<u8>) -> Vec<Vec<String>> {
    workbook::open("台账", bytes).unwrap()[0].lines()
}

fn the_columns_of_the_imported_file_have_the_state_of_today(world: &World) {
    let heading = "序号,反馈问题,整改措施,完成时限,牵头单位,责任单位,整改进展,完成情况,附件,投资（元）,销号情况";
    let units = "2027年12月31日,市水利局,市水利局";
    let rows = format!(
        "1,（一）污水直排。,1.铺设管网。,{units},正在铺设。,正在推进,见附件1,350000,未销号\n\
         ,,2.拆除排口。,{units},已拆除。,已完成整改,见附件2,,未销号\n"
    );
    let file = world.file("台账.csv", format!("{heading}\n{rows}").as_bytes());
    let how = ["--round", "第二轮", "--region", "540300", "--as-of", "2024-06-30", "--create-units"];
    world.done(&[&["import", &file][..], &how].concat());
    let server = world.serve();
    let export = |wanted: &str| {
        let (answer, bytes) = server.fetch(&format!("/export/ledger.xlsx{wanted}"), &[]);
        assert_eq!(answer.status, 200, "{wanted}: {}", answer.body);
        (answer.header("x-rectify-layout").to_owned(), lines(bytes))
    };
    let (layout, before) = export("");
    assert_eq!((layout.as_str(), before[1].join(",").as_str()), ("imported", heading));
    // Nothing was heard of the first measure since the ledger came in.
    assert_eq!((before[2][7].as_str(), before[3][7].as_str()), ("未达序时进度", "已完成整改"));

    let query = "{ assignments(first: 5, filter: {completedOn: {isNull: true}}) { nodes { id version } } }";
    let open = server.data(query, &json!({}))["assignments"]["nodes"][0].clone();
    let report = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { message } } }";
    let input = json!({"assignmentId": open["id"], "version": open["version"], "period": "2026-10",
        "text": "=管网已全部铺设。", "completedOn": "2026-10-20"});
    let said = server.data(report, &json!({ "input": input }));
    assert_eq!(said["reportProgress"]["errors"], json!([]));
    let (_, after) = export("?round=round_1");
    let due = "2027年12月31日";
    let row = ["1", "（一）污水直排", "1.铺设管网。", due, "市水利局", "市水利局", "=管网已全部铺设。"];
    assert_eq!(after[2], [&row[..], &["已完成整改", "", "35万元", "未销号"]].concat());
    assert_eq!(after[3][6..9], ["已拆除。", "已完成整改", ""]);

    // The rows of 完成情况 are now the same, and it still means the status of each measure.
    let (_, bytes) = server.fetch("/export/ledger.xlsx", &[]);
    let copy = world.file("copy.xlsx", &bytes);
    let again = world.done(&[&["import", &copy][..], &how[..6]].concat());
    assert!(again.contains("没有变化") && again.contains("完成情况：完成状态（上次已确认）"), "{again}");

    let (layout, standard) = export("?layout=standard");
    assert_eq!((layout.as_str(), standard[1][4].as_str()), ("standard", "措施时限"));
    let (answer, _) = server.fetch("/export/ledger.xlsx?layout=own", &[]);
    assert_eq!((answer.status, &answer.json()["errors"][0]["code"]), (400, &json!("BAD_REQUEST")));
    // A number that no text can begin with is not lost: such a ledger is written in the usual columns.
    let query = "{ measures(first: 1) { nodes { id version } } }";
    let measure = server.data(query, &json!({}))["measures"]["nodes"][0].clone();
    let edit = "mutation($input: EditMeasureInput!) { editMeasure(input: $input) { errors { message } } }";
    let input = json!({"measureId": measure["id"], "version": measure["version"], "number": "GZ-3"});
    assert_eq!(server.data(edit, &json!({ "input": input }))["editMeasure"]["errors"], json!([]));
    let (layout, found) = export("");
    assert_eq!(layout, "standard");
    assert!(found.iter().any(|row| row.contains(&"GZ-3".to_owned())), "{found:?}");
}

fn a_county_gets_the_columns_of_its_own_file(world: &World) {
    world.done(&["migrate"]);
    world.done(&["unit", "add", "昌都市生态环境保护督察整改办", "--region", "540300"]);
    for (region, measures, due) in [("540329", "整改措施", "完成时限"), ("540323", "具体措施", "整改期限")]
    {
        let rows = format!(
            "序号,反馈问题,{measures},{due},牵头单位,责任单位,整改进展\n\
             1,（一）污水直排。,1.铺设管网。,2027年12月31日,市水利局,各县（区）人民政府,正在铺设。\n"
        );
        let file = world.file(&format!("{region}.csv"), rows.as_bytes());
        let how = ["--round", "第二轮", "--region", region, "--issued-by", "540300", "--as-of", "2024-06-30"];
        world.done(&[&["import", &file, "--create-units"][..], &how].concat());
    }
    let first = world.account("a@gov.example", "responsible-unit", "洛隆县人民政府");
    let second = world.account("b@gov.example", "responsible-unit", "类乌齐县人民政府");
    let city = world.account("c@gov.example", "city-office", "昌都市生态环境保护督察整改办");
    let server = world.serve();
    let headings = |token: &str, wanted: &str| {
        let (status, bytes) = fetch(&server, token, &format!("/export/ledger.xlsx{wanted}"));
        assert_eq!(status, 200);
        lines(bytes)[1][2..4].join("｜")
    };
    assert_eq!(headings(&first, ""), "整改措施｜完成时限");
    assert_eq!(headings(&second, ""), "具体措施｜整改期限");
    assert_eq!(headings(&city, ""), "具体措施｜整改期限", "the last file of the round");
    assert_eq!(headings(&city, "?region=540329"), "整改措施｜完成时限");
}

fn filled_in_progress_is_reported_by_the_same_rules(world: &World) {
    imported(world);
    let county = world.account("county@gov.example", "responsible-unit", "洛隆县人民政府");
    let sibling = world.account("sibling@gov.example", "responsible-unit", "类乌齐县人民政府");
    let server = world.serve();
    let all = "{ assignments(first: 50) { nodes { id version status } } }";
    let open = |token: &str| {
        let found = server.data_as(token, all, &json!({}))["assignments"]["nodes"].as_array().unwrap().clone();
        found.into_iter().filter(|one| one["status"] == "IN_PROGRESS").collect::<Vec<Value>>()
    };
    let (mine, other) = (open(&county), open(&sibling));
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("进展填报").unwrap();
    for (column, heading) in (0_u16..).zip(["编号", "版本", "报告期", "本期进展", "完成日期"]) {
        sheet.write(0, column, heading).unwrap();
    }
    let lines = [
        (&mine[0], 0, "2025-10", "已完成排查，正在整改。", ""),
        (&mine[1], 1, "2025-10", "以旧版本填写。", ""),
        (&other[0], 0, "2025-10", "替别县填写。", ""),
        (&mine[2], 0, "2025-10", "日期有误。", "明年"),
        (&mine[3], 0, "2025-10", "", ""),
        (&mine[3], 0, "2025-10", "无完成日期可更正。", "未完成"),
    ];
    for (row, (one, behind, period, text, day)) in (1_u32..).zip(lines) {
        sheet.write(row, 0, one["id"].as_str().unwrap()).unwrap();
        sheet.write(row, 1, (one["version"].as_i64().unwrap() - behind) as f64).unwrap();
        for (column, cell) in [(2, period), (3, text), (4, day)] {
            sheet.write(row, column, cell).unwrap();
        }
    }
    let (status, told) = send(&server, &county, "/import?sheet=progress&name=a.xlsx", &book.save_to_buffer().unwrap());
    assert_eq!((status, &told["taken"]), (422, &json!(1)), "{told:#}");
    let codes: Vec<(i64, &str)> = told["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| (fault["row"].as_i64().unwrap(), fault["code"].as_str().unwrap()))
        .collect();
    assert_eq!(codes, [(3, "STALE_VERSION"), (4, "NOT_FOUND"), (5, "INVALID"), (7, "WRONG_STATE")]);
    let after = open(&county);
    let of = |id: &Value| after.iter().find(|one| one["id"] == *id).unwrap()["version"].as_i64().unwrap();
    assert_eq!(of(&mine[0]["id"]), mine[0]["version"].as_i64().unwrap() + 1);
    assert_eq!(of(&mine[1]["id"]), mine[1]["version"].as_i64().unwrap(), "a refused line must change nothing");

    // `isCompletionRetracted` withdraws a completion that was reported by mistake.
    let report = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { \
        assignment { completedOn version } errors { code path } } }";
    let told = |version: &Value, further: Value| {
        let mut input =
            json!({"assignmentId": mine[0]["id"], "version": version, "period": "2025-10", "text": "更正。"});
        input.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
        server.data_as(&county, report, &json!({ "input": input }))["reportProgress"].clone()
    };
    let done = told(&json!(of(&mine[0]["id"])), json!({"completedOn": "2025-10-01"}))["assignment"].clone();
    assert_eq!(done["completedOn"], "2025-10-01");
    let both = told(&done["version"], json!({"completedOn": "2025-10-01", "isCompletionRetracted": true}));
    assert_eq!(both["errors"][0]["path"][1], "completedOn");
    let more = told(&done["version"], json!({}))["assignment"].clone();
    assert_eq!(more["completedOn"], "2025-10-01", "a report without a completion date must not change it");
    let back = told(&more["version"], json!({"isCompletionRetracted": true}));
    assert_eq!(back["assignment"]["completedOn"], Value::Null, "{back}");
}
