//! Walking a list page by page, forward and backward, with missing dates: every row occurs once, in order. A cursor
//! works in its own list only.

use ledger::rule::name_order::name_order;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::support::{World, block_on, stories};

stories!(
    every_row_is_met_once_in_order_forward_and_backward,
    a_cursor_of_another_list_is_refused,
    names_are_in_the_order_of_a_dictionary,
);

fn every_row_is_met_once_in_order_forward_and_backward(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let within = server.data("{ region(code: \"990122\") { id } }", &json!({}))["region"]["id"].clone();
    for order in [
        "[{field: DUE_ON, direction: ASC}]",
        "[{field: DUE_ON, direction: DESC}]",
        "[{field: UPDATED_AT, direction: ASC}, {field: DUE_ON, direction: DESC}]",
        "[]",
    ] {
        for filter in ["{}", "{region: {within: $within}}", "{region: {within: $within}, isCompleted: false}"] {
            let uses = if filter.contains('$') { "($within: ID!, " } else { "(" };
            let page = |arguments: &str, cursor: &Value| {
                let query = format!(
                    "query{uses}$cursor: String) {{ measures(filter: {filter}, orderBy: {order}, {arguments}) {{
                        totalCount pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }}
                        edges {{ cursor node {{ id deadline {{ dueOn }} }} }} }} }}"
                );
                server.data(&query, &json!({"within": within, "cursor": cursor}))["measures"].clone()
            };
            let ids = |page: &Value| -> Vec<String> {
                let edges = page["edges"].as_array().unwrap();
                edges.iter().map(|edge| edge["node"]["id"].as_str().unwrap().to_owned()).collect()
            };
            let whole = page("first: 200, after: $cursor", &Value::Null);
            let all = ids(&whole);
            assert_eq!(whole["totalCount"], all.len(), "{filter}");
            let (mut forward, mut cursor) = (Vec::new(), Value::Null);
            loop {
                let next = page("first: 7, after: $cursor", &cursor);
                forward.extend(ids(&next));
                assert_eq!(next["pageInfo"]["endCursor"], next["edges"].as_array().unwrap().last().unwrap()["cursor"]);
                cursor = next["pageInfo"]["endCursor"].clone();
                if next["pageInfo"]["hasNextPage"] == false {
                    break;
                }
            }
            assert_eq!(forward, all, "{order} {filter}");
            let (mut backward, mut cursor) = (Vec::new(), Value::Null);
            loop {
                let previous = page("last: 7, before: $cursor", &cursor);
                let mut ids = ids(&previous);
                ids.extend(backward);
                backward = ids;
                cursor = previous["pageInfo"]["startCursor"].clone();
                if previous["pageInfo"]["hasPreviousPage"] == false {
                    break;
                }
            }
            assert_eq!(backward, all, "{order} {filter}");
            if order.starts_with("[{field: DUE_ON, direction: ASC}]") {
                let days: Vec<String> = whole["edges"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|edge| edge["node"]["deadline"]["dueOn"].as_str().unwrap_or("9999").to_owned())
                    .collect();
                assert!(days.is_sorted(), "missing dates must come last");
                assert!(days.last().is_some_and(|day| day == "9999") && days[0] != "9999");
            }
        }
    }
}

fn a_cursor_of_another_list_is_refused(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let ids = server.data("{ problems(first: 2) { nodes { id } } }", &json!({}))["problems"]["nodes"].clone();
    let (first, second) = (ids[0]["id"].as_str().unwrap(), ids[1]["id"].as_str().unwrap());
    let open = "filter: {status: [IN_PROGRESS]}";
    let by_day = "orderBy: [{field: DUE_ON, direction: ASC}]";
    // For each list, what stands around its arguments and around its page.
    let lists = [
        ("{ measures(".to_owned(), "first: 1", "}"),
        ("{ assignments(".to_owned(), "first: 1", "}"),
        ("{ measures(".to_owned(), open, "}"),
        ("{ measures(".to_owned(), by_day, "}"),
        (format!("{{ problem(id: \"{first}\") {{ measures("), "first: 1", "} }"),
        (format!("{{ problem(id: \"{second}\") {{ measures("), "first: 1", "} }"),
        (format!("{{ node(id: \"{first}\") {{ ... on Problem {{ measures("), open, "} } }"),
    ];
    let ask = |(head, arguments, tail): &(String, &str, &str), more: &str| {
        let query = format!("{head}{arguments}{more}) {{ edges {{ cursor node {{ id }} }} }} {tail}");
        server.ask(&json!({ "query": query }), &[("accept-language", "en")])
    };
    let cursors: Vec<String> = lists
        .iter()
        .map(|list| {
            let body = ask(list, "").body;
            body.split("\"cursor\"").nth(1).unwrap().split('"').nth(1).unwrap().to_owned()
        })
        .collect();
    for (place, list) in lists.iter().enumerate() {
        for (other, cursor) in cursors.iter().enumerate() {
            for argument in ["after", "before"] {
                let answer = ask(list, &format!(", {argument}: \"{cursor}\""));
                if place == other {
                    assert_eq!(answer.code(), "", "{list:?} {}", answer.body);
                } else {
                    assert_eq!(answer.code(), "BAD_USER_INPUT", "{list:?} with a cursor of {:?}", lists[other]);
                    assert!(answer.body.contains("is not a cursor of this list"), "{}", answer.body);
                }
            }
        }
    }

    // Another size, and the same filter written in another way, are the same list.
    let spelt = "query($after: String, $filter: MeasureFilter) { measures(first: 3, after: $after, filter: $filter) {
        nodes { id } } }";
    for filter in [json!({"status": ["IN_PROGRESS"]}), json!({"status": "IN_PROGRESS", "isCompleted": null})] {
        let variables = json!({"after": cursors[2], "filter": filter});
        assert_eq!(server.data(spelt, &variables)["measures"]["nodes"].as_array().unwrap().len(), 3);
    }
    let ordered = format!("{{ measures(first: 1, orderBy: [], after: \"{}\") {{ nodes {{ id }} }} }}", cursors[0]);
    assert_eq!(server.data(&ordered, &json!({}))["measures"]["nodes"].as_array().unwrap().len(), 1);

    // Below several problems, the cursor continues the list of its own.
    let several = format!(
        "{{ problems(first: 2) {{ nodes {{ id measures(first: 200) {{ nodes {{ id }} }}
        rest: measures(first: 200, after: \"{}\") {{ nodes {{ id }} }} }} }} }}",
        cursors[4]
    );
    let nodes = server.data(&several, &json!({}))["problems"]["nodes"].clone();
    assert_eq!(nodes[0]["rest"]["nodes"].as_array().unwrap(), &nodes[0]["measures"]["nodes"].as_array().unwrap()[1..]);
    assert_eq!(nodes[1]["rest"]["nodes"], json!([]));
}

fn names_are_in_the_order_of_a_dictionary(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let region = server.data("{ region(code: \"990122\") { id version } }", &json!({}))["region"].clone();
    let units = || {
        let query = "{ units(first: 100) { nodes { name } }
            regions(first: 100, orderBy: [{field: NAME}]) { nodes { name } }
            accounts(first: 100, orderBy: [{field: NAME}]) { nodes { name } } }";
        let data = server.data(query, &json!({}));
        ["units", "regions", "accounts"].map(|list| {
            let nodes = data[list]["nodes"].as_array().unwrap().iter();
            let names: Vec<String> = nodes.map(|node| node["name"].as_str().unwrap().to_owned()).collect();
            assert!(names.is_sorted_by_key(|name| name_order(name)), "{names:?}");
            names
        })
    };
    units();
    // A region that is renamed moves.
    let renamed = server.data(
        "mutation($input: EditRegionInput!) { editRegion(input: $input) { errors { message } } }",
        &json!({"input": {"regionId": region["id"], "version": region["version"], "name": "阿坝县"}}),
    );
    assert_eq!(renamed["editRegion"]["errors"], json!([]));
    let [_, regions, _] = units();
    assert_eq!(regions[0], "阿坝县");
    // Names that were written before there were keys get theirs with the migration.
    block_on(async {
        for table in ["unit", "region", "account"] {
            let db = world.db().await;
            db.execute_unprepared(&format!("UPDATE {table} SET name_order = ''")).await.unwrap();
        }
    });
    world.done(&["migrate"]);
    let [_, again, _] = units();
    assert_eq!(again, regions);
}
