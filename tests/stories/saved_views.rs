//! Views of lists that people save for themselves: private, bounded, and gone with their account.

use serde_json::{Value, json};

use crate::support::{Server, World, stories};

stories!(a_view_is_kept_for_its_owner_alone,);

const OFFICE: &str = "云溪市生态环境保护督察整改办";

fn save(server: &Server, token: &str, input: &Value) -> Value {
    let query =
        "mutation($input: SaveViewInput!) { saveView(input: $input) { view { id name list filter orderBy columns }
        errors { code path } } }";
    server.data_as(token, query, &json!({ "input": input }))["saveView"].clone()
}

fn views(server: &Server, token: &str) -> Vec<Value> {
    let query = "{ savedViews { id name list filter orderBy columns savedAt } }";
    server.data_as(token, query, &json!({}))["savedViews"].as_array().unwrap().clone()
}

fn delete(server: &Server, token: &str, id: &Value) -> Value {
    let query = "mutation($id: ID!) { deleteView(input: { viewId: $id }) { isDeleted errors { code path } } }";
    server.data_as(token, query, &json!({ "id": id }))["deleteView"].clone()
}

fn a_view_is_kept_for_its_owner_alone(world: &World) {
    world.done(&["demo"]);
    world.employ("office@gov.example", "city-office", OFFICE);
    world.employ("other@gov.example", "city-office", OFFICE);
    world.employ("admin@gov.example", "administrator", OFFICE);
    let server = world.serve();
    let [office, other, admin] = ["office", "other", "admin"].map(|who| server.sign_in(&format!("{who}@gov.example")));
    let late = json!({
        "name": "逾期措施", "list": "measures", "filter": "{\"isOverdue\": true}",
        "orderBy": "[{\"field\": \"DUE_ON\"}]", "columns": "number,content,leadUnit",
    });
    let saved = save(&server, &office, &late);
    assert_eq!(saved["errors"], json!([]));
    assert_eq!(saved["view"]["filter"], late["filter"]);
    // The same name replaces it.
    let again = save(&server, &office, &json!({ "name": "逾期措施", "list": "assignments" }));
    assert_eq!((&again["view"]["id"], &again["view"]["filter"]), (&saved["view"]["id"], &json!(null)));
    save(&server, &office, &json!({ "name": "案件", "list": "inspectionCases" }));
    assert_eq!(views(&server, &office).len(), 2);

    // Nobody else sees it, administrators included.
    let id = &saved["view"]["id"];
    for stranger in [&other, &admin] {
        assert_eq!(views(&server, stranger), [] as [Value; 0]);
        let node = server.data_as(stranger, "query($id: ID!) { node(id: $id) { id } }", &json!({ "id": id }));
        assert_eq!(node["node"], json!(null));
        assert_eq!(delete(&server, stranger, id)["errors"][0]["code"], "NOT_FOUND");
    }
    let node = server.data_as(&office, "query($id: ID!) { node(id: $id) { id } }", &json!({ "id": id }));
    assert_eq!(node["node"]["id"], *id);

    for (wrong, path) in [
        (json!({ "name": " ", "list": "measures" }), "name"),
        (json!({ "name": "甲", "list": "viewer" }), "list"),
        (json!({ "name": "甲", "list": "measures", "filter": "[]" }), "filter"),
        (
            json!({ "name": "甲", "list": "measures", "filter": format!("{{\"a\": \"{}\"}}", "字".repeat(4000)) }),
            "filter",
        ),
        (json!({ "name": "甲", "list": "measures", "orderBy": "{" }), "orderBy"),
        (json!({ "name": "甲", "list": "measures", "columns": "x".repeat(3000) }), "columns"),
        // What the list does not have would not work later.
        (json!({ "name": "甲", "list": "search" }), "list"),
        (json!({ "name": "甲", "list": "measures", "filter": "{\"nope\": 1}" }), "filter"),
        (json!({ "name": "甲", "list": "measures", "filter": "{\"isOverdue\": \"yes\"}" }), "filter"),
        (json!({ "name": "甲", "list": "measures", "orderBy": "[{\"field\": \"NOPE\"}]" }), "orderBy"),
        (json!({ "name": "甲", "list": "measures", "columns": "number,nope" }), "columns"),
        (json!({ "name": "甲", "list": "measures", "columns": "number,,content" }), "columns"),
    ] {
        let refused = save(&server, &office, &wrong)["errors"].clone();
        assert_eq!(refused, json!([{ "code": "INVALID", "path": ["input", path] }]), "{wrong}");
    }
    for number in 3..=50 {
        assert_eq!(
            save(&server, &office, &json!({ "name": format!("视图 {number}"), "list": "units" }))["errors"],
            json!([])
        );
    }
    let full = save(&server, &office, &json!({ "name": "第五十一个", "list": "units" }));
    assert_eq!(full["errors"][0]["code"], "CONFLICT");
    assert_eq!(delete(&server, &office, id)["isDeleted"], true);
    assert_eq!(delete(&server, &office, id)["errors"][0]["code"], "NOT_FOUND");
    assert_eq!(views(&server, &office).len(), 49);
}
