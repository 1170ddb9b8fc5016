//! Limits on documents, batches, filters and request rates.

use serde_json::{Value, json};

use crate::support::{Server, World, stories};

use super::{ANY, NESTED, ask};

stories!(long_and_deep_filters_are_answered_or_refused_with_a_reason,);

#[test]
fn a_document_beyond_a_limit_is_refused_by_the_limit_s_name() {
    let world = World::sqlite();
    let server = world.serve_with(&[
        ("RECTIFY_MAX_TOKENS", "60"),
        ("RECTIFY_MAX_DEPTH", "4"),
        ("RECTIFY_MAX_ALIASES", "3"),
        ("RECTIFY_MAX_DIRECTIVES", "2"),
        ("RECTIFY_MAX_ROOT_FIELDS", "5"),
        ("RECTIFY_MAX_FIELDS", "12"),
        ("RECTIFY_MAX_BODY_BYTES", "8000"),
    ]);
    let listed = |fields: &str| format!("{{ regions {{ nodes {{ {fields} }} }} }}");
    let nested = |more: &str| listed(&format!("parent {{ id {more} }}"));
    let times = |count: usize, text: &str| vec![text; count].join(" ");
    let aliases = |count| (0..count).fold(String::new(), |text, index| text + &format!("a{index}: id "));
    let skips = |count| times(count, "id @skip(if: false)");
    let spread = |count| format!("{} fragment f on Region {{ id name }}", listed(&times(count, "...f")));
    for (limit, within, beyond) in [
        ("嵌套层数超过 4", nested(""), nested("parent { id }")),
        ("别名超过 3", listed(&aliases(3)), listed(&aliases(4))),
        ("指令超过 2", listed(&skips(2)), listed(&skips(3))),
        ("根字段超过 5", format!("{{ {} }}", times(5, "__typename")), format!("{{ {} }}", times(6, "__typename"))),
        ("选取的字段超过 12", spread(5), spread(6)),
        ("词元超过 60", format!("{{ __typename {} }}", times(57, "#\n")), listed(&times(60, "id"))),
    ] {
        let fine = ask(&server, &within);
        assert_eq!((fine.status, fine.code().as_str()), (200, ""), "{limit}: {}", fine.body);
        let refused = ask(&server, &beyond);
        assert_eq!((refused.status, refused.code().as_str()), (400, "TOO_COMPLEX"), "{limit}: {}", refused.body);
        assert!(refused.body.contains(limit), "{limit}: {}", refused.body);
        assert!(refused.json().get("data").is_none());
    }
    let large = ask(&server, &format!("{ANY} # {}", "x".repeat(8_000)));
    assert_eq!((large.status, large.code().as_str()), (413, "PAYLOAD_TOO_LARGE"));
}

#[test]
fn brackets_too_deep_for_the_parser_never_reach_it() {
    let world = World::sqlite();
    let server = world.serve();
    let lists = |count: usize| format!("{}{}", "[".repeat(count), "]".repeat(count));
    let types = |count: usize| format!("{}Int{}", "[".repeat(count), "]".repeat(count));
    for document in [
        format!("{{ a(b: {}) }}", lists(4_900)),
        format!("{{ a(b: [\"\"\"x\" {}]) }}", lists(4_900)),
        format!("# nothing\r{{ a(b: {}) }}", lists(4_900)),
        format!("query($a: {}) {{ a }}", types(4_900)),
        format!("{{ {} }}", "...{ ".repeat(4_000)),
        format!("{}{}", "{ a ".repeat(3_000), "}".repeat(3_000)),
    ] {
        assert_eq!(ask(&server, &document).code(), "TOO_COMPLEX", "{}", &document[..40]);
    }
    assert_eq!(ask(&server, &format!("{{ a(b: {}) }}", lists(30))).code(), "GRAPHQL_VALIDATION_FAILED");
    let mut filter = json!({});
    for _ in 0..4 {
        filter = json!({"assignments": {"some": {"measure": {"is": filter}}}});
    }
    let query = "query($filter: MeasureFilter) { measures(filter: $filter) { totalCount } }";
    let far = server.graphql(query, &json!({ "filter": filter }));
    assert_eq!(
        far["errors"][0]["extensions"]["code"], "BAD_USER_INPUT",
        "filters over relations nest too deeply: {far}"
    );
    assert_eq!(ask(&server, ANY).status, 200, "the server still answers");
}

#[test]
fn what_a_document_costs_depends_on_its_pages() {
    let world = World::sqlite();
    let server = world.serve();
    let cost = |query: &str, variables: Value| {
        let answer = server.graphql(query, &variables);
        answer["errors"][0]["extensions"]["code"].as_str().map(str::to_owned)
    };
    let too_much = Some("TOO_COMPLEX".to_owned());
    assert_eq!(cost(NESTED, json!({"n": 200})), too_much);
    assert_eq!(cost(NESTED, json!({"n": 20})), None);
    assert_eq!(cost(NESTED, json!({"n": 20})), None, "also from the cache of documents");
    assert_eq!(cost(NESTED, json!({"n": 200})), too_much, "also from the cache of documents");
    assert_eq!(
        cost(&NESTED.replace("$n: Int!", "$n: Int = 200"), json!({})),
        too_much,
        "the size of a page is the variable's default"
    );
    assert_eq!(cost(&NESTED.replace("$n: Int!", "$n: Int = 20"), json!({})), None);
    assert_eq!(cost("{ problems(first: 200) { totalCount } }", json!({})), None);
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Problem { measures(first: 200) { nodes {
        assignments(first: 200) { nodes { id } } } } } } }";
    assert_eq!(cost(nodes, json!({"ids": ["problem_1"]})), None);
    assert_eq!(cost(nodes, json!({"ids": vec!["problem_1"; 200]})), too_much, "every id counts as a row");
    let groups = "query($n: Int) { problems(first: 200) { nodes { measures { groups(by: [STATUS], first: $n) {
        keys { key label } aggregate { count dueOn { min max } } } } } } }";
    assert_eq!(cost(groups, json!({"n": 10})), None);
    assert_eq!(cost(groups, json!({"n": 1000})), too_much, "every group counts as a row");
    drop(server);
    let server = world.serve_with(&[("RECTIFY_MAX_COST", "10")]);
    assert_eq!(ask(&server, "{ regions(first: 4) { nodes { id } } }").code(), "");
    let refused = ask(&server, "{ regions(first: 5) { nodes { id name } } }");
    assert!(refused.body.contains("查询所取的值超过 10"), "{}", refused.body);
}

#[test]
fn who_asks_too_often_is_told_to_wait() {
    let world = World::sqlite();
    let often = [("RECTIFY_MAX_REQUESTS_PER_MINUTE", "3")];
    let server = world.serve_with(&often);
    let from = |server: &Server, address: &str| {
        let answer = server.ask(&json!({ "query": ANY }), &[("x-forwarded-for", address)]);
        (answer.status, answer)
    };
    for address in ["10.0.0.1", "10.0.0.2", "10.0.0.3"] {
        assert_eq!(from(&server, address).0, 200);
    }
    let (status, refused) = from(&server, "10.0.0.4");
    assert_eq!(
        (status, refused.code().as_str()),
        (429, "TOO_MANY_REQUESTS"),
        "without a trusted proxy the header is ignored"
    );
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!(
        (1..=21).contains(&seconds),
        "one of three requests per minute is available after twenty seconds, not {seconds}"
    );
    assert!(refused.body.contains(&format!("请 {seconds} 秒后再试")));
    assert_eq!(server.get("/healthz").status, 200, "probes are not counted");
    drop(server);
    let server = world.serve_with(&[often[0], ("RECTIFY_PROXIES", r#"["127.0.0.1"]"#)]);
    for _ in 0..3 {
        assert_eq!(from(&server, "10.0.0.1").0, 200);
    }
    assert_eq!(from(&server, "10.0.0.1").0, 429);
    assert_eq!(from(&server, "10.0.0.9, 10.0.0.1").0, 429, "only the address that the trusted proxy added counts");
    assert_eq!(from(&server, "10.0.0.2").0, 200);
    for host in 1..=3 {
        assert_eq!(from(&server, &format!("2001:db8::{host}")).0, 200);
    }
    assert_eq!(from(&server, "2001:db8::4").0, 429, "one IPv6 /64 is one caller");
    assert_eq!(from(&server, "2001:db8:0:1::1").0, 200);
}

#[test]
fn batches_are_taken_where_they_are_allowed() {
    let world = World::sqlite();
    let server = world.serve();
    let batch = |count: usize| json!(vec![json!({ "query": ANY }); count]);
    let refused = server.ask(&batch(2), &[]);
    assert_eq!((refused.status, refused.code().as_str()), (400, "BATCH_NOT_ALLOWED"));
    drop(server);
    let server = world.serve_with(&[("RECTIFY_MAX_BATCH", "3")]);
    let mixed = json!([
        {"query": ANY},
        {"query": "{ nope }"},
        {"query": "query A { __typename } query B { b: __typename }", "operationName": "B"},
    ]);
    let json = [("accept", "application/json")];
    let answer = server.ask(&mixed, &json);
    let answers = answer.json();
    assert_eq!((answer.status, answers.as_array().unwrap().len()), (200, 3));
    assert_eq!(answers[0], json!({"data": {"__typename": "Query"}}));
    assert_eq!(answers[1]["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(answers[2], json!({"data": {"b": "Query"}}));
    assert_eq!(server.ask(&batch(1), &json).json(), json!([{"data": {"__typename": "Query"}}]));
    for count in [0, 4] {
        assert_eq!(server.ask(&batch(count), &[]).code(), "BATCH_NOT_ALLOWED");
    }
    assert_eq!(server.ask(&json!([1]), &[]).code(), "BAD_REQUEST");
    assert_eq!(
        server.ask(&json!({ "query": ANY }), &[]).json()["data"]["__typename"],
        "Query",
        "a single operation is still accepted"
    );
}

fn long_and_deep_filters_are_answered_or_refused_with_a_reason(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let all = server.data("{ measures { totalCount } }", &json!({}))["measures"]["totalCount"].clone();
    let query = "query($filter: MeasureFilter) { measures(filter: $filter) { totalCount } }";
    let numbers: Vec<Value> = (0..2_000).map(|number| json!({"number": {"eq": number.to_string()}})).collect();
    let none = server.data(query, &json!({"filter": {"or": numbers}}))["measures"]["totalCount"].clone();
    assert_eq!(none, 0);
    let not: Vec<Value> = numbers.iter().map(|one| json!({ "not": one })).collect();
    assert_eq!(server.data(query, &json!({"filter": {"and": not}}))["measures"]["totalCount"], all);
    // The statement repeats the filter for each selected part of a list, here for `totalCount` and `nodes`.
    let units: Vec<String> = (0..9_000).map(|unit| format!("unit_{unit}")).collect();
    let two =
        "query($units: [ID!]) { measures(filter: {leadUnit: {in: $units}}, first: 1) { totalCount nodes { id } } }";
    assert_eq!(server.data(two, &json!({ "units": units }))["measures"]["totalCount"], all);

    let deep = |levels: usize| (0..levels).fold(json!({}), |inner, _| json!({ "not": inner }));
    assert_eq!(server.data(query, &json!({"filter": deep(38)}))["measures"]["totalCount"], all);
    assert_eq!(server.graphql(query, &json!({"filter": deep(60)}))["errors"][0]["extensions"]["code"], "TOO_COMPLEX");
    let words = |count: usize| json!({"filter": {"text": {"search": "水 ".repeat(count)}}});
    assert_eq!(server.graphql(query, &words(32)).get("errors"), None);
    assert_eq!(server.graphql(query, &words(33))["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let ordered = |wishes: usize| {
        ask(
            &server,
            &format!("{{ measures(orderBy: [{}]) {{ pageInfo {{ endCursor }} }} }}", "{field: DUE_ON},".repeat(wishes)),
        )
    };
    assert_eq!((ordered(8).code(), ordered(9).code()), (String::new(), "BAD_USER_INPUT".to_owned()));

    let literal = format!("{{ measures(filter: {}{}) {{ totalCount }} }}", "{not: ".repeat(60), "}".repeat(60));
    assert_eq!(ask(&server, &literal.replace("not: }", "not: {}}")).code(), "TOO_COMPLEX");
}
