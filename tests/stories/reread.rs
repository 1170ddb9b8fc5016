//! `query` in payloads: what a screen shows is read anew in the request of the mutation, after the act.

use serde_json::{Value, json};

use crate::scene::MeasureScene;
use crate::support::{Server, World, stories};

stories!(
    a_payload_reads_the_ledger_as_its_act_left_it,
    a_payload_reads_what_its_caller_may_see,
    what_a_payload_may_not_read_is_refused_before_the_act,
    an_act_stands_though_reading_after_it_fails,
);

/// A mutation of the demo's `measure_3` whose payload selects a part of the query root.
fn comment(read: &str) -> String {
    format!(
        "mutation($input: CommentOnMeasureInput!) {{ commentOnMeasure(input: $input) {{ errors {{ code }} \
         query {{ {read} }} }} }}"
    )
}

fn input() -> Value {
    json!({ "input": { "measureId": "measure_3", "text": "请补充佐证材料。" } })
}

/// Returns how many comments the demo's `measure_3` has.
fn comments(server: &Server) -> Value {
    let query = "{ measure(id: \"measure_3\") { comments { totalCount } } }";
    server.data(query, &json!({}))["measure"]["comments"]["totalCount"].clone()
}

fn a_payload_reads_the_ledger_as_its_act_left_it(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let count = "measure(id: \"measure_3\") { comments { totalCount } }";
    let statements = |query: &str| {
        // Once before, so that the document is known.
        server.data(query, &input());
        let before = server.statements();
        let data = server.data(query, &input());
        (server.statements() - before, data["commentOnMeasure"].clone())
    };
    let alone = "mutation($input: CommentOnMeasureInput!) { commentOnMeasure(input: $input) { errors { code } } }";
    let (alone, _) = statements(alone);
    let (with, payload) = statements(&comment(&format!("{count} problems(first: 1) {{ totalCount }}")));
    assert_eq!(with, alone + 2, "one statement for each root field");
    assert_eq!(payload["errors"], json!([]));
    assert_eq!(payload["query"]["measure"]["comments"]["totalCount"], 4);
    assert!(payload["query"]["problems"]["totalCount"].as_i64().unwrap() > 0, "{payload}");

    // Each of several acts reads what stands after it, with the fields of all its parts.
    let twice = format!(
        "mutation($input: CommentOnMeasureInput!) {{
            a: commentOnMeasure(input: $input) {{ query {{ {count} }} ...More }}
            b: commentOnMeasure(input: $input) {{ ...More query {{ again: {count} __typename }} }}
        }}
        fragment More on MeasurePayload {{ query {{ measure(id: \"measure_3\") {{ id }} }} }}"
    );
    let data = server.data(&twice, &input());
    let a = json!({ "measure": { "id": "measure_3", "comments": { "totalCount": 5 } } });
    assert_eq!(data["a"]["query"], a, "{data}");
    let b = json!({
        "measure": { "id": "measure_3" }, "again": { "comments": { "totalCount": 6 } }, "__typename": "Query"
    });
    assert_eq!(data["b"]["query"], b, "{data}");
    // A field that a document selects twice would be one act for some clients, and two for others.
    let same = format!(
        "mutation($input: CommentOnMeasureInput!) {{
            commentOnMeasure(input: $input) {{ errors {{ code }} }}
            commentOnMeasure(input: $input) {{ query {{ {count} }} }}
        }}"
    );
    let answer = server.ask(&json!({ "query": same, "variables": input() }), &[]);
    assert_eq!(answer.code(), "GRAPHQL_VALIDATION_FAILED", "{}", answer.json());
    assert_eq!(comments(&server), 6);
}

fn a_payload_reads_what_its_caller_may_see(world: &World) {
    let scene = MeasureScene::set(world);
    let read = "measures { totalCount } assignments { totalCount nodes { id unit { name } } } viewer { email }
        accounts { totalCount } schedules { name } mails { totalCount }";
    let id = &scene.measure;
    let hidden = "{ assignments(first: 1) { nodes { id } } }";
    let hidden = scene.server.data_as(&scene.city, hidden, &json!({}))["assignments"]["nodes"][0]["id"].clone();
    let read = format!("{read} measure(id: \"{id}\") {{ id }} node(id: {hidden}) {{ id }}");
    let mute = format!(
        "mutation {{ setMailMuted(input: {{ kind: \"overdue\", isMuted: true }}) {{ errors {{ code }} \
         query {{ {read} }} }} }}"
    );
    for token in [&scene.city, &scene.counties[0]] {
        let queried = scene.server.data_as(token, &format!("{{ {read} }}"), &json!({}));
        let data = scene.server.data_as(token, &mute, &json!({}));
        assert_eq!(data["setMailMuted"]["query"], queried);
        assert_eq!(queried["node"].is_null(), *token != scene.city, "{queried}");
    }
    // A refused act reads, too: here the version that it should have had.
    let assign = format!(
        "mutation {{ assignMeasure(input: {{ measureId: \"{id}\", version: 77, unitIds: [] }}) {{ \
         measure {{ id }} errors {{ code }} query {{ measure(id: \"{id}\") {{ version }} }} }} }}"
    );
    let stale = scene.server.data_as(&scene.city, &assign, &json!({}))["assignMeasure"].clone();
    assert_eq!((&stale["measure"], &stale["errors"][0]["code"]), (&Value::Null, &json!("STALE_VERSION")), "{stale}");
    assert!(stale["query"]["measure"]["version"].is_i64(), "{stale}");

    // What checks a secret reads nothing besides.
    let sign_in = |read: &str| {
        let query = format!(
            "mutation {{ signIn(input: {{ email: \"city@gov.example\", password: \"wrong password\" }}) {{ \
             ...Read errors {{ code }} }} }} fragment Read on SignInPayload {{ query {{ {read} }} }}"
        );
        scene.server.ask(&json!({ "query": query }), &[])
    };
    assert_eq!(sign_in("notices { totalCount }").code(), "GRAPHQL_VALIDATION_FAILED");
}

fn what_a_payload_may_not_read_is_refused_before_the_act(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let many: Vec<String> = (0..50).map(|place| format!("f{place}: mailOutage {{ __typename }} ")).collect();
    let many = many.concat();
    let wide =
        "problems(first: 200) { nodes { measures(first: 200) { nodes { assignments(first: 200) { nodes { id } } }
        } } }";
    let regions = format!("region(code: \"990100\") {{ {}id{} }}", "parent { ".repeat(13), " }".repeat(13));
    let refused = [
        (many.as_str(), "TOO_COMPLEX", "50"),
        (wide, "TOO_COMPLEX", "1000000"),
        (&regions, "TOO_COMPLEX", "15"),
        ("measures(first: 999) { totalCount }", "BAD_USER_INPUT", "first"),
        ("region { id }", "BAD_USER_INPUT", "code"),
        ("search(text: \" \") { totalCount }", "BAD_USER_INPUT", ""),
        ("monthlyAccounts(month: \"2023-13\") { totalCount }", "BAD_USER_INPUT", "2023-04"),
        ("__schema { queryType { name } }", "BAD_USER_INPUT", "query"),
        ("measures(last: 1, nothing: 2) { totalCount }", "GRAPHQL_VALIDATION_FAILED", "nothing"),
    ];
    for (read, code, says) in refused {
        // Twice, because the server caches known documents.
        for _ in 0..2 {
            let answer = server.ask(&json!({ "query": comment(read), "variables": input() }), &[]);
            assert_eq!(answer.code(), code, "{read}: {}", answer.json());
            let answer = answer.json();
            assert_eq!(answer.get("data"), None, "{read}: {answer}");
            assert!(answer["errors"][0]["message"].as_str().unwrap().contains(says), "{read}: {answer}");
        }
    }
    assert_eq!(comments(&server), 0);
}

fn an_act_stands_though_reading_after_it_fails(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    // What is computed elsewhere is not planned before the act.
    let failing = comment("measure(id: \"measure_3\") { id } monthlyStatistics(months: 99) { asOf }");
    let answer = server.graphql(&failing, &input());
    assert_eq!(answer["data"], json!({ "commentOnMeasure": { "errors": [], "query": null } }), "{answer}");
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1, "{answer}");
    assert_eq!(errors[0]["path"], json!(["commentOnMeasure", "query", "monthlyStatistics"]), "{answer}");
    assert_eq!(errors[0]["extensions"]["code"], "BAD_USER_INPUT", "{answer}");
    assert_eq!(comments(&server), 1, "the comment was written");
}
