//! Walking a list page by page, forward and backward, with missing dates: every row occurs once, in order.

use serde_json::{Value, json};

use crate::support::{World, stories};

stories!(every_row_is_met_once_in_order_forward_and_backward);

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
