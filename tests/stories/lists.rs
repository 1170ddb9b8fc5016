//! Export of lists through the API (`/export/{list}.csv` and `.xlsx`): as filtered, with the rights of the reader,
//! beyond one page, and what is refused.

use std::fmt::Write as _;

use serde_json::json;

use crate::support::{Answer, Server, World, asked, stories};

stories!(
    a_list_is_exported_as_filtered_beyond_one_page,
    an_export_shows_what_its_reader_may_see,
    cells_are_dates_labels_and_never_formulas,
    what_cannot_be_exported_is_refused_clearly,
    the_example_of_the_guide_runs,
    a_page_exports_what_it_lists,
    a_query_is_exported_by_accept,
);

/// The number of measures of the city's ledger: more than two pages of an export.
const MANY: usize = 450;

/// Imports a ledger of the city with many measures. Each third one is answered by 青坪县, the others by 白河县; every
/// tenth one was due in 2020.
fn set(world: &World) {
    world.done(&["migrate"]);
    world.done(&["region", "add", "云川省", "--code", "990000", "--parent", "100000"]);
    world.done(&["region", "add", "云溪市", "--code", "990100", "--parent", "990000"]);
    for (code, name) in [("990121", "白河县"), ("990122", "青坪县")] {
        world.done(&["region", "add", name, "--code", code, "--parent", "990100"]);
    }
    let mut rows = String::from("序号,反馈问题,措施序号,整改措施,整改时限,牵头单位,责任单位,牵头领导\n");
    for row in 1..=MANY {
        let problem = row.div_ceil(10);
        let county = if row % 3 == 0 { "青坪县人民政府" } else { "白河县人民政府" };
        let due = if row % 10 == 0 { 2020 } else { 2027 };
        let text = if row == 1 { "@SUM(1) 先行整治" } else { "整治河道" };
        _ = writeln!(
            rows,
            "{problem},第{problem}个问题,{problem}-{row},{text}第{row}段,{due}年12月31日前完成,市水利局,{county},\
             副市长 李某某"
        );
    }
    let file = world.file("台账.csv", rows.as_bytes());
    let how = ["--round", "演示轮次", "--region", "990100", "--as-of", "2024-06-30", "--create-units"];
    world.done(&[&["import", &file][..], &how].concat());
}

fn office(world: &World, role: &str, place: &str, region: &str) -> String {
    let unit = format!("{place}生态环境保护督察整改办");
    world.done(&["unit", "add", &unit, "--region", region]);
    world.account(&format!("o{region}@gov.example"), role, &unit)
}

/// Asks for an export, and returns the answer with the bytes of the file.
fn ask(server: &Server, token: &str, file: &str, wanted: &[(&str, &str)], language: &str) -> (Answer, Vec<u8>) {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(wanted).finish();
    let bearer = format!("Bearer {token}");
    server.fetch(&format!("/export/{file}?{query}"), &[("authorization", &bearer), ("accept-language", language)])
}

/// Exports a list as CSV and returns its rows, the headings first.
fn rows(server: &Server, token: &str, list: &str, wanted: &[(&str, &str)]) -> Vec<Vec<String>> {
    let (answer, bytes) = ask(server, token, &format!("{list}.csv"), wanted, "zh");
    assert_eq!((answer.status, answer.header("content-type")), (200, "text/csv; charset=utf-8"), "{}", answer.body);
    rows_of(&bytes)
}

fn rows_of(bytes: &[u8]) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(bytes).unwrap().strip_prefix('\u{feff}').unwrap();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn column(rows: &[Vec<String>], place: usize) -> Vec<&str> {
    rows[1..].iter().map(|row| row[place].as_str()).collect()
}

fn a_list_is_exported_as_filtered_beyond_one_page(world: &World) {
    set(world);
    let city = office(world, "city-office", "云溪市", "990100");
    let server = world.serve();
    let wanted = [("columns", "number,content"), ("orderBy", r#"[{"field": "POSITION", "direction": "DESC"}]"#)];
    let all = rows(&server, &city, "measures", &wanted);
    assert_eq!((all.len(), &all[0]), (MANY + 1, &vec!["编号".to_owned(), "整改措施".to_owned()]));
    let mut numbers = column(&all, 0);
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), MANY, "no row twice");

    let filter = r#"{"isOverdue": true, "leadUnit": {"is": {"name": {"eq": "市水利局"}}}}"#;
    let late = rows(&server, &city, "measures", &[("filter", filter), ("columns", "number,deadline.dueOn")]);
    assert_eq!(column(&late, 1), ["2020-12-31"; MANY / 10]);

    // Each list can be exported with its usual columns.
    let schema = server.data("{ __schema { queryType { fields { name type { ofType { name } } } } } }", &json!({}));
    let lists = schema["__schema"]["queryType"]["fields"].as_array().unwrap().iter();
    let lists: Vec<&str> = lists
        .filter(|field| field["type"]["ofType"]["name"].as_str().is_some_and(|name| name.ends_with("Connection")))
        .map(|field| field["name"].as_str().unwrap())
        // What is searched for is an argument, which an export has not.
        .filter(|name| *name != "search")
        .collect();
    assert!(lists.len() >= 20, "{lists:?}");
    for list in lists {
        let headings = &rows(&server, &city, list, &[("filter", "{}")])[0];
        assert!(headings.len() > 4, "{list}: {headings:?}");
        let bare = headings.iter().filter(|heading| *heading != "SHA-256" && heading.is_ascii());
        assert_eq!(bare.collect::<Vec<_>>(), Vec::<&String>::new(), "{list} has headings without Chinese words");
    }
}

fn an_export_shows_what_its_reader_may_see(world: &World) {
    set(world);
    let city = office(world, "city-office", "云溪市", "990100");
    let county = office(world, "county-office", "青坪县", "990122");
    let account = ["account", "create", "i@gov.example", "--role", "inspector", "--region", "990100", "--no-password"];
    world.done_with(&[&account[..], &["--until", "2100-12-31"]].concat(), "");
    let inspector = world.done(&["token", "create", "i@gov.example"]).trim().to_owned();
    let server = world.serve();
    let wanted = [("columns", "measure.number,measure.content,unit")];
    let of_city = rows(&server, &city, "assignments", &wanted);
    assert_eq!(of_city[0], ["整改措施·编号", "整改措施", "责任单位"]);
    assert_eq!(of_city.len() - 1, MANY);
    let own = rows(&server, &county, "assignments", &wanted);
    assert_eq!(column(&own, 2), ["青坪县人民政府"; MANY / 3], "a county sees no sibling");
    assert_eq!(rows(&server, &county, "measures", &[("columns", "number")]).len() - 1, MANY / 3);

    let leaders = [("columns", "number,leaders.name,leaders.post")];
    let full = rows(&server, &city, "measures", &leaders);
    assert_eq!((full[1][1].as_str(), full[1][2].as_str()), ("副市长 李某某", "牵头领导"));
    let masked = rows(&server, &inspector, "measures", &leaders);
    assert_eq!(column(&masked, 1), ["副市长 李**"; MANY]);
    assert_eq!(ask(&server, "none", "measures.csv", &[], "zh").0.status, 401);
    let (answer, _) = server.fetch("/export/measures.csv", &[]);
    assert_eq!(answer.status, 401);
    // What everybody may read is exported to everybody, here and by GraphQL.
    let (answer, bytes) = server.fetch("/export/notices.csv?columns=unit,notice", &[]);
    assert_eq!((answer.status, rows_of(&bytes)[0].join(",").as_str()), (200, "单位,公示内容"), "{}", answer.body);
    let query = json!({ "query": "{ notices { nodes { unit } } }" }).to_string();
    assert_eq!(server.send(&[("content-type", "application/json"), ("accept", "text/csv")], &query).status, 200);
}

fn cells_are_dates_labels_and_never_formulas(world: &World) {
    set(world);
    let city = office(world, "city-office", "云溪市", "990100");
    let server = world.serve();
    let filter = r#"{"number": {"eq": "1-1"}}"#;
    let columns = "content,status,deadline,deadline.dueOn,isCompletedBy,leadUnit,createdAt";
    let wanted = [("filter", filter), ("columns", columns)];
    let csv = rows(&server, &city, "measures", &wanted);
    assert_eq!(
        csv[0],
        ["整改措施", "整改状态", "整改时限", "整改时限·到期日", "是否仅知截至日期前完成", "牵头单位", "入账时间"]
    );
    let row: Vec<&str> = csv[1].iter().map(String::as_str).collect();
    let expected = ["'@SUM(1) 先行整治第1段", "已交办", "2027年12月31日前完成", "2027-12-31", "否", "市水利局"];
    assert_eq!((row.len(), &row[..6]), (7, &expected[..]));
    assert_eq!(row[6].len(), "2026-11-29 13:00".len(), "{}", row[6]);

    // What stands one level deeper has its own heading, too.
    let columns =
        [("columns", "objections.text,objections.raisedAt,availableActions.label,availableActions.isAvailable")];
    let headings = ["异议·异议内容", "异议·登记时间", "可办事项·操作", "可办事项·目前能否办理"];
    assert_eq!(rows(&server, &city, "closeOuts", &columns)[0], headings);

    let (answer, bytes) = ask(&server, &city, "measures.xlsx", &wanted, "en");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let disposition = answer.header("content-disposition");
    assert!(disposition.starts_with("attachment;") && disposition.contains("measures%2D"), "{disposition}");
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut part = |name: &str| {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut archive.by_name(name).unwrap(), &mut text).unwrap();
        text
    };
    let (sheet, texts, styles) =
        (part("xl/worksheets/sheet1.xml"), part("xl/sharedStrings.xml"), part("xl/styles.xml"));
    assert!(!sheet.contains("<f>"), "no cell is a formula: {sheet}");
    assert!(styles.contains(r#"quotePrefix="1""#) && texts.contains("@SUM(1) 先行整治第1段"));
    assert!(sheet.contains("<v>46752</v>") && styles.contains("yyyy-mm-dd"), "2027-12-31 is a date: {sheet}");
    for words in ["Deadline: Due on", "Lead unit", "Assigned", "<t>no</t>"] {
        assert!(texts.contains(words), "{words}: {texts}");
    }
}

/// A file and its parameters, with the status, the code and words of the message in Chinese and English.
type Refused<'a> = (&'a str, &'a [(&'a str, &'a str)], u16, &'a str, &'a str, &'a str);

fn what_cannot_be_exported_is_refused_clearly(world: &World) {
    set(world);
    let city = office(world, "city-office", "云溪市", "990100");
    let server = world.serve();
    let refused = |file: &str, wanted: &[(&str, &str)], language: &str| {
        let answer = ask(&server, &city, file, wanted, language).0;
        let error = answer.json()["errors"][0].clone();
        let said = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        (answer.status, said("code"), said("message"))
    };
    let cases: &[Refused<'_>] = &[
        ("nothing.csv", &[], 404, "NOT_FOUND", "没有列表 nothing", "inspectionRounds"),
        ("viewer.csv", &[], 404, "NOT_FOUND", "没有列表 viewer", "there is no list viewer"),
        ("measures.ods", &[], 404, "NOT_FOUND", ".xlsx 或 .csv", ".xlsx or .csv"),
        ("measures.csv", &[("filter", "{")], 400, "BAD_REQUEST", "filter 应为 JSON", "filter should be JSON"),
        (
            "measures.xlsx",
            &[("filter", r#"{"isOverdue": "yes"}"#)],
            400,
            "GRAPHQL_VALIDATION_FAILED",
            "$filter.isOverdue 应为 Boolean",
            "$filter.isOverdue should be Boolean",
        ),
        (
            "measures.csv",
            &[("filter", r#"{"late": true}"#)],
            400,
            "GRAPHQL_VALIDATION_FAILED",
            "$filter.late 不在 MeasureFilter 中",
            "$filter.late is not in MeasureFilter",
        ),
        (
            "measures.csv",
            &[("orderBy", r#"[{"field": "LATE"}]"#)],
            400,
            "GRAPHQL_VALIDATION_FAILED",
            "$orderBy.0.field",
            "$orderBy.0.field",
        ),
        ("measures.csv", &[("columns", "number,late")], 400, "BAD_REQUEST", "没有字段 late", "has no field late"),
        ("measures.csv", &[("columns", "number.x")], 400, "BAD_REQUEST", "没有下级字段", "number has no fields"),
        ("measures.csv", &[("columns", "assignments")], 400, "BAD_REQUEST", "AssignmentConnection", "name a field of"),
        ("measures.csv", &[("columns", "")], 400, "BAD_REQUEST", "columns 应为字段的路径", "`columns` should be"),
        ("measures.csv", &[("first", "5")], 400, "BAD_REQUEST", "filter、orderBy、columns", "expected parameters"),
    ];
    for (file, wanted, status, code, zh, en) in cases {
        for (language, words) in [("zh", zh), ("en", en)] {
            let (found, known, message) = refused(file, wanted, language);
            assert_eq!((found, known.as_str()), (*status, *code), "{file} {wanted:?}: {message}");
            assert!(message.contains(words), "{file} {wanted:?}: {message}");
        }
    }
}

fn the_example_of_the_guide_runs(world: &World) {
    set(world);
    let city = office(world, "city-office", "云溪市", "990100");
    let server = world.serve();
    let guide = std::fs::read_to_string("docs/api.md").unwrap();
    let example = guide.split("```").find(|block| block.contains("/export/measures.csv")).unwrap();
    let wanted: Vec<(&str, &str)> = example
        .split("--url-query '")
        .skip(1)
        .map(|rest| rest.split_once('\'').unwrap().0.split_once('=').unwrap())
        .collect();
    let names: Vec<&str> = wanted.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["filter", "orderBy", "columns"]);
    let found = rows(&server, &city, "measures", &wanted);
    assert_eq!(found.len() - 1, MANY / 10);
    // The guide shows the headings and a row.
    let shown = guide.split("```csv\n").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(found[0], rows_of(format!("\u{feff}{shown}").as_bytes())[0]);
}

fn a_page_exports_what_it_lists(world: &World) {
    set(world);
    office(world, "city-office", "云溪市", "990100");
    let server = world.serve();
    let secret = server.sign_in("o990100@gov.example");
    let cookie = format!("rectify={secret}");
    let (answer, bytes) = server.fetch("/ledger.csv?overdue=true&first=2&sort=POSITION", &[("cookie", &cookie)]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let found = rows_of(&bytes);
    assert_eq!((found.len() - 1, found[0][5].as_str()), (MANY / 10, "到期日"));
    assert_eq!(column(&found, 5), ["2020-12-31"; MANY / 10]);
    let answer = asked(&server, "GET", "/ledger.xlsx", &[], b"");
    assert_eq!((answer.status, answer.header("location")), (303, "/sign-in?to=%2Fledger.xlsx"));
    let page = server.fetch("/ledger?overdue=true", &[("cookie", &cookie)]).1;
    let page = String::from_utf8(page).unwrap();
    assert!(page.contains("ledger.csv?overdue=true"), "the page links to its export");
}

fn a_query_is_exported_by_accept(world: &World) {
    set(world);
    let city = office(world, "city-office", "云溪市", "990100");
    let county = office(world, "county-office", "青坪县", "990122");
    let server = world.serve();
    let bearer = |token: &str| format!("Bearer {token}");
    let ask = |token: &str, query: &str, variables: &serde_json::Value| {
        let headers = [("content-type", "application/json"), ("accept", "text/csv"), ("accept-language", "zh")];
        let bearer = bearer(token);
        let headers = [&headers[..], &[("authorization", bearer.as_str())]].concat();
        server.send(&headers, &json!({ "query": query, "variables": variables }).to_string())
    };
    let late = "query Late($wanted: MeasureFilter) {
        late: measures(filter: $wanted, orderBy: [{ field: POSITION, direction: DESC }]) {
            totalCount nodes { number ...Rest } } }
        fragment Rest on Measure { deadline { dueOn } leadUnit { name } status }";
    let wanted = json!({ "wanted": { "dueOn": { "isNull": false } } });
    let given = ask(&city, late, &wanted);
    assert_eq!((given.status, given.header("content-type")), (200, "text/csv; charset=utf-8"), "{}", given.body);
    assert!(given.header("content-disposition").contains("measures"), "{}", given.header("content-disposition"));
    let text = if given.body.starts_with('\u{feff}') { given.body.clone() } else { format!("\u{feff}{}", given.body) };
    let rows = rows_of(text.as_bytes());
    assert_eq!(
        (rows.len(), &rows[0]),
        (MANY + 1, &["编号", "整改时限·到期日", "牵头单位", "整改状态"].map(str::to_owned).to_vec())
    );
    assert_eq!(rows[1][0], format!("{}-{MANY}", MANY.div_ceil(10)));
    assert!(column(&rows, 3).iter().all(|status| *status == "已交办"), "{:?}", &rows[1]);

    // The same query by GET; a county gets what it sees.
    let query = "{ measures { nodes { number } } }";
    let path = format!(
        "/graphql?{}",
        url::form_urlencoded::Serializer::new(String::new()).append_pair("query", query).finish()
    );
    let county = bearer(&county);
    let (answer, bytes) = server.fetch(&path, &[("authorization", &county), ("accept", "text/csv")]);
    assert_eq!((answer.status, rows_of(&bytes).len()), (200, MANY / 3 + 1), "{}", answer.body);

    // What has no place in one table is refused, and why.
    for (document, why) in [
        ("{ viewer { id } }", "viewer 不是列表"),
        ("{ search(text: \"整治\") { nodes { rank } } }", "search 须给出参数"),
        ("{ measures { nodes { number } } units { nodes { name } } }", "一个列表"),
        ("{ measures { totalCount } }", "nodes"),
        ("{ measures(first: 5) { nodes { number } } }", "first"),
        ("{ measures { nodes { label: number } } }", "别名"),
        ("{ measures { nodes { assignments { nodes { status } } } } }", "分页"),
        ("{ measures { nodes { nothing } } }", "nothing"),
        ("mutation { signOut { isEnded } }", "一个列表"),
    ] {
        let refused = ask(&city, document, &json!({}));
        assert!(refused.status == 400 && refused.body.contains(why), "{document}: {} {}", refused.status, refused.body);
    }
    let filter = ask(&city, "{ measures(filter: { nothing: 1 }) { nodes { number } } }", &json!({}));
    assert_eq!(filter.status, 400, "{}", filter.body);
    let json = server.send(
        &[
            ("content-type", "application/json"),
            ("accept", "text/csv;q=0.5, application/json"),
            ("authorization", &bearer(&city)),
        ],
        &json!({ "query": query }).to_string(),
    );
    assert!(json.header("content-type").starts_with("application/json"), "JSON is preferred");
}
