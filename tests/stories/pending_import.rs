//! Importing is a conversation that can be gone back to: a file is uploaded, read, asked about, answered and imported,
//! and only whoever uploaded it sees it.

use serde_json::{Value, json};

use crate::support::{Server, World, asked, eventually, stories};

stories!(
    a_file_is_asked_about_and_then_imported,
    a_file_that_is_no_ledger_says_so,
    remarks_are_told_in_the_language_of_the_request,
    the_level_of_a_new_round_can_be_given,
);

const ROUND: &str = "%E6%BC%94%E7%A4%BA%E8%BD%AE%E6%AC%A1";
const IMPORT: &str = "importId fileName state processed total error report { outcome: kind newProblems newMeasures \
    questionCount faultCount questions { topic printed proposal message } remarks \
    sheets { name headingRows columns { column heading label sureness } } }";

fn office(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/ledgers/offices/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn regions(world: &World) {
    world.done(&["migrate"]);
    world.done(&["region", "add", "云川省", "--code", "990000", "--parent", "100000"]);
    world.done(&["region", "add", "云溪市", "--code", "990100", "--parent", "990000"]);
    for (code, name) in [("990121", "白河县"), ("990122", "青坪县"), ("990123", "东岭县")] {
        world.done(&["region", "add", name, "--code", code, "--parent", "990100"]);
    }
    world.done(&["unit", "add", "云川省整改办", "--region", "990000"]);
}

/// Uploads a file and returns the id of the import.
fn upload(server: &Server, token: &str, bytes: &[u8]) -> String {
    let path = format!("/import?keep=true&round={ROUND}&region=990100&asOf=2024-06-30&name=sheet.xlsx");
    let bearer = format!("Bearer {token}");
    let said = asked(server, "POST", &path, &[("authorization", &bearer)], bytes);
    assert_eq!(said.status, 202, "{}", said.body);
    said.json()["importId"].as_str().unwrap().to_owned()
}

/// Returns an import once nothing is being done with it.
fn settled(server: &Server, token: &str, id: &str) -> Value {
    let query = format!("query($id: ID!) {{ pendingImport(importId: $id) {{ {IMPORT} }} }}");
    let mut said = Value::Null;
    eventually("the import is still being processed", || {
        said = server.data_as(token, &query, &json!({ "id": id }))["pendingImport"].clone();
        !["READING", "RUNNING"].iter().any(|state| said["state"] == *state)
    });
    said
}

fn answered(said: &Value) -> Value {
    let questions = said["report"]["questions"].as_array().unwrap().iter();
    let answer = |one: &Value| json!({"topic": one["topic"], "printed": one["printed"], "answer": one["proposal"]});
    questions.map(answer).collect()
}

fn a_file_is_asked_about_and_then_imported(world: &World) {
    regions(world);
    world.employ("office@example.org", "REGIONAL_OFFICE", "云川省整改办");
    world.employ("other@example.org", "REGIONAL_OFFICE", "云川省整改办");
    let server = world.serve();
    let (token, other) = (server.sign_in("office@example.org"), server.sign_in("other@example.org"));
    let id = upload(&server, &token, &office("1c-one-row-heading.xlsx"));
    let said = settled(&server, &token, &id);
    assert_eq!(said["state"], "ASKING", "{said}");
    assert!(said["report"]["questionCount"].as_i64().unwrap() > 0 && said["report"]["faultCount"] == 0, "{said}");
    let columns = said["report"]["sheets"][0]["columns"].as_array().unwrap();
    let rating = columns.iter().find(|column| column["column"] == "K").unwrap();
    assert_eq!((&rating["heading"], &rating["sureness"]), (&json!("完成情况"), &json!("LIKELY")));

    // Nothing is written, nothing can be imported yet, and nobody else sees the file.
    let all = "{ problems { totalCount } pendingImports { importId } }";
    let there = server.data_as(&token, all, &json!({}));
    assert_eq!((&there["problems"]["totalCount"], &there["pendingImports"][0]["importId"]), (&json!(0), &json!(id)));
    assert_eq!(server.data_as(&other, all, &json!({}))["pendingImports"], json!([]));
    let run = "mutation($input: RunImportInput!) { runImport(input: $input) { import { state } errors { code } } }";
    let input = json!({"input": {"importId": id}});
    assert_eq!(server.data_as(&token, run, &input)["runImport"]["errors"][0]["code"], "WRONG_STATE");
    assert_eq!(server.data_as(&other, run, &input)["runImport"]["errors"][0]["code"], "NOT_FOUND");

    // The proposals are confirmed in one go; the file is read again, and then imported.
    let decide = "mutation($input: DecideImportInput!) { decideImport(input: $input) { errors { message } } }";
    let mut said = said;
    for _ in 0..5 {
        if said["state"] == "READY" {
            break;
        }
        let input = json!({"input": {"importId": id, "answers": answered(&said)}});
        assert_eq!(server.data_as(&token, decide, &input)["decideImport"]["errors"], json!([]));
        said = settled(&server, &token, &id);
    }
    assert_eq!(said["state"], "READY", "{said}");
    assert_eq!((&said["report"]["newProblems"], &said["report"]["newMeasures"]), (&json!(2), &json!(6)));
    assert_eq!(server.data_as(&token, run, &input)["runImport"]["errors"], json!([]));
    let said = settled(&server, &token, &id);
    assert_eq!((&said["state"], &said["processed"], &said["total"]), (&json!("DONE"), &json!(6), &json!(6)), "{said}");
    let there = server.data_as(&token, "{ measures { totalCount } }", &json!({}));
    assert_eq!(there["measures"]["totalCount"], 6);

    // Once imported it cannot be imported again, and it can be forgotten.
    assert_eq!(server.data_as(&token, run, &input)["runImport"]["errors"][0]["code"], "WRONG_STATE");
    let discard =
        "mutation($input: DiscardImportInput!) { discardImport(input: $input) { import { state } errors { code } } }";
    let gone = server.data_as(&token, discard, &input)["discardImport"].clone();
    assert_eq!(gone, json!({"import": null, "errors": []}));
    assert_eq!(server.data_as(&token, all, &json!({}))["pendingImports"], json!([]));
}

fn a_file_that_is_no_ledger_says_so(world: &World) {
    regions(world);
    world.employ("office@example.org", "REGIONAL_OFFICE", "云川省整改办");
    let server = world.serve();
    let token = server.sign_in("office@example.org");
    let id = upload(&server, &token, "甲,乙\n1,2\n".as_bytes());
    let said = settled(&server, &token, &id);
    assert_eq!((&said["state"], &said["report"]), (&json!("FAILED"), &Value::Null), "{said}");
    assert!(said["error"].as_str().unwrap().contains("没有找到台账"), "{said}");
    // Some programs write the name of a file in a form as their system stores it.
    let mut form = b"--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"".to_vec();
    form.extend([0xCC, 0xA8, 0xD5, 0xCB]);
    form.extend(b".csv\"\r\n\r\na,b\r\n1,2\r\n--B--\r\n");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=B")];
    let path = format!("/import?keep=true&round={ROUND}&region=990100");
    let said = asked(&server, "POST", &path, &headers, &form);
    assert_eq!(said.status, 202, "{}", said.body);
    let said = settled(&server, &token, said.json()["importId"].as_str().unwrap());
    assert_eq!(said["fileName"], "台账.csv");
    // A unit may not import anything, whatever it is.
    world.employ("unit@example.org", "RESPONSIBLE_UNIT", "云川省整改办");
    let unit = format!("Bearer {}", server.sign_in("unit@example.org"));
    assert_eq!(asked(&server, "POST", &path, &[("authorization", &unit)], b"x").status, 403);
}

/// A ledger with a column that is not known, reporters, a total and a note, in a round that does not exist yet.
const REMARKED: &str = "云溪市整改台账（截至2026年9月30日）,,,,,,\n\
    序号,反馈问题,整改措施,整改时限,牵头单位,奇怪的列,填报人\n\
    1,水库淤积。,1.清淤。,20261231,市水利局,甲,张三\n\
    合计,,1,,,,\n\
    注：本表由市整改办汇总,,,,,,\n";

fn remarks_are_told_in_the_language_of_the_request(world: &World) {
    regions(world);
    world.employ("office@example.org", "REGIONAL_OFFICE", "云川省整改办");
    let server = world.serve();
    let token = server.sign_in("office@example.org");
    let bearer = format!("Bearer {token}");
    let in_language = |language| [("authorization", bearer.as_str()), ("accept-language", language)];
    let path = format!("/import?dryRun=true&createUnits=true&round={ROUND}&region=990100&name=sheet.csv");
    let rehearsed = |language| {
        let said = asked(&server, "POST", &path, &in_language(language), REMARKED.as_bytes());
        assert_eq!(said.status, 200, "{}", said.body);
        said.json()["remarks"].clone()
    };
    assert_eq!(
        rehearsed("zh-CN"),
        json!([
            "“奇怪的列”列不在表头词典中，未导入",
            "工作表“sheet”第 4 行是合计，未导入",
            "工作表“sheet”第 5 行是表下说明，未导入",
            "工作表“sheet”第 3 行：数字“20261231”读作日期 2026-12-31",
            "“填报人”列是个人信息，未读取；填报人请用账号登记",
            "新建督察轮次“演示轮次”：中央，由区整改办销号；级别按名称判断，如不符，请在导入时选定级别，\
             或修改督察轮次",
        ])
    );
    let english = json!([
        "column “奇怪的列”: the heading is not known; not imported",
        "sheet “sheet”, row 4: a total; not imported",
        "sheet “sheet”, row 5: a note below the table; not imported",
        "sheet “sheet”, row 3: the number “20261231” was read as the date 2026-12-31",
        "column “填报人” has personal data and is not read; give reporters accounts instead",
        "new inspection round “演示轮次”: level central, closed by the regional office; the level is told from the \
         name: if it is wrong, choose it when you import, or edit the round",
    ]);
    assert_eq!(rehearsed("en"), english);
    // A file that waits is told in the language of whoever asks, too.
    let id = upload(&server, &token, REMARKED.as_bytes());
    settled(&server, &token, &id);
    let query = format!("query {{ pendingImport(importId: \"{id}\") {{ report {{ remarks }} }} }}");
    let said = server.ask(&json!({ "query": query }), &in_language("en")).json();
    assert_eq!(said["data"]["pendingImport"]["report"]["remarks"], english, "{said}");
}

fn the_level_of_a_new_round_can_be_given(world: &World) {
    regions(world);
    let sheet = "序号,反馈问题,整改措施,整改时限,牵头单位\n1,砂石乱堆。,1.清理。,2026年12月31日,县水利局\n";
    let file = world.file("砂石.csv", sheet.as_bytes());
    let import = |round: &str, more: &[&str]| {
        let of = ["--round", round, "--region", "990121", "--as-of", "2026-03-31", "--create-units"];
        world.run(&[&["import", &file][..], &of, more].concat())
    };
    let levels = "{ inspectionRounds(first: 9) { nodes { name level } } }";
    // A name that tells nothing is taken for an inspection from above, and that is said.
    let told = import("砂石整治甲", &[]);
    assert_eq!(told.code, 0, "{}", told.out);
    assert!(told.out.contains("省级，由区整改办销号；级别按名称判断"), "{}", told.out);
    let told = import("砂石整治乙", &["--level", "county"]);
    assert_eq!(told.code, 0, "{}", told.out);
    assert!(told.out.contains("新建督察轮次“砂石整治乙”：县级，由县整改办销号\n"), "{}", told.out);
    // A round that exists keeps its level: the same one is no contradiction.
    assert_eq!(import("砂石整治乙", &["--level", "county"]).code, 0);
    let other = import("砂石整治乙", &["--level", "regional-bureau"]);
    assert!(other.code == 1 && other.out.contains("已有督察轮次“砂石整治乙”，级别是县级"), "{}", other.out);
    let unknown = import("砂石整治丙", &["--level", "town"]);
    assert!(unknown.code == 2 && unknown.out.contains("regional-bureau"), "{}", unknown.out);

    world.employ("office@example.org", "REGIONAL_OFFICE", "云川省整改办");
    let server = world.serve();
    let token = server.sign_in("office@example.org");
    let bearer = format!("Bearer {token}");
    let send = |round: &str, more: &str| {
        let round: String = url::form_urlencoded::byte_serialize(round.as_bytes()).collect();
        let path = format!("/import?round={round}&region=990121&asOf=2026-03-31&createUnits=true&name=a.csv{more}");
        asked(&server, "POST", &path, &[("authorization", &bearer)], sheet.as_bytes())
    };
    assert_eq!(send("砂石整治丁", "&level=PREFECTURE").status, 200);
    let refused = send("砂石整治丁", "&level=COUNTY");
    assert!(refused.status >= 400 && refused.body.contains("级别是市级"), "{}", refused.body);
    let malformed = send("砂石整治戊", "&level=TOWN");
    assert!(malformed.status == 400 && malformed.body.contains("REGIONAL_BUREAU"), "{}", malformed.body);

    // A file that waits keeps its level, and an answer changes it.
    let id = send("砂石整治己", "&level=PREFECTURE&keep=true").json()["importId"].as_str().unwrap().to_owned();
    settled(&server, &token, &id);
    let query = format!("{{ pendingImport(importId: \"{id}\") {{ level report {{ remarks }} }} }}");
    let kept = || server.data_as(&token, &query, &json!({}))["pendingImport"].clone();
    assert_eq!(kept()["level"], "PREFECTURE");
    let decide = "mutation($input: DecideImportInput!) { decideImport(input: $input) { errors { message } } }";
    let input = json!({"input": {"importId": id, "answers": [], "level": "COUNTY"}});
    assert_eq!(server.data_as(&token, decide, &input)["decideImport"]["errors"], json!([]));
    settled(&server, &token, &id);
    let again = kept();
    assert_eq!(again["level"], "COUNTY");
    assert!(again["report"]["remarks"].to_string().contains("县级，由县整改办销号"), "{again}");
    let run = "mutation($input: RunImportInput!) { runImport(input: $input) { errors { message } } }";
    let input = json!({"input": {"importId": id}});
    assert_eq!(server.data_as(&token, run, &input)["runImport"]["errors"], json!([]));
    settled(&server, &token, &id);
    let rounds = server.data_as(&token, levels, &json!({}))["inspectionRounds"]["nodes"].clone();
    let of = |name: &str| rounds.as_array().unwrap().iter().find(|one| one["name"] == name).unwrap()["level"].clone();
    assert_eq!(of("砂石整治甲"), "PROVINCE");
    assert_eq!((of("砂石整治乙"), of("砂石整治丁")), (json!("COUNTY"), json!("PREFECTURE")));
    assert_eq!(of("砂石整治己"), "COUNTY");
}
