//! What is remembered of imports (导入读法): who sees and changes it, that a forgotten decision is asked about again,
//! and that another office can take it over.

use serde_json::{Value, json};

use crate::support::{Answer, Server, World, asked, stories};

stories!(
    what_is_remembered_is_told_in_words_and_found,
    what_is_remembered_is_changed_and_forgotten,
    only_an_office_whose_imports_use_it_sees_and_changes_it,
    another_office_takes_over_what_was_decided,
    a_round_keeps_what_was_decided_under_its_new_name,
);

const ROUND: &str = "演示轮次";
const HEADINGS: &str = "序号,反馈问题,整改措施,整改时限,牵头单位,完成情况";
const LIST: &str = "query($filter: ImportDecisionFilter) { importDecisions(filter: $filter, first: 20) { totalCount
    nodes { id topic region { name } headings roundName printed question answer answerLabel decider { name } version }
    groups(by: [TOPIC]) { keys { key } aggregate { count } } } }";
const CHANGE: &str = "mutation($input: ChangeImportDecisionInput!) { changeImportDecision(input: $input) {
    decision { answer answerLabel version decider { name } } errors { code message path } } }";
const FORGET: &str = "mutation($input: ForgetImportDecisionInput!) { forgetImportDecision(input: $input) {
    isDeleted deletedId errors { code path } } }";
const TAKE_OVER: &str = "mutation($input: TakeOverImportDecisionsInput!) { takeOverImportDecisions(input: $input) {
    takenCount leftOutCount errors { code message path } } }";

fn regions(world: &World) {
    world.done(&["migrate"]);
    for (name, code, parent) in [
        ("云川省", "990000", "100000"),
        ("云溪市", "990100", "990000"),
        ("白河县", "990121", "990100"),
        ("云山市", "990200", "990000"),
        ("邻川省", "980000", "100000"),
    ] {
        world.done(&["region", "add", name, "--code", code, "--parent", parent]);
    }
    for (name, code) in [("云川省整改办", "990000"), ("云溪市整改办", "990100"), ("邻川省整改办", "980000")]
    {
        world.done(&["unit", "add", name, "--region", code]);
    }
}

/// A ledger of two problems, from a number on, whose status column and second deadline have to be asked about.
fn sheet(number: u32, title: &str) -> String {
    let next = number + 1;
    format!(
        "{HEADINGS}\n{number},{title}一。,1.做{title}一。,2025年底前,市水利局,已完成\n\
         {next},{title}二。,1.做{title}二。,6月底前,市水利局,未完成\n"
    )
}

/// A ledger whose text likely says that the measure does not apply.
const TEXT: &str = "序号,反馈问题,整改措施,整改时限,牵头单位,整改进展\n9,无企业。,1.查企业。,2025年底前,市水利局,\
    本县无此类企业\n";

/// Imports a sheet of a region.
fn import(server: &Server, token: &str, region: &str, round: &str, content: &str, how: &str) -> Answer {
    let round: String = url::form_urlencoded::byte_serialize(round.as_bytes()).collect();
    let path = format!("/import?round={round}&region={region}&asOf=2024-03-31&createUnits=true&name=sheet.csv{how}");
    let bearer = format!("Bearer {token}");
    asked(server, "POST", &path, &[("authorization", &bearer)], content.as_bytes())
}

/// Imports a sheet, and a text, with all proposals.
fn accept(server: &Server, token: &str, region: &str) {
    for content in [sheet(1, "甲").as_str(), TEXT] {
        let said = import(server, token, region, ROUND, content, "&acceptProposals=true");
        assert_eq!(said.status, 200, "{}", said.body);
    }
}

/// Returns what an import asks that keeps it from being written.
fn questions(said: &Answer) -> Vec<String> {
    let said = said.json();
    let open = said["questions"].as_array().unwrap().iter().filter(|one| one["isTaken"] == false);
    open.map(|one| format!("{} {}", one["topic"].as_str().unwrap(), one["printed"].as_str().unwrap())).collect()
}

fn list(server: &Server, token: &str, filter: &Value) -> Vec<Value> {
    let found = server.data_as(token, LIST, &json!({ "filter": filter }))["importDecisions"].clone();
    found["nodes"].as_array().unwrap().clone()
}

/// Returns the decision about something printed.
fn of(server: &Server, token: &str, printed: &str) -> Value {
    let found = list(server, token, &json!({ "printed": { "eq": printed } }));
    assert_eq!(found.len(), 1, "{printed}: {found:?}");
    found[0].clone()
}

fn what_is_remembered_is_told_in_words_and_found(world: &World) {
    regions(world);
    let office = world.account("office@gov.example", "regional-office", "云川省整改办");
    let server = world.serve();
    let asked_first = import(&server, &office, "990100", ROUND, &sheet(1, "甲"), "");
    assert_eq!(asked_first.status, 422);
    assert_eq!(questions(&asked_first), ["columns 完成情况", "deadlines 6月底前"], "{}", asked_first.body);
    assert_eq!(
        list(&server, &office, &json!({})),
        Vec::<Value>::new(),
        "nothing is remembered of what was not written"
    );
    accept(&server, &office, "990100");

    let all = server.data_as(&office, LIST, &json!({}))["importDecisions"].clone();
    let counts: Vec<(&Value, &Value)> = all["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (&group["keys"][0]["key"], &group["aggregate"]["count"]))
        .collect();
    let one = json!(1);
    for topic in ["COLUMNS", "DEADLINES", "NOT_APPLICABLE"] {
        assert!(counts.contains(&(&json!(topic), &one)), "{topic}: {counts:?}");
    }
    let column = of(&server, &office, "完成情况");
    assert_eq!(
        (&column["topic"], &column["region"]["name"], &column["roundName"]),
        (&json!("COLUMNS"), &json!("云溪市"), &Value::Null)
    );
    assert_eq!(column["headings"], HEADINGS.replace(',', "|"));
    assert_eq!(
        (&column["question"], &column["answer"], &column["answerLabel"]),
        (&json!("“完成情况”列是什么？"), &json!("status"), &json!("完成状态"))
    );
    assert_eq!(column["decider"]["name"], "office");
    let text = of(&server, &office, "本县无此类企业");
    assert_eq!(
        (&text["answer"], &text["answerLabel"], &text["headings"]),
        (&json!("true"), &json!("是"), &Value::Null)
    );
    let english = [("authorization", &*format!("Bearer {office}")), ("accept-language", "en")];
    let told =
        server.ask(&json!({ "query": LIST, "variables": { "filter": { "topic": ["NOT_APPLICABLE"] } } }), &english);
    let told = told.json()["data"]["importDecisions"]["nodes"][0].clone();
    assert_eq!(told["answerLabel"], "yes");
    assert_eq!(told["question"], "Does “本县无此类企业” say that the measure does not apply?");

    // What is looked for: by topic, by words of the text or the answer, by round and by region.
    let count = |filter: Value| list(&server, &office, &filter).len();
    assert_eq!(count(json!({ "topic": ["DEADLINES", "LEADS"] })), 1);
    assert_eq!(count(json!({ "printed": { "search": "2024年6月30日" } })), 1);
    assert_eq!((count(json!({ "roundName": { "eq": ROUND } })), count(json!({ "roundName": { "eq": "无" } }))), (2, 0));
    let region = |code: &str| {
        let query = "query($code: String!) { region(code: $code) { id } }";
        server.data_as(&office, query, &json!({ "code": code }))["region"]["id"].clone()
    };
    let within = |code: &str| count(json!({ "region": { "within": region(code) } }));
    assert_eq!((within("990000"), within("990100"), within("990200")), (3, 3, 0));
}

fn what_is_remembered_is_changed_and_forgotten(world: &World) {
    regions(world);
    let office = world.account("office@gov.example", "regional-office", "云川省整改办");
    let server = world.serve();
    accept(&server, &office, "990100");
    let column = of(&server, &office, "完成情况");

    // A change holds for the next import of that office.
    let deadline = of(&server, &office, "6月底前");
    let change = |of: &Value, version: i64, answer: &str| {
        let input = json!({ "decisionId": of["id"], "version": version, "answer": answer });
        server.data_as(&office, CHANGE, &json!({ "input": input }))["changeImportDecision"].clone()
    };
    let refused = change(&deadline, 1, "尽快");
    assert_eq!(
        (&refused["errors"][0]["code"], &refused["errors"][0]["path"]),
        (&json!("INVALID"), &json!(["input", "answer"]))
    );
    let refused = change(&column, 1, "随便");
    let why = refused["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(
        why.contains("随便") && why.contains("牵头单位") && why.contains("不读"),
        "it says what is possible: {why}"
    );
    let changed = change(&deadline, 1, "2024年7月31日");
    assert_eq!(
        changed["decision"],
        json!({ "answer": "2024年7月31日", "answerLabel": "2024年7月31日", "version": 2,
        "decider": { "name": "office" } })
    );
    assert_eq!(change(&deadline, 1, "2024年8月31日")["errors"][0]["code"], "STALE_VERSION");
    assert_eq!(change(&deadline, 2, "2024年7月31日")["decision"]["version"], 2, "the same again changes nothing");
    let next = import(&server, &office, "990100", ROUND, &sheet(3, "乙"), "");
    assert_eq!(next.status, 200, "{}", next.body);
    let query = "{ measures(first: 9, filter: {text: {search: \"做乙二\"}}) { nodes { deadline { dueOn } } } }";
    assert_eq!(server.data_as(&office, query, &json!({}))["measures"]["nodes"][0]["deadline"]["dueOn"], "2024-07-31");
    let not_read = change(&column, 1, "不读");
    assert_eq!(
        (&not_read["decision"]["answer"], &not_read["decision"]["answerLabel"]),
        (&json!("none"), &json!("不读"))
    );

    // A decision that is forgotten is asked about again.
    let forget = |of: &Value, version: i64| {
        let input = json!({ "decisionId": of["id"], "version": version });
        server.data_as(&office, FORGET, &json!({ "input": input }))["forgetImportDecision"].clone()
    };
    assert_eq!(forget(&column, 1)["errors"][0]["code"], "STALE_VERSION");
    let gone = forget(&column, 2);
    assert_eq!((&gone["isDeleted"], &gone["deletedId"], &gone["errors"]), (&json!(true), &column["id"], &json!([])));
    assert_eq!(forget(&column, 2)["errors"][0]["code"], "NOT_FOUND");
    let again = import(&server, &office, "990100", ROUND, &sheet(1, "甲"), "");
    assert_eq!((again.status, questions(&again)), (422, vec!["columns 完成情况".to_owned()]));

    // The audit says who changed and forgot what.
    let query =
        "{ auditEntries(first: 20) { nodes { act label objectId before after changes { label before after } } } }";
    let entries = server.data_as(&office, query, &json!({}))["auditEntries"]["nodes"].as_array().unwrap().clone();
    let acts: Vec<&Value> = entries.iter().filter(|one| one["act"].as_str().unwrap().starts_with("DECISION")).collect();
    let codes: Vec<&str> = acts.iter().map(|one| one["act"].as_str().unwrap()).collect();
    assert_eq!(codes, ["DECISION_FORGOTTEN", "DECISION_CHANGED", "DECISION_CHANGED"]);
    assert_eq!((&acts[2]["objectId"], &acts[2]["label"]), (&deadline["id"], &json!("修改导入读法")));
    assert_eq!(acts[2]["changes"], json!([{ "label": "决定", "before": "2024年6月30日", "after": "2024年7月31日" }]));
    world.done(&["audit", "verify"]);
}

fn only_an_office_whose_imports_use_it_sees_and_changes_it(world: &World) {
    regions(world);
    let office = world.account("office@gov.example", "regional-office", "云川省整改办");
    let city = world.account("city@gov.example", "city-office", "云溪市整改办");
    let unit = world.account("unit@gov.example", "responsible-unit", "云溪市整改办");
    let neighbour = world.account("neighbour@gov.example", "regional-office", "邻川省整改办");
    let server = world.serve();
    // One file is issued by a city of the province, another one by the nation.
    accept(&server, &office, "990100");
    accept(&server, &office, "990100&issuedBy=100000");
    assert_eq!(list(&server, &office, &json!({})).len(), 5, "all but the text of an answer to the nation");
    assert_eq!(list(&server, &unit, &json!({})), Vec::<Value>::new());
    // A city office sees those about the files that its city issues, whole.
    let of_city = list(&server, &city, &json!({}));
    assert_eq!((of_city.len(), of_city.iter().all(|one| one["region"]["name"] == "云溪市")), (3, true), "{of_city:?}");
    // The neighbour imports files of the nation, too, and would be answered by the same decisions.
    let shared = list(&server, &neighbour, &json!({}));
    let topics: Vec<&Value> = shared.iter().map(|one| &one["topic"]).collect();
    assert_eq!((topics.len(), topics.contains(&&json!("NOT_APPLICABLE"))), (2, false));
    assert!(shared.iter().all(|one| one["decider"].is_null()), "{shared:?}");

    let own = of_region(&server, &office, "云溪市");
    let input = json!({ "input": { "decisionId": own["id"], "version": 1, "answer": "不读" } });
    let refused = |token: &str| server.data_as(token, CHANGE, &input)["changeImportDecision"]["errors"][0].clone();
    assert_eq!(refused(&unit)["code"], "NOT_ALLOWED");
    assert_eq!(refused(&neighbour)["code"], "NOT_FOUND");
    let forget = json!({ "input": { "decisionId": own["id"], "version": 1 } });
    assert_eq!(server.data_as(&neighbour, FORGET, &forget)["forgetImportDecision"]["errors"][0]["code"], "NOT_FOUND");
    let node = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(server.data_as(&neighbour, node, &json!({ "id": own["id"] }))["node"], Value::Null);
    assert_eq!(server.data_as(&office, node, &json!({ "id": own["id"] }))["node"]["id"], own["id"]);

    let region = |code: &str| {
        let query = "query($code: String!) { region(code: $code) { id } }";
        server.data_as(&office, query, &json!({ "code": code }))["region"]["id"].clone()
    };
    let mapping = |token: &str, code: &str| {
        let query = "query($id: ID!) { importMapping(regionId: $id) }";
        server.data_as(token, query, &json!({ "id": region(code) }))["importMapping"].clone()
    };
    assert!(mapping(&office, "990100").as_str().unwrap().contains("本县无此类企业"));
    assert!(mapping(&city, "990100").as_str().unwrap().contains("本县无此类企业"));
    assert_eq!(mapping(&city, "100000"), Value::Null);
    assert!(!mapping(&neighbour, "100000").as_str().unwrap().contains("本县无此类企业"));
    assert_eq!((mapping(&neighbour, "990100"), mapping(&unit, "990100")), (Value::Null, Value::Null));
    let input = json!({ "regionId": region("990100"), "mapping": "[columns]\n\"备注\" = \"none\"\n" });
    let take = |token: &str| {
        let said = server.data_as(token, TAKE_OVER, &json!({ "input": input }));
        said["takeOverImportDecisions"]["errors"][0]["code"].clone()
    };
    assert_eq!((take(&neighbour), take(&unit)), (json!("NOT_FOUND"), json!("NOT_ALLOWED")));
}

/// Returns a decision about a column of the files that a region issued.
fn of_region(server: &Server, token: &str, region: &str) -> Value {
    let found = list(server, token, &json!({ "topic": ["COLUMNS"] }));
    found.into_iter().find(|one| one["region"]["name"] == region).unwrap()
}

fn another_office_takes_over_what_was_decided(world: &World) {
    regions(world);
    let office = world.account("office@gov.example", "regional-office", "云川省整改办");
    let server = world.serve();
    accept(&server, &office, "990100");
    let query = "{ from: region(code: \"990100\") { id } to: region(code: \"990200\") { id }
        inspectionRounds(first: 1) { nodes { id } } }";
    let there = server.data_as(&office, query, &json!({}));
    let (from, to) = (&there["from"]["id"], &there["to"]["id"]);
    let round = &there["inspectionRounds"]["nodes"][0]["id"];
    let query = "query($id: ID!) { importMapping(regionId: $id) }";
    let mapping = server.data_as(&office, query, &json!({ "id": from }))["importMapping"].as_str().unwrap().to_owned();
    assert!(mapping.contains("[columns]\n") && mapping.contains("\"完成情况\" = \"status\""), "{mapping}");
    assert!(
        mapping.contains("\"6月底前\" = \"2024年6月30日\"") && mapping.contains("\"本县无此类企业\" = true"),
        "{mapping}"
    );

    // The command reads the same file.
    let file = world.file("mapping.toml", mapping.as_bytes());
    let csv = world.file("sheet.csv", sheet(1, "丁").as_bytes());
    let how = ["--round", "另一轮次", "--region", "990200", "--as-of", "2024-03-31", "--create-units", "--dry-run"];
    assert!(world.done(&[&["import", &csv][..], &how, &["--mapping", &file]].concat()).contains("已指明"));

    let take = |round: &Value, text: &str| {
        let input = json!({ "regionId": to, "roundId": round, "mapping": text });
        server.data_as(&office, TAKE_OVER, &json!({ "input": input }))["takeOverImportDecisions"].clone()
    };
    for (round, text, path) in [
        (&Value::Null, mapping.as_str(), "roundId"),
        (&json!("round_999"), &mapping, "roundId"),
        (round, "[columns", "mapping"),
        (round, "[columns]\n\"完成情况\" = \"随便\"", "mapping"),
        (round, "[new-units]\n\"市水利局\" = true", "mapping"),
    ] {
        let refused = take(round, text);
        assert_eq!(refused["errors"][0]["path"], json!(["input", path]), "{text}: {refused}");
        assert_eq!(refused["takenCount"], 0);
    }
    let asked_before = import(&server, &office, "990200", ROUND, &sheet(5, "戊"), "");
    assert_eq!(questions(&asked_before), ["columns 完成情况", "deadlines 6月底前"]);
    let taken = take(round, &format!("{mapping}\n[new-units]\n\"市水利局\" = true\n"));
    assert_eq!(taken, json!({ "takenCount": 3, "leftOutCount": 1, "errors": [] }));
    assert_eq!(take(round, &mapping)["takenCount"], 0, "what is the same is not taken again");
    let column = of_region(&server, &office, "云山市");
    assert_eq!((&column["headings"], &column["answer"]), (&Value::Null, &json!("status")));

    // It holds for other headings, too.
    let content = sheet(5, "戊").replace("序号,反馈问题", "编号,反馈问题");
    let said = import(&server, &office, "990200", ROUND, &content, "");
    assert_eq!(said.status, 200, "{}", said.body);
    let query = "{ measures(first: 9, filter: {text: {search: \"做戊二\"}}) { nodes { deadline { dueOn } } } }";
    assert_eq!(server.data_as(&office, query, &json!({}))["measures"]["nodes"][0]["deadline"]["dueOn"], "2024-06-30");
}

fn a_round_keeps_what_was_decided_under_its_new_name(world: &World) {
    regions(world);
    let office = world.account("office@gov.example", "regional-office", "云川省整改办");
    let server = world.serve();
    accept(&server, &office, "990100");
    let found = server.data_as(&office, "{ inspectionRounds(first: 1) { nodes { id version } } }", &json!({}));
    let round = &found["inspectionRounds"]["nodes"][0];
    let edit = "mutation($input: EditRoundInput!) { editRound(input: $input) { errors { message } } }";
    let input = json!({ "roundId": round["id"], "version": round["version"], "name": "改名后的轮次" });
    assert_eq!(server.data_as(&office, edit, &json!({ "input": input }))["editRound"]["errors"], json!([]));
    assert_eq!(of(&server, &office, "6月底前")["roundName"], "改名后的轮次");
    let next = sheet(3, "乙");
    let said = import(&server, &office, "990100", "改名后的轮次", &next, "");
    assert_eq!(said.status, 200, "{}", said.body);
    let said = import(&server, &office, "990100", "新的轮次", &next, "");
    assert_eq!(questions(&said), ["deadlines 6月底前"], "another round is asked about its deadlines");
}
