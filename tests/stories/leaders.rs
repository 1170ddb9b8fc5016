//! Leaders of measures (牵头领导 and others): who sees their names and addresses, who enters and erases them, and that
//! exports, imports and the audit do not give them away.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};

use crate::support::{PASSWORD, Server, World, block_on, stories};

stories!(
    names_of_leaders_are_shown_to_those_who_are_involved,
    leaders_are_entered_and_the_audit_names_nobody,
    an_export_has_the_names_that_its_reader_may_see,
    the_address_of_a_leader_is_entered_with_the_name,
    a_leader_is_erased_wherever_the_name_or_the_address_is_stored,
);

const HOW: [&str; 6] = ["--round", "演示轮次", "--region", "990100", "--as-of", "2024-06-30"];

/// Imports a ledger in which 副市长 李某某 leads a measure of 云溪市 that 青坪县 and 白河县 answer, too.
fn set(world: &World) {
    world.done(&["migrate"]);
    world.done(&["region", "add", "云川省", "--code", "990000", "--parent", "100000"]);
    world.done(&["region", "add", "云溪市", "--code", "990100", "--parent", "990000"]);
    for (code, name) in [("990121", "白河县"), ("990122", "青坪县"), ("990123", "东岭县")] {
        world.done(&["region", "add", name, "--code", code, "--parent", "990100"]);
    }
    let file = format!("{}/tests/ledgers/offices/1c-one-row-heading.xlsx", env!("CARGO_MANIFEST_DIR"));
    world.done(&[&["import", &file, "--create-units"][..], &HOW].concat());
}

/// Creates an office of a region and an account of it; returns a token of the account.
fn office(world: &World, role: &str, place: &str, region: &str) -> String {
    let unit = format!("{place}生态环境保护督察整改办");
    world.done(&["unit", "add", &unit, "--region", region]);
    world.account(&format!("o{region}@gov.example"), role, &unit)
}

/// Creates an account of 云溪市 without a unit; returns a token of it.
fn of_the_city(world: &World, role: &str, more: &[&str]) -> String {
    let email = format!("{role}@gov.example");
    let account = ["account", "create", &email, "--role", role, "--region", "990100", "--no-password"];
    world.done_with(&[&account[..], more].concat(), "");
    world.done(&["token", "create", &email]).trim().to_owned()
}

fn inspector(world: &World) -> String {
    of_the_city(world, "inspector", &["--until", "2100-12-31"])
}

/// Returns the measure, as an account sees it; null if it does not see it.
fn measure(server: &Server, token: &str) -> Value {
    measure_about(server, token, "管网普查")
}

/// Returns the measure whose text has these words.
fn measure_about(server: &Server, token: &str, words: &str) -> Value {
    let query = "query($words: String!) { measures(first: 2, filter: {text: {search: $words}}) { nodes {
        id version leaders { post name } problem { id } leadUnit { id } } } }";
    server.data_as(token, query, &json!({ "words": words }))["measures"]["nodes"][0].clone()
}

fn leads(name: &str) -> Value {
    json!([{ "post": "LEAD", "name": name }])
}

fn names_of_leaders_are_shown_to_those_who_are_involved(world: &World) {
    set(world);
    let region = office(world, "regional-office", "云川省", "990000");
    let city = office(world, "city-office", "云溪市", "990100");
    let county = office(world, "county-office", "青坪县", "990122");
    let other = office(world, "county-office", "东岭县", "990123");
    let lead = world.account("lead@gov.example", "lead-unit", "市住房城乡建设局");
    let answers = world.account("answers@gov.example", "responsible-unit", "青坪县人民政府");
    let supervises = world.account("supervises@gov.example", "supervising-unit", "市委督查室");
    let leader = of_the_city(world, "leader", &[]);
    let inspector = inspector(world);
    let server = world.serve();
    for (who, token) in [
        ("regional office", &region),
        ("city office", &city),
        ("office of a county that answers", &county),
        ("lead unit", &lead),
        ("answering unit", &answers),
        ("supervising unit", &supervises),
        ("leader", &leader),
    ] {
        assert_eq!(measure(&server, token)["leaders"], leads("副市长 李某某"), "{who}");
    }
    assert_eq!(measure(&server, &inspector)["leaders"], leads("副市长 李**"));
    assert_eq!(measure(&server, &other), Value::Null, "a county that does not answer does not see the measure");

    // The same in whatever place the measure is read, and under another name of the field.
    let query =
        "{ problems(first: 9) { nodes { measures(first: 9) { nodes { who: leaders { name: post said: name } } } } } }";
    let said = |token: &str| server.data_as(token, query, &json!({})).to_string();
    assert!(said(&region).contains("副市长 王某某"));
    let masked = said(&inspector);
    assert!(masked.contains("副市长 王**") && !masked.contains("某某"), "{masked}");
}

fn leaders_are_entered_and_the_audit_names_nobody(world: &World) {
    set(world);
    let region = office(world, "regional-office", "云川省", "990000");
    let server = world.serve();
    let there = measure(&server, &region);
    let act = |name: &str, input: &Value| {
        let kind = name[..1].to_uppercase() + &name[1..] + "Input";
        let query = format!(
            "mutation($input: {kind}!) {{ {name}(input: $input) {{ measure {{ id version leaders {{ post name }} \
             audit(first: 9) {{ nodes {{ act before after changes {{ field after }} }} }} }} \
             errors {{ code message path }} }} }}"
        );
        server.data_as(&region, &query, &json!({ "input": input }))[name].clone()
    };
    let edit = |version: &Value, leaders: Value| {
        act("editMeasure", &json!({ "measureId": there["id"], "version": version, "leaders": leaders }))
    };

    // What is refused.
    let person = |name: &str| json!({ "post": "PERSON", "name": name });
    for (leaders, path) in [
        (json!([person("李某某 13900001234")]), "input.leaders.0.name"),
        (json!([person("张某"), { "post": "CASE", "name": "李某某１２３４５６７" }]), "input.leaders.1.name"),
        (json!([person("李**")]), "input.leaders.0.name"),
        (json!([person("长".repeat(101).as_str())]), "input.leaders.0.name"),
        (json!([person("张某"), person("王某")]), "input.leaders"),
        (Value::Null, "input.leaders"),
    ] {
        let refused = edit(&there["version"], leaders.clone());
        let steps = refused["errors"][0]["path"].as_array().unwrap_or_else(|| panic!("{leaders}: {refused}"));
        let steps: Vec<&str> = steps.iter().map(|step| step.as_str().unwrap()).collect();
        assert_eq!((&refused["errors"][0]["code"], steps.join(".")), (&json!("INVALID"), path.to_owned()), "{leaders}");
    }

    // A list replaces all; the same list again changes nothing.
    let wanted = json!([{ "post": "LEAD", "name": "副市长 赵某某" }, person("张某某")]);
    let edited = edit(&there["version"], wanted.clone());
    assert_eq!((&edited["errors"], &edited["measure"]["leaders"]), (&json!([]), &wanted));
    let entry = &edited["measure"]["audit"]["nodes"][0];
    assert_eq!((&entry["act"], &entry["before"]), (&json!("EDITED"), &json!("{}")));
    assert_eq!(entry["changes"], json!([{ "field": "leaders", "after": "牵头领导、责任人" }]));
    let after: Value = serde_json::from_str(entry["after"].as_str().unwrap()).unwrap();
    assert_eq!(after, json!({ "leaders": ["LEAD", "PERSON"] }));
    let again = edit(&edited["measure"]["version"], wanted.clone());
    assert_eq!(again["measure"]["version"], edited["measure"]["version"]);
    let gone = edit(&again["measure"]["version"], json!([wanted[0]]));
    assert_eq!(gone["measure"]["leaders"], json!([wanted[0]]));

    // A new measure.
    let new = json!({
        "problemId": there["problem"]["id"], "content": "建立巡查台账，按月调度。", "deadline": "2031年12月31日",
        "leadUnitId": there["leadUnit"]["id"], "leaders": [{ "post": "CASE", "name": "市长 钱某某" }]
    });
    let made = act("createMeasure", &new);
    assert_eq!((&made["errors"], &made["measure"]["leaders"]), (&json!([]), &new["leaders"]));
    for audit in [&gone["measure"]["audit"], &made["measure"]["audit"]] {
        let audit = audit.to_string();
        assert!(audit.contains("leaders"), "{audit}");
        for name in ["李某某", "赵某某", "张某某", "钱某某"] {
            assert!(!audit.contains(name), "{audit}");
        }
    }
}

/// Fetches the ledger as a workbook, writes it to a file, and returns the file's path and its texts.
fn exported(world: &World, server: &Server, token: &str, name: &str) -> (String, String) {
    let request = Server::agent().get(format!("{}/export/ledger.xlsx", server.base));
    let mut response = request.header("authorization", &format!("Bearer {token}")).call().unwrap();
    let bytes = response.body_mut().read_to_vec().unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).unwrap();
    let mut texts = String::new();
    std::io::Read::read_to_string(&mut archive.by_name("xl/sharedStrings.xml").unwrap(), &mut texts).unwrap();
    (world.file(name, &bytes), texts)
}

fn an_export_has_the_names_that_its_reader_may_see(world: &World) {
    set(world);
    let region = office(world, "regional-office", "云川省", "990000");
    let inspector = inspector(world);
    let server = world.serve();
    let (full, texts) = exported(world, &server, &region, "full.xlsx");
    assert!(texts.contains("牵头领导") && texts.contains("副市长 李某某"), "{texts}");
    assert!(!texts.contains("包案领导"), "a column without names is left out");
    let (masked, texts) = exported(world, &server, &inspector, "masked.xlsx");
    assert!(texts.contains("副市长 李**") && texts.contains("副市长 王**") && !texts.contains("某某"), "{texts}");

    // Neither file changes anything where the names are.
    for file in [&full, &masked] {
        let again = world.done(&[&["import", file][..], &HOW].concat());
        assert!(again.contains("没有变化"), "{again}");
    }
    assert_eq!(measure(&server, &region)["leaders"], leads("副市长 李某某"));

    // Elsewhere, the full names are read and the masked ones are not.
    let elsewhere = |file: &str, round: &str| {
        let said = world.done(&[&["import", file, "--round", round][..], &HOW[2..]].concat());
        let query = "query($round: String!) { measures(first: 9, filter: {round: {is: {name: {eq: $round}}}}) {
            nodes { leaders { name } } } }";
        let found = server.data_as(&region, query, &json!({ "round": round }));
        let found = found["measures"]["nodes"].as_array().unwrap().clone();
        assert_eq!(found.len(), 6, "{said}");
        (said, found[0]["leaders"].clone())
    };
    let (said, leaders) = elsewhere(&full, "第二轮次");
    assert!(!said.contains("隐去"), "{said}");
    assert_eq!(leaders, json!([{ "name": "副市长 李某某" }]));
    let (said, leaders) = elsewhere(&masked, "第三轮次");
    assert!(said.contains("6 处领导姓名已隐去"), "{said}");
    assert_eq!(leaders, json!([]));
}

/// Edits the leaders of the measure and returns the payload.
fn edit(server: &Server, token: &str, leaders: &Value) -> Value {
    edit_of(server, token, &measure(server, token), leaders)
}

fn edit_of(server: &Server, token: &str, there: &Value, leaders: &Value) -> Value {
    let query = "mutation($input: EditMeasureInput!) { editMeasure(input: $input) { measure { version
        leaders { post name email } audit(first: 1) { nodes { before after } } } errors { code message path } } }";
    let input = json!({ "measureId": there["id"], "version": there["version"], "leaders": leaders });
    server.data_as(token, query, &json!({ "input": input }))["editMeasure"].clone()
}

fn the_address_of_a_leader_is_entered_with_the_name(world: &World) {
    set(world);
    let region = office(world, "regional-office", "云川省", "990000");
    let inspector = inspector(world);
    let server = world.serve();
    let lead = |name: &str, email: Value| json!([{ "post": "LEAD", "name": name, "email": email }]);
    let known = |edited: &Value| edited["measure"]["leaders"][0]["email"].clone();
    for wrong in ["李某某", "li@gov", "l**@gov.example"] {
        let refused = edit(&server, &region, &lead("副市长 李某某", json!(wrong)));
        assert_eq!(refused["errors"][0]["path"], json!(["input", "leaders", "0", "email"]), "{wrong}: {refused}");
    }
    let edited = edit(&server, &region, &lead("副市长 李某某", json!(" Li@Gov.example ")));
    assert_eq!((&edited["errors"], known(&edited)), (&json!([]), json!("li@gov.example")));
    let noted = edited["measure"]["audit"]["nodes"][0].to_string();
    assert!(noted.contains("LEAD") && !noted.contains("li@gov"), "{noted}");

    // Whoever sees the name in full sees the address.
    let query = "{ measures(first: 2, filter: {text: {search: \"管网普查\"}}) { nodes { leaders { name email } } } }";
    let seen = |token: &str| server.data_as(token, query, &json!({}))["measures"]["nodes"][0]["leaders"][0].clone();
    assert_eq!(seen(&region), json!({ "name": "副市长 李某某", "email": "li@gov.example" }));
    assert_eq!(seen(&inspector), json!({ "name": "副市长 李**", "email": null }));

    // It stays with the person: a list without addresses keeps it, another name has none, and null removes it.
    let version = edited["measure"]["version"].clone();
    let same = edit(&server, &region, &leads("副市长 李某某"));
    assert_eq!((known(&same), &same["measure"]["version"]), (json!("li@gov.example"), &version));
    assert_eq!(known(&edit(&server, &region, &leads("副市长 王某某"))), Value::Null);
    assert_eq!(known(&edit(&server, &region, &lead("副市长 王某某", json!("wang@gov.example")))), "wang@gov.example");
    assert_eq!(known(&edit(&server, &region, &lead("副市长 王某某", Value::Null))), Value::Null);
}

/// Returns the columns of the database that have a text somewhere, such as `leader.name`.
async fn columns_with(db: &DatabaseConnection, text: &str) -> Vec<String> {
    let backend = db.get_database_backend();
    let columns = match backend {
        DbBackend::Postgres => {
            "SELECT c.table_name AS of, c.column_name AS name FROM information_schema.columns c JOIN \
             information_schema.tables t ON t.table_name = c.table_name AND t.table_schema = c.table_schema \
             WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'"
        }
        _ => {
            "SELECT m.name AS \"of\", c.name AS name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'"
        }
    };
    let columns = db.query_all_raw(Statement::from_string(backend, columns)).await.unwrap();
    assert!(columns.len() > 200, "{}", columns.len());
    let mut found = Vec::new();
    for column in columns {
        let (of, name): (String, String) = (column.try_get("", "of").unwrap(), column.try_get("", "name").unwrap());
        let text = format!("SELECT count(*) AS amount FROM \"{of}\" WHERE CAST(\"{name}\" AS text) LIKE '%{text}%'");
        let row = db.query_one_raw(Statement::from_string(backend, text)).await.unwrap().unwrap();
        if row.try_get::<i64>("", "amount").unwrap() > 0 {
            found.push(format!("{of}.{name}"));
        }
    }
    found.sort();
    found
}

fn a_leader_is_erased_wherever_the_name_or_the_address_is_stored(world: &World) {
    const ERASE: &str = "mutation($input: EraseLeaderInput!) { eraseLeader(input: $input) {
        measureCount errors { code message path } } }";
    set(world);
    world.done(&["region", "add", "邻川省", "--code", "980000", "--parent", "100000"]);
    let region = office(world, "regional-office", "云川省", "990000");
    office(world, "regional-office", "邻川省", "980000");
    let county = office(world, "county-office", "青坪县", "990122");
    world.done_with(&["account", "create", "admin@gov.example", "--role", "administrator"], &format!("{PASSWORD}\n"));
    let server = world.serve();
    let admin = server.sign_in("admin@gov.example");
    let erase = |token: &str, name: &str, email: Value, password: &str| {
        let input = json!({ "name": name, "email": email, "currentPassword": password });
        let input = if name.is_empty() { json!({ "email": email, "currentPassword": password }) } else { input };
        server.data_as(token, ERASE, &json!({ "input": input }))["eraseLeader"].clone()
    };
    let refused = |done: &Value| {
        assert_eq!(done["measureCount"], 0);
        done["errors"][0]["code"].as_str().unwrap_or_else(|| panic!("{done}")).to_owned()
    };
    // 李某某 leads three measures, one with others beside; one is overdue, so that there are mails to the address.
    let leaders = json!([{ "post": "LEAD", "name": "副市长 李某某", "email": "li@gov.example" },
        { "post": "PERSON", "name": "李某某、张某" }, { "post": "RESPONSIBLE", "name": "局长 李某" }]);
    let edited = edit(&server, &region, &leaders);
    assert_eq!(edited["errors"], json!([]));
    let overdue = measure_about(&server, &region, "雨污分流");
    assert_eq!(edit_of(&server, &region, &overdue, &json!([leaders[0]]))["errors"], json!([]));
    world.done(&["job", "run", "escalation", "--at", "2027-12-01"]);
    let stored = |text: &str| {
        block_on(async {
            let db = world.db().await;
            let found = columns_with(&db, text).await;
            db.close().await.unwrap();
            found
        })
    };
    assert_eq!(stored("李某某"), ["leader.name"]);
    assert_eq!(stored("li@gov.example"), ["leader.email", "mail.cause", "mail.recipient"]);

    // Who may: an administrator or a regional office, in person and with the password.
    assert_eq!(refused(&erase(&region, "李某某", Value::Null, PASSWORD)), "NOT_ALLOWED", "a token");
    assert_eq!(refused(&erase(&county, "李某某", Value::Null, PASSWORD)), "NOT_ALLOWED");
    assert_eq!(refused(&erase(&admin, "李某某", Value::Null, "a wrong password")), "SIGN_IN_FAILED");
    let neighbour = server.sign_in("o980000@gov.example");
    assert_eq!(refused(&erase(&neighbour, "李某某", Value::Null, PASSWORD)), "NOT_FOUND", "of another province");
    for (name, email) in [("副市长", Value::Null), ("副市长 李**", Value::Null), ("", Value::Null), ("", json!("li"))]
    {
        assert_eq!(refused(&erase(&admin, name, email.clone(), PASSWORD)), "INVALID", "{name} {email}");
    }
    assert_eq!(refused(&erase(&admin, "赵某某", Value::Null, PASSWORD)), "NOT_FOUND");

    let done = erase(&admin, "李某某", Value::Null, PASSWORD);
    assert_eq!(done, json!({ "measureCount": 3, "errors": [] }));
    assert_eq!((stored("李某某"), stored("li@gov.example")), (Vec::<String>::new(), Vec::new()));
    let there = measure(&server, &region);
    let left = json!([{ "post": "RESPONSIBLE", "name": "局长 李某" }, { "post": "PERSON", "name": "张某" }]);
    assert_eq!(there["leaders"], left, "others stay");
    // A form that was opened before does not bring the name back.
    let query = "mutation($input: EditMeasureInput!) { editMeasure(input: $input) { errors { code } } }";
    let stale = json!({ "measureId": there["id"], "version": edited["measure"]["version"], "leaders": leaders });
    assert_eq!(
        server.data_as(&region, query, &json!({ "input": stale }))["editMeasure"]["errors"][0]["code"],
        "STALE_VERSION"
    );
    let query = "query($id: ID!) { measure(id: $id) { audit(first: 1) { nodes { act label changes { after } } } } }";
    let entry = server.data_as(&region, query, &json!({ "id": there["id"] }))["measure"]["audit"]["nodes"][0].clone();
    assert_eq!((&entry["act"], &entry["label"]), (&json!("LEADER_ERASED"), &json!("删除领导个人信息")));
    assert_eq!(entry["changes"][0]["after"], "牵头领导、责任人");
    // Nothing is sent to the address any more, neither what was queued nor what is overdue later.
    let query = "{ mails(first: 20) { nodes { kind to state } } }";
    let mails = server.data_as(&admin, query, &json!({}))["mails"]["nodes"].clone();
    let erased = json!({ "kind": "escalation", "to": "erased-leader@invalid", "state": "CANCELLED" });
    assert!(mails.as_array().unwrap().contains(&erased), "{mails}");

    // A regional office erases by the address, too, within its own region.
    let leaders = json!([{ "post": "LEAD", "name": "副市长 钱某某", "email": "qian@gov.example" }]);
    assert_eq!(edit(&server, &region, &leaders)["errors"], json!([]));
    let own = server.sign_in("o990000@gov.example");
    assert_eq!(erase(&own, "", json!("Qian@gov.example"), PASSWORD)["measureCount"], 1);
    assert_eq!((stored("钱某某"), stored("qian@gov.example")), (Vec::<String>::new(), Vec::new()));
    world.done(&["audit", "verify"]);
}
