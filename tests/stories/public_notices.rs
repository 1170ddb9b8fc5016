//! The list of public notices, which anyone may read: pages, filters, and the plain list that it replaces.

use serde_json::{Value, json};

use crate::support::{Server, World, stories};

stories!(public_notices_are_a_list_with_pages_and_filters);

/// Reads public notices without signing in, with these arguments.
fn notices(server: &Server, arguments: &str) -> Value {
    let query = format!(
        "{{ notices({arguments}) {{ totalCount nodes {{ id unit region regionCode round noticeFrom isOpen closedOn }} \
         pageInfo {{ hasNextPage endCursor }} }} }}"
    );
    server.data(&query, &json!({}))["notices"].clone()
}

fn public_notices_are_a_list_with_pages_and_filters(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let all = notices(&server, "first: 200");
    let nodes = all["nodes"].as_array().unwrap().clone();
    assert!(nodes.len() > 2 && all["totalCount"] == json!(nodes.len()), "{all}");

    // The plain list has the same notices, by the same ids.
    let plain = |arguments: &str| {
        let query = format!("{{ publicNotices{arguments} {{ id unit }} }}");
        server.data(&query, &json!({}))["publicNotices"].as_array().unwrap().clone()
    };
    let ids = |notices: &[Value]| notices.iter().map(|one| one["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&plain("(first: 200)")), ids(&nodes));
    let after = format!("(first: 1, after: {})", nodes[0]["id"]);
    assert_eq!(ids(&plain(&after)), ids(&nodes[1..2]));
    assert_eq!(plain("(first: 0)"), Vec::<Value>::new());

    let mut paged = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = notices(&server, &format!("first: 2{cursor}"));
        paged.extend(page["nodes"].as_array().unwrap().clone());
        if page["pageInfo"]["hasNextPage"] == json!(false) {
            break;
        }
        cursor = format!(", after: {}", page["pageInfo"]["endCursor"]);
    }
    assert_eq!(ids(&paged), ids(&nodes));

    let count = |filter: &str| notices(&server, &format!("first: 0, filter: {{ {filter} }}"))["totalCount"].clone();
    let having = |of: &dyn Fn(&Value) -> bool| json!(nodes.iter().filter(|one| of(one)).count());
    let first = &nodes[0];
    assert_eq!(count("isOpen: true"), having(&|one| one["isOpen"] == json!(true)));
    assert_eq!(count("isOpen: false"), having(&|one| one["isOpen"] == json!(false)));
    assert_eq!(count("closedOn: { isNull: false }"), having(&|one| !one["closedOn"].is_null()));
    let same = |field: &'static str| having(&|one| one[field] == first[field]);
    assert_eq!(count(&format!("unit: {{ eq: {} }}", first["unit"])), same("unit"));
    assert_eq!(count(&format!("round: {{ eq: {} }}", first["round"])), same("round"));
    assert_eq!(count(&format!("regionCode: {{ eq: {} }}", first["regionCode"])), same("regionCode"));
    assert_eq!(count(&format!("noticeFrom: {{ eq: {} }}", first["noticeFrom"])), same("noticeFrom"));
    assert_eq!(count(&format!("text: {{ search: {} }}", first["unit"])), same("unit"));
    assert_eq!(count("region: { within: \"region_0\" }"), json!(0));
    let code = first["regionCode"].as_str().unwrap();
    let found =
        server.data(&format!("{{ regions(filter: {{code: {{eq: \"{code}\"}}}}) {{ nodes {{ id }} }} }}"), &json!({}));
    let within = count(&format!("region: {{ within: {} }}", found["regions"]["nodes"][0]["id"]));
    assert!(within.as_u64() >= same("regionCode").as_u64() && within.as_u64() > Some(0), "{within}");
    assert_eq!(count("text: { search: \"没有这样的话\" }"), json!(0));

    let kept = server.get_graphql(&[("query", "{ notices { totalCount } }")]);
    assert_eq!(kept.header("cache-control"), "public, max-age=60");
    let page = server.get("/notices?text=%E6%B2%A1%E6%9C%89%E8%BF%99%E6%A0%B7%E7%9A%84%E8%AF%9D");
    assert!(page.body.contains("没有这样的公示"), "{}", page.body);
    assert!(server.get("/notices").body.contains(first["unit"].as_str().unwrap()));
}
