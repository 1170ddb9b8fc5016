//! Lists that administrators work with: accounts by name, address and place, and the outbox with what its mails say.

use ledger::rule::name_order::name_order;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{Server, World, block_on, stories};

stories!(
    accounts_are_searched_and_ordered_as_far_as_their_data_are_known,
    mails_are_searched_read_and_requeued_together,
);

const OFFICE: &str = "云溪市生态环境保护督察整改办";

/// Returns the nodes of a list of the query root.
fn nodes(server: &Server, token: &str, list: &str, selection: &str, arguments: &str) -> Vec<Value> {
    let query = format!("{{ {list}(first: 200, {arguments}) {{ nodes {{ {selection} }} }} }}");
    server.data_as(token, &query, &json!({}))[list]["nodes"].as_array().unwrap().clone()
}

fn texts(nodes: &[Value], field: &str) -> Vec<String> {
    nodes.iter().filter_map(|node| node[field].as_str()).map(str::to_owned).collect()
}

fn accounts_are_searched_and_ordered_as_far_as_their_data_are_known(world: &World) {
    world.done(&["demo"]);
    world.employ("zz-admin@gov.example", "administrator", OFFICE);
    world.employ("aa-unit@gov.example", "responsible-unit", "白河县人民政府");
    let server = world.serve();
    let [admin, unit] = ["zz-admin", "aa-unit"].map(|who| server.sign_in(&format!("{who}@gov.example")));
    let of = |token: &str, arguments: &str| nodes(&server, token, "accounts", "id name email signedInAt", arguments);

    // An administrator finds people by parts of name and address, by place, and orders them.
    let found = of(&admin, "filter: { email: { search: \"AA-UNIT\" } }");
    assert_eq!(texts(&found, "email"), ["aa-unit@gov.example"]);
    let name = found[0]["name"].as_str().unwrap();
    let same = of(&admin, &format!("filter: {{ name: {{ search: \"{name}\" }}, isDisabled: false }}"));
    assert!(same.contains(&found[0]), "{same:?}");
    let everyone = of(&admin, "orderBy: [{ field: EMAIL }]");
    let addresses = texts(&everyone, "email");
    assert!(addresses.is_sorted() && addresses.len() > 5, "{addresses:?}");
    let newest = of(&admin, "orderBy: [{ field: SIGNED_IN_AT }, { field: NAME }, { field: REGION, direction: DESC }]");
    assert!(newest[0]["signedInAt"].is_string() && newest.last().unwrap()["signedInAt"].is_null(), "{newest:?}");
    let region =
        server.data_as(&admin, "{ regions(filter: { name: { search: \"白河县\" } }) { nodes { id } } }", &json!({}));
    let within = format!("filter: {{ region: {{ within: {} }} }}", region["regions"]["nodes"][0]["id"]);
    let there = of(&admin, &within);
    assert!(there.contains(&found[0]) && there.len() < everyone.len(), "{there:?}");

    // Others find nobody by what is masked for them, and neither orders nor cursors tell it.
    let seen = of(&unit, "orderBy: [{ field: NAME }]");
    let masked: Vec<&Value> = seen.iter().filter(|one| one["name"].as_str().unwrap().ends_with("**")).collect();
    assert!(!masked.is_empty(), "{seen:?}");
    for one in &masked {
        assert!(one["email"].is_null() && one["signedInAt"].is_null(), "{one}");
        let whole = everyone.iter().find(|other| other["id"] == one["id"]).unwrap();
        let (name, email) = (&whole["name"], &whole["email"]);
        for filter in [format!("name: {{ eq: {name} }}"), format!("email: {{ search: {email} }}")] {
            let told = of(&unit, &format!("filter: {{ {filter} }}"));
            assert!(told.iter().all(|other| other["id"] != one["id"]), "{told:?}");
        }
    }
    // A masked name is ordered by its first character.
    let names = texts(&seen, "name");
    assert!(names.is_sorted_by_key(|name| name_order(name.trim_end_matches('*'))), "{seen:?}");
    let query =
        "{ accounts(first: 200, orderBy: [{ field: NAME }, { field: EMAIL }]) { edges { cursor node { id } } } }";
    let edges = server.data_as(&unit, query, &json!({}))["accounts"]["edges"].clone();
    for edge in edges.as_array().unwrap().iter().filter(|edge| masked.iter().any(|one| one["id"] == edge["node"]["id"]))
    {
        let digits = edge["cursor"].as_str().unwrap().as_bytes().to_vec();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = digits.chunks(2).map(byte).collect();
        let cursor = String::from_utf8_lossy(&bytes);
        let whole = everyone.iter().find(|one| one["id"] == edge["node"]["id"]).unwrap();
        let first_two: String = whole["name"].as_str().unwrap().chars().take(2).collect();
        assert!(!cursor.contains(&name_order(&first_two)) && !cursor.contains('@'), "{cursor}");
    }
    // The second page follows the first.
    let first =
        "{ accounts(first: 2, orderBy: [{ field: NAME, direction: DESC }]) { nodes { id } pageInfo { endCursor } } }";
    let page = server.data_as(&unit, first, &json!({}))["accounts"].clone();
    let after = format!("after: {}, orderBy: [{{ field: NAME, direction: DESC }}]", page["pageInfo"]["endCursor"]);
    let ids = |nodes: &[Value]| texts(nodes, "id");
    let mut walked = ids(page["nodes"].as_array().unwrap());
    walked.extend(ids(&of(&unit, &after)));
    assert_eq!(walked, ids(&of(&unit, "orderBy: [{ field: NAME, direction: DESC }]")));
}

fn mails_are_searched_read_and_requeued_together(world: &World) {
    world.done(&["demo"]);
    world.employ("admin@gov.example", "administrator", OFFICE);
    world.employ("office@gov.example", "city-office", OFFICE);
    world.done(&["job", "run", "overdue"]);
    world.done(&["job", "run", "deliver-mail"]);
    let server = world.serve();
    let [admin, office] = ["admin", "office"].map(|who| server.sign_in(&format!("{who}@gov.example")));
    let of = |token: &str, arguments: &str| {
        nodes(&server, token, "mails", "id to subject state kind sentAt unit { id name }", arguments)
    };

    // By words of the subject, and by the unit that was told.
    let sent =
        of(&admin, "filter: { state: [SENT] }, orderBy: [{ field: SENT_AT, direction: DESC }, { field: SUBJECT }]");
    assert!(sent.len() > 1, "{sent:?}");
    let subject: String = sent[0]["subject"].as_str().unwrap().chars().take(6).collect();
    let same = of(&admin, &format!("filter: {{ subject: {{ search: \"{subject}\" }} }}"));
    assert!(same.contains(&sent[0]) && same.iter().all(|mail| mail["subject"].as_str().unwrap().contains(&subject)));
    let unit = &sent[0]["unit"]["id"];
    let told = of(&admin, &format!("filter: {{ unit: {{ eq: {unit} }} }}, orderBy: [{{ field: NEXT_ATTEMPT_AT }}]"));
    assert!(told.contains(&sent[0]) && told.iter().all(|mail| mail["unit"]["id"] == *unit), "{told:?}");

    // What it says: without links that act for its recipient; for those only who see the mail.
    let content = |token: &str| {
        let query = "query($id: ID!) { mailContent(mailId: $id) { subject text html } }";
        server.data_as(token, query, &json!({ "id": sent[0]["id"] }))["mailContent"].clone()
    };
    let said = content(&admin);
    assert!(said["text"].as_str().unwrap().contains("/measures/measure_"), "{said}");
    assert!(!said.to_string().contains("/m/") && said["html"].as_str().unwrap().contains("<html"), "{said}");
    let is_told = of(&office, "filter: {}").iter().any(|mail| mail["id"] == sent[0]["id"]);
    assert_eq!(content(&office).is_null(), !is_told);

    // Requeued together: all or none, by administrators only.
    let requeue = |token: &str, input: Value| {
        let query =
            "mutation($input: RequeueMailsInput!) { requeueMails(input: $input) { count errors { code path } } }";
        server.data_as(token, query, &json!({ "input": input }))["requeueMails"].clone()
    };
    let ids = [&sent[0]["id"], &sent[1]["id"]];
    assert_eq!(requeue(&office, json!({ "mailIds": ids }))["errors"][0]["code"], "NOT_ALLOWED");
    for wrong in [json!({}), json!({ "mailIds": ids, "filter": {} })] {
        assert_eq!(requeue(&admin, wrong)["errors"], json!([{ "code": "INVALID", "path": ["input"] }]));
    }
    let refused = requeue(&admin, json!({ "mailIds": [ids[0], "mail_999999", "unit_1"] }));
    let faults = [1, 2].map(|place| json!({ "code": "NOT_FOUND", "path": ["input", "mailIds", place.to_string()] }));
    assert_eq!(refused, json!({ "count": 0, "errors": faults }));
    assert_eq!(requeue(&admin, json!({ "filter": { "state": ["SENT"] } })), json!({ "count": 0, "errors": [] }));
    assert_eq!(requeue(&admin, json!({ "mailIds": ids })), json!({ "count": 2, "errors": [] }));
    let again = requeue(&admin, json!({ "mailIds": ids }));
    assert_eq!(again["errors"][1], json!({ "code": "WRONG_STATE", "path": ["input", "mailIds", "1"] }));
    let noted = nodes(&server, &admin, "auditEntries", "act objectId", "filter: { act: { eq: \"QUEUED\" } }");
    assert_eq!(noted.len(), 2, "{noted:?}");

    // A mail that another version has queued cannot be written.
    let key = ids[0].as_str().unwrap().strip_prefix("mail_").unwrap();
    block_on(async {
        let rename = format!("UPDATE mail SET kind = 'formerly' WHERE id = {key}");
        world.db().await.execute_unprepared(&rename).await.unwrap();
    });
    let query = "query($id: ID!) { mailContent(mailId: $id) { subject } }";
    let answer = server.ask_as(&admin, query, &json!({ "id": ids[0] })).json();
    assert_eq!(answer["data"], json!({ "mailContent": null }), "{answer}");
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("本版本没有这种邮件"), "{answer}");
    assert!(world.done(&["audit", "verify"]).contains("全部相接"));
}
