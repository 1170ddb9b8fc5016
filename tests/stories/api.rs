//! The GraphQL API as a front-end uses it: the contract's operations, HTTP, filters, statistics and reporting.

use serde_json::{Value, json};

use crate::support::{Server, World, stories};

stories!(
    the_contract_s_operations_run_as_written,
    a_root_field_is_one_statement_whatever_its_depth,
    signing_in_costs_a_read_no_statement_of_its_own,
    a_report_goes_to_the_database_in_few_statements,
    documents_that_differ_in_literals_are_read_once,
    http_is_spoken_by_the_book,
    a_report_moves_its_assignment_on_and_a_stale_one_is_refused,
    what_cannot_be_is_not_recorded,
    filters_and_search_find_what_they_say,
    the_language_is_understood_whole,
    statistics_agree_with_a_recount,
    quantities_are_added_up_by_label_and_unit,
);

fn contract(name: &str) -> String {
    std::fs::read_to_string(format!("tests/contract/{name}.graphql")).unwrap()
}

fn demo(world: &World) -> Server {
    world.done(&["demo"]);
    world.serve()
}

fn region(server: &Server, code: &str) -> String {
    let data = server.data("query($code: String!) { region(code: $code) { id } }", &json!({ "code": code }));
    data["region"]["id"].as_str().unwrap().to_owned()
}

fn the_contract_s_operations_run_as_written(world: &World) {
    let server = demo(world);
    let found = server.data(&contract("lookup"), &json!({"code": "990100", "words": "草原"}));
    assert_eq!(found["region"]["level"], "PREFECTURE");
    let measure = found["measures"]["nodes"][0]["id"].clone();
    let within = found["region"]["id"].clone();
    let board = server.data(&contract("board"), &json!({"region": within, "first": 5}));
    assert_eq!(board["problems"]["totalCount"], 24);
    assert_eq!(board["problems"]["edges"].as_array().unwrap().len(), 5);
    assert_eq!(board["problems"]["edges"][0]["node"]["measures"]["nodes"].as_array().unwrap().len(), 4);
    let one = server.data(&contract("measure"), &json!({ "id": measure }));
    assert_eq!(one["measure"]["id"], measure);
    assert_eq!(one["measure"]["assignments"]["totalCount"], 3);
    let tree = server.data(&contract("regions"), &json!({"first": 10}));
    assert_eq!(tree["regions"]["nodes"][0]["level"], "NATION");
    assert_eq!(tree["regions"]["nodes"][1]["parent"]["id"], tree["regions"]["nodes"][0]["id"]);
    server.data(&contract("round"), &json!({}));
    let before = server.data(&contract("scheduler"), &json!({"first": 5}))["mails"]["totalCount"].as_i64().unwrap();
    world.done(&["job", "run", "overdue"]);
    let morning = server.data(&contract("scheduler"), &json!({"first": 5}));
    let overdue = morning["schedules"].as_array().unwrap().iter().find(|job| job["name"] == "overdue").unwrap();
    assert_eq!(overdue["misfire"], "LATEST");
    assert_eq!(overdue["nextOccurrences"].as_array().unwrap().len(), 5);
    assert_eq!(overdue["runs"]["nodes"][0]["state"], "SUCCEEDED");
    let queued = overdue["runs"]["nodes"][0]["mailsQueued"].as_i64().unwrap();
    assert!(queued > 0);
    assert_eq!(morning["mails"]["totalCount"], before + queued);
    for by in ["REGION", "LEAD_UNIT", "ROUND", "DOMAIN", "STATUS", "DEADLINE_CLASS"] {
        for count in ["PROBLEMS", "MEASURES", "ASSIGNMENTS"] {
            let figures = server.data(&contract("statistics"), &json!({"within": within, "by": by, "count": count}));
            assert!(figures["statistics"]["total"]["all"].as_i64().unwrap() > 0, "{by} {count}");
        }
    }
}

fn a_root_field_is_one_statement_whatever_its_depth(world: &World) {
    let server = demo(world);
    let within = region(&server, "990100");
    let statements = |query: &str, variables: Value| {
        let before = server.statements();
        server.data(query, &variables);
        server.statements() - before
    };
    assert_eq!(statements("{ problems { nodes { id } } }", json!({})), 1);
    assert_eq!(statements(&contract("board"), json!({"region": within, "first": 20})), 1);
    assert_eq!(statements(&contract("regions"), json!({"first": 20})), 1);
    assert_eq!(statements(&contract("round"), json!({})), 1);
    assert_eq!(statements(&contract("scheduler"), json!({"first": 5})), 2, "two root fields");
    assert_eq!(statements(&contract("statistics"), json!({"within": within, "by": "REGION"})), 1);
    let deep = "{ problems(first: 9) { nodes { measures(first: 9) { nodes { assignments(first: 3) { nodes { unit {
        region { parent { children(first: 3) { nodes { units(first: 5) { nodes { name } } } } } } } } } } } } } }";
    assert_eq!(statements(deep, json!({})), 1);
    let hidden = "{ measure(id: \"measure_999999\") { id } }";
    assert_eq!(statements(hidden, json!({})), 1);
}

fn documents_that_differ_in_literals_are_read_once(world: &World) {
    let server = demo(world);
    let parsed = || server.figure("rectify_graphql_documents_parsed_total");
    let measures = server.data("{ measures(first: 4) { nodes { id } } }", &json!({}));
    let ids: Vec<&str> =
        measures["measures"]["nodes"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    let fields = "id content assignments(first: 50) { nodes { id } }";
    let by_literal = |id: &str| server.data(&format!("{{ measure(id: \"{id}\") {{ {fields} }} }}"), &json!({}));
    let by_variable = format!("query($id: ID!) {{ measure(id: $id) {{ {fields} }} }}");
    by_literal(ids[0]);
    let before = parsed();
    for id in &ids {
        let literal = by_literal(id);
        assert_eq!(literal["measure"]["id"], **id);
        assert_eq!(literal, server.data(&by_variable, &json!({"id": id})));
    }
    assert_eq!(parsed() - before, 1, "only the document with the variable was new");
    let found =
        "{ problems(first: 3, filter: {text: {search: \"整改\"}, dueOn: {gte: \"2020-01-01\"}}) { totalCount } }";
    let (sought, statements) = (parsed(), server.statements());
    server.data(found, &json!({}));
    let of_first = server.statements() - statements;
    let none = server.data(&found.replace("整改", "没有这样的词").replace("2020", "2021"), &json!({}));
    assert_eq!(none["problems"]["totalCount"], 0);
    assert_eq!((parsed() - sought, server.statements() - statements), (1, 2 * of_first));

    // What is wrong with a literal is said as if its document were the first of its kind, like the one with `two`.
    let answer = |document: &str| server.graphql(document, &json!({}));
    let error = |document: &str| {
        let mut error = answer(document)["errors"][0].take();
        error["extensions"]["requestId"].take();
        error
    };
    let page = "{ one: measure(id: \"measure_1\") { id }
        problems(first: 2, filter: {dueOn: {gte: \"2020-01-01\"}}) { totalCount } }";
    assert!(answer(page)["errors"].is_null());
    for (fine, wrong, code) in [
        ("first: 2", "first: 2000", "BAD_USER_INPUT"),
        ("first: 2", "first: \"2\"", "GRAPHQL_VALIDATION_FAILED"),
        ("2020-01-01", "2020-13-01", "GRAPHQL_VALIDATION_FAILED"),
    ] {
        let known = error(&page.replace("measure_1", "measure_1234").replace(fine, wrong));
        let new = page.replace("one", "two").replace("measure_1", "measure_1234").replace(fine, wrong);
        assert_eq!((known["extensions"]["code"].as_str(), &known), (Some(code), &error(&new)), "{wrong}");
    }
    let twice = "{ one: measure(id: \"measure_1\") { id } one: measure(id: \"measure_1\") { number } }";
    assert_eq!(answer(twice)["data"]["one"]["id"], "measure_1");
    let merged = twice.replacen("measure_1", "measure_2", 1);
    assert_eq!(answer(&merged)["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
}

fn signing_in_costs_a_read_no_statement_of_its_own(world: &World) {
    world.done(&["demo"]);
    let mine = world.account("unit@gov.example", "responsible-unit", "白河县人民政府");
    let server = world.serve();
    let board = |mine: &str| server.data_as(mine, "{ problems { nodes { id round { name } } } }", &json!({}));
    let statements = |read: &dyn Fn()| {
        let before = server.statements();
        read();
        server.statements() - before
    };
    // The first use of a session is recorded.
    board(&mine);
    assert_eq!(statements(&|| drop(board(&mine))), 1, "the read finds the session as well");
    let two = "{ problems(first: 1) { totalCount } measures(first: 1) { totalCount } }";
    server.data_as(&mine, two, &json!({}));
    assert_eq!(statements(&|| drop(server.data_as(&mine, two, &json!({})))), 2, "two root fields");
    let wrong = || drop(server.ask_as(&mine, "{ problems(first: 1000) { totalCount } }", &json!({})));
    assert_eq!(statements(&wrong), 1, "where nothing is read, the session is found first");
    world.done(&["account", "disable", "unit@gov.example"]);
    let refused = server.ask_as(&mine, "{ problems { totalCount } }", &json!({}));
    assert_eq!(refused.code(), "UNAUTHENTICATED", "a session that was ended is over at once");
}

fn a_report_goes_to_the_database_in_few_statements(world: &World) {
    let server = demo(world);
    let open = "{ assignments(first: 1, filter: {status: [IN_PROGRESS]}) { nodes { id version } } }";
    let found = &server.data(open, &json!({}))["assignments"]["nodes"][0];
    let version = found["version"].as_i64().unwrap();
    let report = |done: i64| {
        let quantities = json!([{"label": "管网", "done": done, "target": 100.0}, {"label": "泵站", "done": 1.0}]);
        let input = json!({"assignmentId": found["id"], "version": version + done, "period": "2025-10",
            "text": "推进中",
            "quantities": quantities});
        let before = server.statements();
        let answer = server.data(&contract("report-progress"), &json!({"input": input}));
        assert_eq!(answer["reportProgress"]["errors"], json!([]), "{answer}");
        server.statements() - before
    };
    // The first report may also have to replace the status stated by the ledger on the measure and its problem.
    report(0);
    // PostgreSQL: read, write, read back. SQLite writes report, quantities, assignment, measure, change and audit by
    // one statement each.
    let few = if world.url.starts_with("postgres") { 3 } else { 9 };
    assert_eq!(report(1), few);
}

fn http_is_spoken_by_the_book(world: &World) {
    let server = demo(world);
    let new = "application/graphql-response+json";
    let ask = |accept: &str, body: &str| server.post("application/json", accept, body);
    let good = ask(new, r#"{"query": "{ __typename }"}"#);
    assert_eq!((good.status, good.kind.as_str()), (200, "application/graphql-response+json; charset=utf-8"));
    assert_eq!(good.body, r#"{"data":{"__typename":"Query"}}"#);
    assert_eq!(ask("application/json", r#"{"query": "{ __typename }"}"#).kind, "application/json; charset=utf-8");
    assert_eq!(ask("text/html", r#"{"query": "{ __typename }"}"#).status, 406);
    assert_eq!(ask(new, r#"{"query": "{ nope }"}"#).status, 400);
    assert_eq!(ask(new, r#"{"query": "{"}"#).status, 400);
    let refused: Value = serde_json::from_str(&ask(new, r#"{"query": "{ nope }"}"#).body).unwrap();
    assert!(refused.get("data").is_none());
    assert_eq!(refused["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(ask("application/json", r#"{"query": "{ nope }"}"#).status, 200);
    for body in ["", "[]", "{}", r#"{"query": 1}"#, r#"{"query": "{ __typename }", "variables": []}"#, "null"] {
        assert_eq!(ask(new, body).status, 400, "{body}");
    }
    assert_eq!(server.post("text/plain", new, r#"{"query": "{ __typename }"}"#).status, 415);
    assert_eq!(ask(new, &format!(r#"{{"query": "{{ __typename }} {}"}}"#, " ".repeat(2 << 20))).status, 413);
    assert_eq!(server.get("/graphql?query=%7B__typename%7D").status, 200);
    assert_eq!(server.get("/graphql?query=mutation%7B__typename%7D").status, 405);
    assert_eq!(server.get("/graphql").status, 400);
    assert_eq!(server.get("/healthz").status, 200);
    let ready = server.get("/readyz").body;
    let said = "open: no account exists yet, so anyone on this machine can read and write everything";
    assert_eq!(ready, format!("ready\n{said}"), "an open installation says so");
    let page = server.get("/graphiql").body;
    assert!(page.contains("GraphiQL") && page.contains("<link rel=\"icon\" href=\"data:"), "the page embeds its icon");
    assert_eq!(server.get("/assets/graphiql.js").status, 200);
    assert!(server.get("/schema.graphql").body.contains("type Measure implements Node"));
    let elsewhere = Server::agent()
        .post(format!("{}/graphql", server.base))
        .header("host", "ledger.attacker.example")
        .header("content-type", "application/json")
        .send(r#"{"query": "{ __typename }"}"#)
        .unwrap();
    assert_eq!(elsewhere.status(), 403, "a page on another host must not reach an open installation");
    let disguised = Server::agent()
        .post(format!("{}/graphql", server.base))
        .header("host", "ledger.attacker.example")
        .header("x-forwarded-host", "localhost")
        .header("content-type", "application/json")
        .send(r#"{"query": "{ __typename }"}"#)
        .unwrap();
    assert_eq!(disguised.status(), 403);
    let page = "nodes { measures(first: 200) { nodes { assignments(first: 200) { \
        nodes { reports(first: 200) { nodes { id } } } } } } }";
    let greedy = server.graphql(&format!("{{ problems(first: 200) {{ {page} }} }}"), &json!({}));
    assert_eq!(greedy["errors"][0]["extensions"]["code"], "TOO_COMPLEX");
    assert!(greedy.get("data").is_none(), "refused before any SQL statement");
    // Fragments that double thirty times expand to a billion fields, which would keep a naive server busy for hours.
    let bomb: Vec<String> =
        (0..30).map(|index| format!("fragment f{index} on Query {{ ...f{0} ...f{0} }}", index + 1)).collect();
    let bomb = format!("{{ ...f0 }} {} fragment f30 on Query {{ __typename }}", bomb.join(" "));
    assert_eq!(server.graphql(&bomb, &json!({}))["errors"][0]["extensions"]["code"], "TOO_COMPLEX");
    let roots = (0..60).map(|index| format!("s{index}: __typename")).collect::<Vec<_>>().join(" ");
    assert_eq!(server.graphql(&format!("{{ {roots} }}"), &json!({}))["errors"][0]["extensions"]["code"], "TOO_COMPLEX");
    assert_eq!(ask(new, r#"{"query": "{ region(code: \"\u0000\") { id } }"}"#).status, 400);
    let many: Vec<String> = (0..40_000).map(|index| format!("problem_{index}")).collect();
    let wide = server.graphql(
        "query($ids: [ID!]) { measures(filter: {problem: {in: $ids}}) { totalCount } }",
        &json!({"ids": many}),
    );
    assert_eq!(wide["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    let bad = server.graphql("{ problems(first: 9999) { totalCount } }", &json!({}));
    assert_eq!(bad["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
    assert_eq!(bad["errors"][0]["path"], json!(["problems"]));
}

fn a_report_moves_its_assignment_on_and_a_stale_one_is_refused(world: &World) {
    let server = demo(world);
    let data = server.data(
        "{ assignments(first: 1, filter: {status: [ASSIGNED]}) { nodes { id version measure { id version } } } }",
        &json!({}),
    );
    let there = data["assignments"]["nodes"][0].clone();
    let report =
        |input: Value| server.data(&contract("report-progress"), &json!({ "input": input }))["reportProgress"].clone();
    let input = json!({"assignmentId": there["id"], "version": there["version"], "period": "2025-10",
        "text": "已完成一半。",
        "quantities": [{"label": "管网", "done": 5, "target": 10, "unit": "公里"}]});
    let taken = report(input.clone());
    assert_eq!(taken["errors"], json!([]));
    assert_eq!(taken["assignment"]["status"], "IN_PROGRESS");
    assert_eq!(taken["assignment"]["version"], 2);
    assert_eq!(taken["assignment"]["latestReport"]["text"], "已完成一半。");
    let stale = report(input);
    assert!(stale["assignment"].is_null());
    assert_eq!(stale["errors"][0]["code"], "STALE_VERSION");
    let bad = report(json!({"assignmentId": there["id"], "version": 2, "period": "十月", "text": " "}));
    let paths: Vec<&Value> = bad["errors"].as_array().unwrap().iter().map(|error| &error["path"]).collect();
    assert_eq!(paths, [&json!(["input", "period"]), &json!(["input", "text"])]);
    let unknown = report(json!({"assignmentId": "measure_1", "version": 1, "period": "2025-10", "text": "x"}));
    assert_eq!(unknown["errors"][0]["code"], "NOT_FOUND");
    let count = server
        .data("query($id: ID!) { assignment(id: $id) { reports { totalCount } } }", &json!({ "id": there["id"] }));
    assert_eq!(count["assignment"]["reports"]["totalCount"], 1, "refused reports must not be stored");
}

fn what_cannot_be_is_not_recorded(world: &World) {
    let server = demo(world);
    let open = "{ assignments(first: 1, filter: {status: [IN_PROGRESS]}) { nodes { id version } } }";
    let there = server.data(open, &json!({}))["assignments"]["nodes"][0].clone();
    let path = |mutation: &str, kind: &str, input: &Value| {
        let query = format!("mutation($input: {kind}!) {{ {mutation}(input: $input) {{ errors {{ code path }} }} }}");
        let errors = server.data(&query, &json!({ "input": input }))[mutation]["errors"].clone();
        assert_eq!(errors[0]["code"], "INVALID", "{input}");
        let path: Vec<String> = serde_json::from_value(errors[0]["path"].clone()).unwrap();
        path.join(".")
    };
    let wrong = [
        ("input.period", json!({"period": "9999-12"})),
        ("input.period", json!({"period": "0000-01"})),
        ("input.period", json!({"period": "2100-12"})),
        ("input.period", json!({"period": "2023- 4"})),
        ("input.completedOn", json!({"completedOn": "0001-01-01"})),
        ("input.completedOn", json!({"completedOn": "2100-01-01"})),
        ("input.text", json!({"text": "\u{200b}\u{2060} \u{3164}"})),
        ("input.quantities.0.label", json!({"quantities": [{"label": "\u{200b}"}]})),
        ("input.quantities.0.done", json!({"quantities": [{"label": "管网", "done": 1e13}]})),
        ("input.quantities.0.target", json!({"quantities": [{"label": "管网", "target": 1e300}]})),
    ];
    for (place, part) in wrong {
        let mut input =
            json!({"assignmentId": there["id"], "version": there["version"], "period": "2023-04", "text": "推进中"});
        input.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        assert_eq!(path("reportProgress", "ReportProgressInput", &input), place);
    }
    let check =
        json!({"assignmentId": there["id"], "kind": "SPOT_CHECK", "result": "FAILED", "findings": "\u{200b}\u{200b}"});
    assert_eq!(path("recordCheck", "RecordCheckInput", &check), "input.findings");
    let check =
        json!({"assignmentId": there["id"], "kind": "SPOT_CHECK", "result": "PASSED", "checkedOn": "0001-01-01"});
    assert_eq!(path("recordCheck", "RecordCheckInput", &check), "input.checkedOn");
    let urge = json!({"assignmentId": there["id"], "kind": "URGE", "reason": "逾期", "answerBy": "9999-12-31"});
    assert_eq!(path("issueSupervision", "IssueSupervisionInput", &urge), "input.answerBy");
}

fn filters_and_search_find_what_they_say(world: &World) {
    let server = demo(world);
    let count = |filter: &str| {
        let data = server.data(&format!("{{ measures(filter: {filter}) {{ totalCount }} }}"), &json!({}));
        data["measures"]["totalCount"].as_i64().unwrap()
    };
    let all = count("{}");
    assert_eq!(all, 96);
    assert_eq!(count("{dueOn: {isNull: true}}") + count("{dueOn: {isNull: false}}"), all);
    assert_eq!(count("{not: {isOngoing: true}}") + count("{isOngoing: true}"), all);
    assert_eq!(count("{isOverdue: true}") + count("{isOverdue: false}"), all);
    assert!(count("{isOverdue: true}") > 0);
    let paces = ["DONE", "OVERDUE", "AHEAD", "ON_SCHEDULE", "BEHIND"];
    let by_pace = |noun: &str, paces: &str| {
        let query = format!("{{ {noun}(filter: {{pace: [{paces}]}}) {{ totalCount }} }}");
        server.data(&query, &json!({}))[noun]["totalCount"].as_i64().unwrap()
    };
    assert_eq!(by_pace("measures", "OVERDUE"), count("{isOverdue: true}"));
    for (noun, without) in [("measures", "status: [NOT_APPLICABLE]"), ("assignments", "status: [NOT_APPLICABLE]")] {
        let rest = server.data(
            &format!("{{ all: {noun} {{ totalCount }} none: {noun}(filter: {{{without}}}) {{ totalCount }} }}"),
            &json!({}),
        );
        let (all, none) = (rest["all"]["totalCount"].as_i64().unwrap(), rest["none"]["totalCount"].as_i64().unwrap());
        assert_eq!(paces.map(|pace| by_pace(noun, pace)).iter().sum::<i64>(), all - none, "{noun}");
        assert_eq!(by_pace(noun, &paces.join(", ")), all - none, "{noun}");
        assert_eq!(by_pace(noun, ""), 0);
    }
    // The figure `overdue` of the statistics equals the length of the filtered list.
    for noun in ["problems", "measures", "assignments"] {
        let overdue = if noun == "assignments" { "pace: [OVERDUE]" } else { "isOverdue: true" };
        let query = format!(
            "{{ statistics(by: STATUS, count: {}) {{ total {{ overdue }} }} \
             {noun}(filter: {{{overdue}}}) {{ totalCount }} }}",
            noun.to_uppercase()
        );
        let data = server.data(&query, &json!({}));
        assert_eq!(data["statistics"]["total"]["overdue"], data[noun]["totalCount"], "{noun}");
        assert!(data[noun]["totalCount"].as_i64().unwrap() > 0);
    }
    let (grassland, mines) = (count("{text: {search: \"草原\"}}"), count("{text: {search: \"矿山\"}}"));
    assert!(grassland > 0 && mines > 0);
    assert_eq!(count("{or: [{text: {search: \"草原\"}}, {text: {search: \"矿山\"}}]}"), grassland + mines);
    assert_eq!(count("{text: {search: \"草原 矿山\"}}"), 0);
    assert_eq!(count("{text: {search: \"%\"}}"), 0, "a search has no wildcards");
    assert_eq!(count("{round: {eq: \"unit_1\"}}"), 0, "the id of another type matches nothing");
    assert_eq!(count("{or: []}"), 0);
    assert_eq!(count("{and: []}"), all);
    // In an `or` with a condition that is always true, the other conditions and their values have no effect.
    for beside in
        ["", "{number: {in: [\"1-1\", \"1-2\"]}},", "{not: {number: {eq: \"1-1\"}}}, {region: {within: \"region_1\"}},"]
    {
        for always in ["{}", "{and: []}", "{or: [{}]}"] {
            assert_eq!(count(&format!("{{or: [{beside} {always}]}}")), all, "{beside} {always}");
        }
    }
    let county = region(&server, "990121");
    assert_eq!(count(&format!("{{region: {{within: \"{county}\"}}}}")), all, "each county answers for every measure");
    assert_eq!(count(&format!("{{not: {{region: {{within: \"{county}\"}}}}}}")), 0);
    let domains = server
        .data("{ problems(filter: {domains: [\"草原\"]}) { totalCount nodes { domains { name } } } }", &json!({}));
    assert_eq!(domains["problems"]["totalCount"], 2);
}

fn the_language_is_understood_whole(world: &World) {
    let server = demo(world);
    let query = "query($skip: Boolean = true, $n: Int = 2) {
        one: measures(first: $n) { ...page }
        two: measures(first: 1) { ...page nodes { id @skip(if: $skip) again: number } }
        node(id: \"problem_3\") { __typename id ... on Measure { content } ... on Problem { title t2: title } }
        none: node(id: \"problem_99999\") { id }
        alien: node(id: \"nonsense\") { id }
    } fragment page on MeasureConnection { __typename totalCount nodes { number } }";
    let data = server.data(query, &json!({}));
    assert_eq!(data["one"]["nodes"].as_array().unwrap().len(), 2);
    assert_eq!(data["one"]["__typename"], "MeasureConnection");
    assert_eq!(data["two"]["nodes"][0], json!({"number": "1-1", "again": "1-1"}));
    assert_eq!(data["node"]["__typename"], "Problem");
    assert_eq!(data["node"]["title"], data["node"]["t2"]);
    assert!(data["node"].get("content").is_none());
    assert!(data["none"].is_null() && data["alien"].is_null());
    // More fields than one call of the database's JSON function accepts.
    let wide = (0..120).map(|index| format!("f{index}: number")).collect::<Vec<_>>().join(" ");
    let data = server.data(&format!("{{ measures(first: 1) {{ nodes {{ {wide} id }} }} }}"), &json!({}));
    let row = data["measures"]["nodes"][0].as_object().unwrap();
    assert_eq!((row.len(), &row["f119"], &row["id"]), (121, &json!("1-1"), &json!("measure_1")));
}

fn statistics_agree_with_a_recount(world: &World) {
    let server = demo(world);
    let today = server.data("{ statistics(by: STATUS) { asOf } }", &json!({}))["statistics"]["asOf"].clone();
    let past = |by: &str, wanted: &str| {
        let query = format!("{{ statistics(by: {by}, asOf: \"2024-01-01\") {{ {wanted} }} }}");
        server.ask(&json!({ "query": query }), &[("accept-language", "en")])
    };
    let refused = past("STATUS", "rows { key all }");
    assert_eq!(refused.code(), "BAD_USER_INPUT", "statuses of the past are not stored");
    assert!(refused.body.contains("omit `asOf`"), "{}", refused.body);
    assert_eq!(past("STATUS", "total { all }").code(), "");
    for by in ["REGION", "LEAD_UNIT", "ROUND", "DOMAIN", "DEADLINE_CLASS"] {
        assert_eq!(past(by, "rows { key all }").code(), "", "{by}");
    }
    let rows =
        server.data("{ measures(first: 200) { nodes { status completedOn deadline { overdueAfter } } } }", &json!({}));
    let rows = rows["measures"]["nodes"].as_array().unwrap().clone();
    let count = |wanted: &dyn Fn(&Value) -> bool| rows.iter().filter(|row| wanted(row)).count();
    let closed = |row: &Value| row["status"] == "CLOSED" || row["status"] == "CLOSED_ONGOING";
    let before = |day: &Value, limit: &Value| day.as_str().is_some_and(|day| day < limit.as_str().unwrap());
    let completed =
        |row: &Value| closed(row) || row["completedOn"].as_str().is_some_and(|day| day <= today.as_str().unwrap());
    let figures = server.data(
        "{ statistics(by: STATUS) { total { all completed closed notApplicable overdue } rows { key all } } }",
        &json!({}),
    );
    let total = &figures["statistics"]["total"];
    assert_eq!(total["all"], rows.len());
    assert_eq!(total["closed"], count(&closed));
    assert_eq!(total["completed"], count(&completed));
    let overdue = |row: &Value| {
        row["status"] != "NOT_APPLICABLE" && !completed(row) && before(&row["deadline"]["overdueAfter"], &today)
    };
    assert_eq!(total["overdue"], count(&overdue));
    let groups = figures["statistics"]["rows"].as_array().unwrap();
    let sum: i64 = groups.iter().map(|group| group["all"].as_i64().unwrap()).sum();
    assert_eq!(sum, 96, "the rows by status partition the total");
    let none = server.data(
        "{ statistics(filter: {region: {within: \"region_0\"}}, by: ROUND) { total { all completionRate } \
         rows { key } } }",
        &json!({}),
    );
    assert_eq!(none["statistics"], json!({"total": {"all": 0, "completionRate": null}, "rows": []}));
}

fn quantities_are_added_up_by_label_and_unit(world: &World) {
    let server = demo(world);
    let open = "{ assignments(first: 3, filter: {status: [IN_PROGRESS]}) { nodes { id version } } }";
    let nodes = server.data(open, &json!({}))["assignments"]["nodes"].clone();
    let ids: Vec<&str> = nodes.as_array().unwrap().iter().map(|node| node["id"].as_str().unwrap()).collect();
    let report = |place: usize, later: i64, quantities: Value| {
        let input = json!({"assignmentId": ids[place], "version": nodes[place]["version"].as_i64().unwrap() + later,
            "period": "2025-10", "text": "合计所用", "quantities": quantities});
        let answer = server.data(&contract("report-progress"), &json!({ "input": input }));
        assert_eq!(answer["reportProgress"]["errors"], json!([]), "{answer}");
    };
    let one = |label: &str, unit: Value, done: f64| json!({"label": label, "unit": unit, "done": done, "target": 10.0});
    report(0, 0, json!([one("修复", json!("公里"), 9.0)]));
    report(0, 1, json!([one("修复", json!("公里"), 1.5)]));
    // A later report without quantities leaves those of the one before in force.
    report(0, 2, Value::Null);
    report(1, 0, json!([one("修复", json!("公里"), 2.5), {"label": "泵站", "done": 3.0}]));
    report(2, 0, json!([one("修复", json!("万亩"), 2.0)]));
    let before = server.statements();
    let read = server.data(
        "{ assignments(filter: {reports: {some: {text: {search: \"合计所用\"}}}}) {
            aggregate { quantities { label unit done target assignmentCount } }
            only: aggregate { count quantities { label assignmentCount } }
            groups(by: [UNIT, STATUS]) { keys { key } aggregate { count quantities { unit done } } } } }",
        &json!({}),
    );
    // One for the list with all that is added up, and one that reads the index of searches.
    assert_eq!(server.statements() - before, 2);
    let list = &read["assignments"];
    let quantities = list["aggregate"]["quantities"].as_array().unwrap();
    let rows: Vec<_> = quantities
        .iter()
        .map(|one| {
            let (label, unit) = (one["label"].as_str().unwrap(), one["unit"].as_str());
            (label, unit, one["done"].as_f64(), one["target"].as_f64(), one["assignmentCount"].as_i64().unwrap())
        })
        .collect();
    let expected = [
        ("修复", Some("公里"), Some(4.0), Some(20.0), 2),
        ("修复", Some("万亩"), Some(2.0), Some(10.0), 1),
        ("泵站", None, Some(3.0), None, 1),
    ];
    assert_eq!(rows, expected);
    assert_eq!(list["only"]["count"], 3);
    let groups = list["groups"].as_array().unwrap();
    let counted: i64 = groups.iter().map(|group| group["aggregate"]["count"].as_i64().unwrap()).sum();
    assert_eq!(counted, 3);
    let done = |unit: &str| -> f64 {
        let quantities = groups.iter().flat_map(|group| group["aggregate"]["quantities"].as_array().unwrap());
        quantities.filter(|one| one["unit"] == unit).map(|one| one["done"].as_f64().unwrap()).sum()
    };
    assert_eq!((done("公里"), done("万亩")), (4.0, 2.0));
}
