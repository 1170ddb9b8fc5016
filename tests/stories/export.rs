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
    let (mine, his) = (open(&county), open(&sibling));
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("进展填报").unwrap();
    for (column, heading) in (0_u16..).zip(["编号", "版本", "报告期", "本期进展", "完成日期"]) {
        sheet.write(0, column, heading).unwrap();
    }
    let lines = [
        (&mine[0], 0, "2025-10", "已完成排查，正在整改。", ""),
        (&mine[1], 1, "2025-10", "以旧版本填写。", ""),
        (&his[0], 0, "2025-10", "替别县填写。", ""),
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
