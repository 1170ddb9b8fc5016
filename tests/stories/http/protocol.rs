//! GraphQL over HTTP: documents, persisted queries, headers, origins, variables and errors.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::{Value, json};

use crate::support::{Server, World, read, stories};

use super::{ANY, ask};

stories!(a_known_document_and_a_new_one_are_answered_alike, what_is_left_out_has_its_default,);

#[test]
fn a_schema_that_is_not_shown_shows_nowhere() {
    let world = World::sqlite();
    let questions = ["{ __schema { types { name } } }", "{ __type(name: \"Problem\") { name } }"];
    let hidden = "{ ...f } fragment f on Query { r: __schema { queryType { name } } }";
    let server = world.serve();
    for question in questions {
        assert_eq!(ask(&server, question).code(), "");
    }
    assert!(ask(&server, "{ problemz { totalCount } }").body.contains("Did you mean"));
    assert_eq!(server.get("/schema.graphql").status, 200);
    drop(server);
    let server = world.serve_with(&[("RECTIFY_INTROSPECTION", "false")]);
    for question in questions.into_iter().chain([hidden]) {
        let refused = ask(&server, question);
        assert_eq!((refused.status, refused.code().as_str()), (400, "INTROSPECTION_DISABLED"));
    }
    for misspelt in
        ["{ problemz { totalCount } }", "{ problems(fist: 1) { totalCount } }", "{ problems { nodez { id } } }"]
    {
        let refused = ask(&server, misspelt);
        assert_eq!(refused.code(), "GRAPHQL_VALIDATION_FAILED");
        assert!(!refused.body.contains("Did you mean"), "{}", refused.body);
    }
    assert_eq!(server.get("/schema.graphql").status, 404);
    assert_eq!(
        ask(&server, "{ node(id: \"problem_1\") { __typename } }").code(),
        "",
        "clients request `__typename` themselves"
    );
}

/// The SHA-256 of [`ANY`], in hexadecimal.
const HASH: &str = "7f56e67dd21ab3f30d1ff8b7bed08893f0a0db86449836189b361dd1e56ddb4b";

fn by_hash(hash: &str) -> Value {
    json!({"persistedQuery": {"version": 1, "sha256Hash": hash}})
}

#[test]
fn a_document_is_sent_once_and_then_named_by_its_hash() {
    let world = World::sqlite();
    let server = world.serve();
    let alone = json!({ "extensions": by_hash(HASH) });
    let unknown = server.ask(&alone, &[]);
    assert_eq!((unknown.status, unknown.code().as_str()), (400, "PERSISTED_QUERY_NOT_FOUND"));
    assert_eq!(unknown.json()["errors"][0]["message"], "PersistedQueryNotFound", "clients match this message");
    let older = [("content-type", "application/json"), ("accept", "application/json")];
    assert_eq!(server.send(&older, &alone.to_string()).status, 200, "and this status with the older media type");
    let wrong = server.ask(&json!({"query": "{ other: __typename }", "extensions": by_hash(HASH)}), &[]);
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "PERSISTED_QUERY_MISMATCH"));
    assert_eq!(
        server.ask(&alone, &[]).code(),
        "PERSISTED_QUERY_NOT_FOUND",
        "a document with a wrong hash must not be stored"
    );

    let both = server.ask(&json!({"query": ANY, "extensions": by_hash(HASH)}), &[]);
    assert_eq!(both.body, r#"{"data":{"__typename":"Query"}}"#);
    let capitals = json!({ "extensions": by_hash(&HASH.to_uppercase()) });
    let id = json!({ "documentId": format!("sha256:{HASH}") });
    for request in [alone, capitals, id] {
        assert_eq!(server.ask(&request, &[]).body, both.body, "{request}");
    }
    let extensions = by_hash(HASH).to_string();
    assert_eq!(server.get_graphql(&[("extensions", &extensions)]).body, both.body);
    assert_eq!(server.get_graphql(&[("documentId", HASH)]).body, both.body);
    assert_eq!(server.get_graphql(&[("extensions", &by_hash("0").to_string())]).code(), "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(server.get_graphql(&[("extensions", "[")]).code(), "BAD_REQUEST");
}

#[test]
fn where_documents_are_registered_no_others_are_run() {
    let world = World::sqlite();
    let change =
        "mutation { reportProgress(input: {assignmentId: \"x\", version: 1, period: \"2025-10\", text: \"x\"}) {
        errors { code } } }";
    let prefixed = "sha256:0123";
    let documents = json!({ HASH: ANY, "by another name": change, prefixed: "{ kept: __typename }" });
    let file = world.file("documents.json", documents.to_string().as_bytes());
    let server = world.serve_with(&[("RECTIFY_TRUSTED_DOCUMENTS", &file)]);
    let expected = r#"{"data":{"__typename":"Query"}}"#;
    for request in [
        json!({ "extensions": by_hash(HASH) }),
        json!({ "documentId": HASH }),
        json!({ "documentId": format!("sha256:{HASH}") }),
        json!({ "query": ANY }),
        json!({"query": "{ other: __typename }", "documentId": HASH}),
    ] {
        assert_eq!(server.ask(&request, &[]).body, expected, "{request}");
    }
    assert_eq!(server.ask(&json!({ "query": change }), &[]).code(), "", "a registered document is known by its text");
    assert_eq!(server.ask(&json!({ "documentId": "by another name" }), &[]).code(), "", "and by its registered name");
    let kept = server.ask(&json!({ "documentId": prefixed }), &[]);
    assert_eq!(kept.body, r#"{"data":{"kept":"Query"}}"#, "the key of the file is taken as it is");
    let other = "{ other: __typename }";
    for request in [
        json!({ "query": other }),
        json!({ "documentId": "0" }),
        json!({"query": other, "documentId": "7f56"}),
        json!({ "query": "{ __schema { types { name } } }" }),
    ] {
        let refused = server.ask(&request, &[]);
        assert_eq!((refused.status, refused.code().as_str()), (403, "DOCUMENT_NOT_TRUSTED"), "{request}");
    }
    drop(server);
    let bad = world.file("bad.json", b"[]");
    let ran = world.program().args(["serve"]).env("RECTIFY_TRUSTED_DOCUMENTS", bad).output().unwrap();
    assert_eq!(ran.status.code(), Some(2), "an invalid file must stop the server instead of allowing all documents");
}

#[test]
fn every_answer_names_its_request() {
    let world = World::sqlite();
    let server = world.serve();
    let ask = |query: &str, id: &str| server.ask(&json!({ "query": query }), &[("x-request-id", id)]);
    assert_eq!(ask(ANY, "page-7.click_3").header("x-request-id"), "page-7.click_3");
    let refused = ask("{ nope { id } and_more }", "page-7");
    assert_eq!(refused.header("x-request-id"), "page-7");
    let errors = refused.json()["errors"].as_array().unwrap().clone();
    assert_eq!(errors.len(), 2);
    assert!(errors.iter().all(|error| error["extensions"]["requestId"] == "page-7"), "{errors:?}");
    let mut made = Vec::new();
    for id in ["", "with blank", "<script>", &"x".repeat(65)] {
        let refused = ask("{", id);
        let own = refused.header("x-request-id").to_owned();
        assert_eq!((own.len(), own != id), (32, true), "an invalid id must be replaced: {id}");
        assert_eq!(refused.json()["errors"][0]["extensions"]["requestId"], own);
        made.push(own);
    }
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 4);
    let none = server.send(&[("content-type", "application/json"), ("accept", "image/png")], "");
    assert_eq!(
        (none.status, none.header("x-request-id").len()),
        (406, 32),
        "also on a request that is refused at once"
    );
}

#[test]
fn pages_of_other_origins_ask_only_where_they_are_listed() {
    let world = World::sqlite();
    let board = "https://board.example.cn";
    let preflight_of = |server: &Server, origin: &str, headers: &str| {
        let request = ureq::http::Request::options(format!("{}/graphql", server.base))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", headers)
            .body(())
            .unwrap();
        let response = Server::agent().run(request).unwrap();
        let allowed = response.headers().get("access-control-allow-origin");
        (response.status().as_u16(), allowed.map(|origin| origin.to_str().unwrap().to_owned()))
    };
    let usual = "content-type, accept-language, x-request-id, authorization, traceparent, tracestate, baggage, \
                 apollo-require-preflight";
    let preflight = |server: &Server, origin: &str| preflight_of(server, origin, usual);
    let post = |server: &Server, origin: &str| server.ask(&json!({ "query": ANY }), &[("origin", origin)]);
    let server = world.serve();
    assert_eq!(preflight(&server, board), (403, None));
    assert_eq!(post(&server, board).header("access-control-allow-origin"), "");
    drop(server);
    let server = world.serve_with(&[("RECTIFY_ORIGINS", &json!([board]).to_string())]);
    assert_eq!(preflight(&server, board), (200, Some(board.to_owned())));
    let answer = post(&server, board);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, board));
    assert_eq!(answer.header("access-control-allow-credentials"), "", "requests carry no cookies");
    let exposed = answer.header("access-control-expose-headers").to_ascii_lowercase();
    assert!(exposed.contains("x-request-id") && exposed.contains("retry-after"), "{exposed}");
    assert_eq!(preflight_of(&server, board, "x-board"), (400, None));
    let stranger = "https://attacker.example";
    assert_eq!(preflight(&server, stranger).1, None);
    assert_eq!(post(&server, stranger).header("access-control-allow-origin"), "");
    drop(server);
    let origins = json!([board]).to_string();
    let server = world.serve_with(&[("RECTIFY_ORIGINS", &origins), ("RECTIFY_CORS_HEADERS", r#"["X-Board"]"#)]);
    assert_eq!(preflight_of(&server, board, "x-board").0, 200);
    assert_eq!(preflight(&server, board).0, 400);
    drop(server);
    let ran = world.program().args(["serve"]).env("RECTIFY_CORS_HEADERS", r#"["x board"]"#).output().unwrap();
    assert_eq!(ran.status.code(), Some(2), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn answers_are_small_where_the_caller_unpacks_them_and_nobody_keeps_them() {
    let world = World::sqlite();
    let server = world.serve();
    let query = "{ __schema { types { name description fields { name description } } } }";
    let plain = ask(&server, query);
    let packed_of = |query: &str, codings: &str| {
        let mut response = Server::agent()
            .post(format!("{}/graphql", server.base))
            .header("content-type", "application/json")
            .header("accept-encoding", codings)
            .send(json!({ "query": query }).to_string())
            .unwrap();
        let coding = response.headers().get("content-encoding").map(|coding| coding.to_str().unwrap().to_owned());
        let mut bytes = Vec::new();
        response.body_mut().as_reader().read_to_end(&mut bytes).unwrap();
        (coding.unwrap_or_default(), bytes)
    };
    let packed = |codings: &str| packed_of(query, codings);
    let (coding, bytes) = packed("br;q=1, gzip;q=0.8");
    assert_eq!((coding.as_str(), &bytes[..2]), ("gzip", [0x1f, 0x8b].as_slice()));
    assert!(bytes.len() * 3 < plain.body.len(), "{} of {}", bytes.len(), plain.body.len());
    assert_eq!(packed("br"), (String::new(), plain.body.clone().into_bytes()));
    let short = packed_of(ANY, "gzip");
    assert_eq!(short, ("identity".to_owned(), ask(&server, ANY).body.into_bytes()), "one packet carries it");
    assert_eq!(plain.header("content-encoding"), "");
    for answer in [plain, ask(&server, "{ nope }"), ask(&server, "{"), server.get_graphql(&[("query", ANY)])] {
        assert_eq!((answer.header("cache-control"), answer.header("etag")), ("no-store", ""), "{}", answer.body);
    }
}

#[test]
fn what_cannot_be_read_is_pointed_at() {
    let world = World::sqlite();
    let server = world.serve();
    for (document, code, place) in [
        ("{ problems { nodes { id } }", "GRAPHQL_PARSE_FAILED", json!({"line": 1, "column": 28})),
        ("{\n  problems(first: ) { totalCount }\n}", "GRAPHQL_PARSE_FAILED", json!({"line": 2, "column": 19})),
        ("{\n  problems { nope }\n}", "GRAPHQL_VALIDATION_FAILED", json!({"line": 2, "column": 14})),
        (
            "query(\n$n: Int!) { problems(first: $n) { totalCount } }",
            "GRAPHQL_VALIDATION_FAILED",
            json!({"line": 2, "column": 1}),
        ),
    ] {
        let refused = ask(&server, document);
        assert_eq!((refused.status, refused.code().as_str()), (400, code), "{}", refused.body);
        assert_eq!(refused.json()["errors"][0]["locations"], json!([place]), "{}", refused.body);
    }
}

#[test]
fn a_number_without_a_fraction_is_whole_and_every_escape_is_read() {
    let world = World::sqlite();
    world.done(&["demo"]);
    let server = world.serve();
    let nodes = |first: Value| {
        let query = "query($first: Int) { problems(first: $first) { nodes { id } } }";
        server.ask(&json!({"query": query, "variables": {"first": first}}), &[])
    };
    for first in [json!(2), json!(2.0)] {
        assert_eq!(nodes(first).json()["data"]["problems"]["nodes"].as_array().unwrap().len(), 2);
    }
    assert_eq!(nodes(json!(2.5)).code(), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(nodes(json!(3e9)).code(), "GRAPHQL_VALIDATION_FAILED", "that is more than Int holds");
    assert_eq!(ask(&server, "{ problems(first: 2.0) { totalCount } }").code(), "GRAPHQL_VALIDATION_FAILED");

    let said = |document: &str| ask(&server, document).json()["errors"][0].clone();
    // The message repeats the id, so it shows what was read.
    for escaped in [r"\u{6c34}", r"\u6c34", "水"] {
        let error = said(&format!("{{ node(id: \"{escaped}\") {{ id }} }}"));
        assert!(error.is_null() || error["message"].as_str().unwrap().contains('水'), "{error}");
        let found =
            ask(&server, &format!("{{ measures(filter: {{text: {{search: \"{escaped}\"}}}}) {{ totalCount }} }}"));
        assert!(found.json()["data"]["measures"]["totalCount"].as_i64().unwrap() > 0, "{}", found.body);
    }
    let face = ask(&server, r#"{ measures(filter: {text: {search: "\uD83D\uDE00"}}) { totalCount } }"#);
    assert_eq!(face.json()["data"]["measures"]["totalCount"], 0, "{}", face.body);
    for lone in [r"\ud83d", r"\ude00\ud83d", r"\u{110000}", r"\u{}"] {
        assert_eq!(ask(&server, &format!("{{ node(id: \"{lone}\") {{ id }} }}")).code(), "GRAPHQL_PARSE_FAILED");
    }
    let place = said(r#"{ measures(filter: {text: {search: "\uD83D\uDE00"}}) { nope } }"#)["locations"].clone();
    assert_eq!(place, json!([{"line": 1, "column": 56}]), "positions are those of the document as it was sent");
}

#[test]
fn documents_that_contradict_themselves_are_refused_in_few_words() {
    let world = World::sqlite();
    let server = world.serve();
    for (document, words) in [
        ("query A { __typename } query A { __typename }", "the operation A is defined twice"),
        ("{ ...F } fragment F on Query { __typename } fragment F on Query { __typename }", "the fragment F is defined"),
        ("query A { __typename } { __typename }", "an operation without a name"),
        ("{ x: problem(id: 1) { id } x: measure(id: 1) { id } }", "the key x is both problem and measure"),
        (
            "{ x: problems { totalCount } x: problems(first: 1) { totalCount } }",
            "selects problems twice with different",
        ),
        ("{ problem(id: 1) { x: title } problem(id: 1) { x: number } }", "the key x is both title and number"),
        (
            "{ node(id: 1) { ... on Problem { x: title } ... on Measure { x: version } } }",
            "the key x is a String! and a Int!",
        ),
        ("{ node(id: 1) { ... on Problem { x: round { id } } ... on Measure { x: version } } }", "at the same place"),
        (
            "{ node(id: 1) { ...P ... on Measure { x: problem { y: version } } } }
            fragment P on Problem { x: round { y: name } }",
            "the key y is a",
        ),
    ] {
        let refused = server.ask(&json!({ "query": document }), &[("accept-language", "en")]);
        assert_eq!((refused.status, refused.code().as_str()), (400, "GRAPHQL_VALIDATION_FAILED"), "{document}");
        let error = refused.json()["errors"][0].clone();
        assert!(error["message"].as_str().unwrap().contains(words), "{document}: {error}");
        assert_eq!(error["locations"].as_array().unwrap().len(), 2, "{error}");
    }
    for document in [
        "{ x: problems(filter: {number: {eq: \"1\"}}, first: 1) { totalCount }
            x: problems(first: 1, filter: {number: {eq: \"1\"}}) { nodes { id } } }",
        "{ node(id: \"problem_1\") { ... on Problem { x: number y: round { id } } ... on Measure { x: number
            y: problem { id } } } }",
    ] {
        assert_eq!(ask(&server, document).code(), "", "{document}");
    }
    let errors = |document: &str| ask(&server, document).json()["errors"].as_array().unwrap().clone();
    let same = errors(&format!("{{ __typename{} }}", " a: __typename @nope".repeat(25)));
    assert_eq!(same.len(), 1, "{same:?}");
    assert_eq!(same[0]["locations"].as_array().unwrap().len(), 20);
    let several = errors(&format!("{{ {} }}", (0..26).fold(String::new(), |all, n| format!("{all} nope{n}"))));
    assert_eq!(several.len(), 21);
    assert!(several[20]["message"].as_str().unwrap().contains("另有 6 处错误"), "{}", several[20]);
}

const EVERY_KIND: &str =
    "query($n: Int = 2, $m: Int!, $id: ID!, $skip: Boolean! = false, $status: [Status!], $after: String,
        $day: Date, $filter: MeasureFilter, $order: [MeasureOrder!]) {
    measures(first: $n, after: $after, orderBy: $order, filter: {status: $status, dueOn: {gt: $day}, not: $filter}) {
        totalCount
        nodes { id @skip(if: $skip) number @include(if: $skip) }
    }
    problems(first: $m) { nodes { title } }
    region(id: $id) { name }
";

fn a_known_document_and_a_new_one_are_answered_alike(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let good = json!({"m": 1, "id": "region_1"});
    let with = |name: &str, value: Value| {
        let mut variables = good.clone();
        variables[name] = value;
        variables
    };
    let mut cases = vec![(json!({"m": 1}), "GRAPHQL_VALIDATION_FAILED"), (good.clone(), "")];
    for (code, given) in [
        (
            "GRAPHQL_VALIDATION_FAILED",
            [
                (
                    "m",
                    vec![
                        json!(null),
                        json!("1"),
                        json!(1.5),
                        json!(true),
                        json!([1]),
                        json!({}),
                        json!(3_000_000_000_u64),
                    ],
                ),
                ("id", vec![json!(null), json!(true), json!(["region_1"]), json!({})]),
                ("skip", vec![json!(null), json!("true"), json!(1)]),
                ("status", vec![json!(["NOPE"]), json!("NOPE"), json!([null]), json!([1])]),
                (
                    "filter",
                    vec![
                        json!({"nope": 1}),
                        json!({"status": ["NOPE"]}),
                        json!([]),
                        json!({"and": [null]}),
                        json!({"dueOn": {"eq": "yesterday"}}),
                    ],
                ),
                (
                    "order",
                    vec![json!([{}]), json!([{"field": "NOPE"}]), json!([{"field": "DUE_ON", "direction": null}])],
                ),
                ("day", vec![json!(5), json!("2026-13-01"), json!("2026-02-30"), json!("yesterday")]),
            ]
            .as_slice(),
        ),
        (
            "BAD_USER_INPUT",
            &[
                ("n", vec![json!(999), json!(-1)]),
                ("m", vec![json!(999), json!(-1)]),
                ("after", vec![json!("zz"), json!(""), json!("5b5d")]),
            ],
        ),
        (
            "",
            &[
                ("n", vec![json!(null), json!(0), json!(3)]),
                ("skip", vec![json!(true), json!(false)]),
                ("status", vec![json!(null), json!([]), json!(["CLOSED"]), json!("CLOSED")]),
                ("filter", vec![json!(null), json!({}), json!({"status": "CLOSED"})]),
                ("order", vec![json!([{"field": "DUE_ON"}]), json!({"field": "DUE_ON", "direction": "DESC"})]),
                ("day", vec![json!("2026-01-31"), json!(null)]),
                ("id", vec![json!("nonsense")]),
                ("extra", vec![json!({"of": "no use"})]),
            ],
        ),
    ] {
        cases.extend(
            given.iter().flat_map(|(name, values)| values.iter().map(|value| (with(name, value.clone()), code))),
        );
    }
    for (index, (variables, code)) in cases.iter().enumerate() {
        // The index makes every case a new document.
        let planned = format!("{EVERY_KIND} case{index}: __typename }}");
        let resolved = format!("{EVERY_KIND} case{index}: statistics(by: ROUND) {{ total {{ all }} }} }}");
        for query in [planned, resolved] {
            let ask = |variables: &Value| {
                let answer = server.ask(&json!({"query": query, "variables": variables}), &[("x-request-id", "x")]);
                (answer.status, answer.json())
            };
            let new = ask(variables);
            assert_eq!(
                new.1["errors"][0]["extensions"]["code"].as_str().unwrap_or_default(),
                *code,
                "{variables}: {new:?}"
            );
            for _ in 0..2 {
                assert_eq!(ask(&good).1["data"]["region"]["name"], "中华人民共和国");
            }
            assert_eq!(ask(variables), new, "{variables}");
        }
    }
}

#[test]
fn whoever_speaks_no_http_does_not_fill_the_log_which_is_json_to_its_last_line() {
    let world = World::sqlite();
    let server = world.serve_with(&[("RECTIFY_LOG", "info"), ("RECTIFY_LOG_FORMAT", "json")]);
    let mut stranger = TcpStream::connect(server.base.trim_start_matches("http://")).unwrap();
    stranger.write_all(b"\x16\x03\x01\x02\x00 is no request\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stranger.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 400"));
    drop(server);
    let log = read(world.log());
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // The only warning is that the installation is open.
    let warnings: Vec<&Value> = lines.iter().filter(|line| line["level"] != "INFO").collect();
    assert!(lines.len() > 1 && warnings.len() == 1, "{log}");
    assert!(warnings[0]["fields"]["message"].as_str().unwrap().starts_with("the installation is open"), "{log}");
    // A server that cannot start logs the failure as JSON as well.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut second = world.program();
    let ended = second.args(["serve", "--listen", &address]).env("RECTIFY_LOG_FORMAT", "json").output().unwrap();
    let last: Value = serde_json::from_slice(&ended.stderr).unwrap();
    assert_eq!((ended.status.code(), &last["level"]), (Some(1), &json!("ERROR")));
    assert!(last["fields"]["failure"].as_str().unwrap().contains(&address), "{last}");
}

fn what_is_left_out_has_its_default(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    // An argument whose variable is omitted has its default, in planned and in resolved fields.
    for (with, without) in [
        (
            "query($count: StatisticsCount) { statistics(by: STATUS, count: $count) { total { all } } }",
            "{ statistics(by: STATUS) { total { all } } }",
        ),
        (
            "query($way: OrderDirection) { measures(first: 3, orderBy: [{field: DUE_ON, direction: $way}]) { \
             nodes { id } } }",
            "{ measures(first: 3, orderBy: [{field: DUE_ON}]) { nodes { id } } }",
        ),
        ("query($first: Int) { publicNotices(first: $first) { unit } }", "{ publicNotices { unit } }"),
        (
            "query($first: Int, $status: [Status!]) { measures(first: $first, filter: {status: $status}) { \
             totalCount } }",
            "{ measures { totalCount } }",
        ),
    ] {
        for _ in 0..2 {
            assert_eq!(server.data(with, &json!({})), server.data(without, &json!({})), "{with}");
        }
    }
    for (query, message) in [
        ("query($n: Int) { measure(id: $n) { id } }", "变量 $n 声明为 Int，不能用在需要 ID! 的位置"),
        ("query($n: ID) { measure(id: $n) { id } }", "变量 $n 声明为 ID，不能用在需要 ID! 的位置"),
        ("query($n: String) { measures(filter: {status: [$n]}) { totalCount } }", "需要 Status! 的位置"),
        ("query($n: Int) { measures(filter: {region: {within: $n}}) { totalCount } }", "需要 ID 的位置"),
        ("query($b: Boolean) { measures { totalCount @skip(if: $b) } }", "需要 Boolean! 的位置"),
        ("query($n: ID) { ...F } fragment F on Query { measure(id: $n) { id } }", "需要 ID! 的位置"),
    ] {
        let answer = server.graphql(query, &json!({"n": "measure_1", "b": false}));
        assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED", "{query}: {answer}");
        assert!(answer["errors"][0]["message"].as_str().unwrap().contains(message), "{answer}");
    }
    for query in [
        "query($u: Nope) { viewer { id } }",
        "query($u: Problem) { viewer { id } }",
        "query($u: Int) { viewer { id } }",
        "query($n: Int, $n: Int) { measures(first: $n) { totalCount } }",
    ] {
        assert_eq!(ask(&server, query).code(), "GRAPHQL_VALIDATION_FAILED", "{query}");
    }
    // Directives apply to `__typename` as to any other field.
    let named = "query($b: Boolean!) { measure(id: \"measure_1\") { id __typename @include(if: $b) } }";
    assert_eq!(server.data(named, &json!({"b": false}))["measure"], json!({"id": "measure_1"}));
    assert_eq!(server.data(named, &json!({"b": true}))["measure"], json!({"id": "measure_1", "__typename": "Measure"}));
    for wrong in ["__typename @nope(if: 3)", "__typename @include", "__typename @skip(if: $undeclared)"] {
        assert_eq!(ask(&server, &format!("{{ {wrong} }}")).code(), "GRAPHQL_VALIDATION_FAILED", "{wrong}");
    }
    for wrong in [
        "a: ledgerChanged { kind } b: ledgerChanged { at }",
        "...F } fragment F on Subscription { a: ledgerChanged { kind } b: ledgerChanged { at }",
    ] {
        assert_eq!(ask(&server, &format!("subscription {{ {wrong} }}")).code(), "GRAPHQL_VALIDATION_FAILED", "{wrong}");
    }
    for (unknown, code) in [
        ("publicNotices(after: \"zz\") { unit }", "BAD_USER_INPUT"),
        ("comments: measures(after: \"zz\") { totalCount }", "BAD_USER_INPUT"),
    ] {
        assert_eq!(ask(&server, &format!("{{ {unknown} }}")).code(), code, "{unknown}");
    }
    let used = "query($n: String!, $b: Boolean = true) { __type(name: $n) { name @include(if: $b) } }";
    assert_eq!(server.graphql(used, &json!({"n": "Measure"}))["data"]["__type"]["name"], "Measure");
    for quoted in ["status: \"ASSIGNED\"", "status: [\"ASSIGNED\"]", "and: {status: [\"ASSIGNED\"]}"] {
        let answer = ask(&server, &format!("{{ measures(filter: {{{quoted}}}) {{ totalCount }} }}"));
        assert_eq!(answer.code(), "GRAPHQL_VALIDATION_FAILED", "{quoted}: {}", answer.body);
        assert!(answer.body.contains("不加引号"), "{}", answer.body);
    }
    // Also where nothing is executed.
    for large in ["measure(id: \"none\")", "node(id: \"none\")"] {
        let answer = ask(
            &server,
            &format!("{{ {large} {{ ... on Measure {{ comments(first: 3000000000) {{ totalCount }} }} }} }}"),
        );
        assert_eq!(answer.code(), "GRAPHQL_VALIDATION_FAILED", "{large}: {}", answer.body);
        assert!(answer.body.contains("3000000000 超出 Int 的范围"), "{}", answer.body);
    }
    for allowed in [
        "query($n: ID! = \"measure_1\") { measure(id: $n) { id } }",
        "query($b: Boolean = true) { measures { totalCount @skip(if: $b) } }",
        "query($f: [MeasureFilter!]) { measures(filter: {and: $f}) { totalCount } }",
    ] {
        assert_eq!(server.graphql(allowed, &json!({})).get("errors"), None, "{allowed}");
    }
}

#[test]
fn what_is_asked_in_the_wrong_way_is_told_the_right_one() {
    let world = World::sqlite();
    world.done(&["demo"]);
    let server = world.serve();
    let code = |query: &str| ask(&server, query).code();
    let fields = (0..60).map(|index| format!("s{index}: __typename")).collect::<Vec<_>>().join(" ");
    assert_eq!(code(&format!("{{ ...F }} fragment F on Query {{ {fields} }}")), "TOO_COMPLEX");
    assert_eq!(code(&format!("{{ ... on Query {{ {fields} }} }}")), "TOO_COMPLEX");
    assert_eq!(code("{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }"), "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(code("{ publicNotices(first: -1) { unit } }"), "BAD_USER_INPUT");
    assert_eq!(code("{ publicNotices(first: 201) { unit } }"), "BAD_USER_INPUT");
    let watch = ask(&server, "subscription { ledgerChanged { kind } }");
    assert_eq!((watch.status, watch.code().as_str()), (406, "NOT_ACCEPTABLE"));
    assert!(watch.body.contains("text/event-stream"), "{}", watch.body);
    for path in ["/graphiql", "/schema.graphql", "/healthz"] {
        let head = Server::agent().head(format!("{}{path}", server.base)).call().unwrap();
        assert_eq!(head.status(), 200, "{path}");
    }
    let question = json!({ "query": ANY }).to_string();
    let accepted = |accept| server.send(&[("content-type", "application/json"), ("accept", accept)], &question).kind;
    for (accept, kind) in [
        ("application/graphql-response+json;q=0.5, application/json;q=0.9", "application/json"),
        ("application/json, application/graphql-response+json", "application/graphql-response+json"),
        ("text/event-stream, application/json;q=0.9", "text/event-stream"),
        ("text/event-stream;q=0.1, */*;q=0.2", "application/json"),
        ("application/json;q=0, */*, text/event-stream;q=0.1", "application/graphql-response+json"),
        ("application/graphql-response+json;q=0, */*", "application/json"),
        ("*/*", "application/json"),
        ("application/json; charset=utf-8; Q=0.2, application/graphql-response+json; q=x", "application/graphql-"),
    ] {
        assert!(accepted(accept).starts_with(kind), "{accept}: {}", accepted(accept));
    }
    let refused = |accept: &str| server.ask(&json!({ "query": ANY }), &[("accept", accept)]).kind;
    assert!(refused("application/json;q=0, application/graphql-response+json").starts_with("application/graphql-"));
    let nothing = server.send(&[("content-type", "application/json"), ("accept", "application/json;q=0")], "{}");
    assert_eq!((nothing.status, nothing.code().as_str()), (406, "NOT_ACCEPTABLE"));
    let bad = server.send(&[("content-type", "application/json")], "{\"query\": \"{ a }\",\n \"query\": 5}");
    assert!(bad.status == 400 && !bad.body.contains("struct") && bad.body.contains("line 2"), "{}", bad.body);
    for (member, value) in [
        ("query", json!({})),
        ("operationName", json!(5)),
        ("variables", json!([])),
        ("extensions", json!([])),
        ("extensions.persistedQuery", json!(1)),
        ("documentId", json!(1)),
    ] {
        let mut asked = json!({ "query": ANY });
        match member.split_once('.') {
            Some((outer, inner)) => asked[outer] = json!({ inner: value }),
            None => asked[member] = value,
        }
        let bad = server.ask(&asked, &[("accept-language", "en")]);
        let said = format!("`{member}` should be a ");
        assert!(bad.status == 400 && bad.body.contains(&said), "{member}: {}", bad.body);
    }
    let twice = server.get_graphql(&[("query", "{ a }"), ("query", ANY)]);
    assert!(twice.status == 400 && twice.body.contains("query"), "{}", twice.body);
    let bad = server.get_graphql(&[("query", ANY), ("variables", "[]")]);
    assert!(bad.status == 400 && bad.body.contains("variables"), "{}", bad.body);
}

#[test]
fn a_batch_is_answered_as_json_or_not_at_all() {
    let world = World::sqlite();
    let server = world.serve_with(&[("RECTIFY_MAX_BATCH", "2")]);
    let batch = json!([{ "query": ANY }, { "query": ANY }]).to_string();
    let ask = |accept| server.send(&[("content-type", "application/json"), ("accept", accept)], &batch);
    for accept in ["application/json", "*/*", "application/graphql-response+json, application/json;q=0.9"] {
        let answer = ask(accept);
        assert_eq!(answer.json().as_array().map(Vec::len), Some(2), "{accept}: {}", answer.body);
        assert!(answer.kind.starts_with("application/json"), "{}", answer.kind);
    }
    for accept in ["application/graphql-response+json", "text/event-stream", "text/csv"] {
        let refused = ask(accept);
        assert_eq!((refused.status, refused.code().as_str()), (406, "NOT_ACCEPTABLE"), "{}", refused.body);
    }
}

#[test]
fn a_member_of_an_input_object_is_given_once_and_refused_by_its_own_type() {
    let world = World::sqlite();
    world.done(&["migrate"]);
    let server = world.serve();
    for twice in [
        "{ problems(filter: {region: {within: \"region_1\"} region: {within: \"region_2\"}}) { totalCount } }",
        "query($filter: MeasureFilter = {isOverdue: true, isOverdue: false}) { measures(filter: $filter) {
            totalCount } }",
        "mutation { acceptAssignment(input: {assignmentId: \"a\", version: 1, version: 2}) { errors { code } } }",
    ] {
        // A document is refused each time, also when one without the second member is known.
        for _ in 0..2 {
            let refused = server.ask(&json!({ "query": twice }), &[]);
            assert_eq!((refused.status, refused.code().as_str()), (400, "GRAPHQL_VALIDATION_FAILED"), "{twice}");
        }
    }
    let misfit = |query: &str, variables: Value| {
        let refused = server.ask(&json!({ "query": query, "variables": variables }), &[("accept-language", "en")]);
        assert_eq!(refused.code(), "GRAPHQL_VALIDATION_FAILED", "{}", refused.body);
        refused.json()["errors"][0]["message"].as_str().unwrap().to_owned()
    };
    let filter = json!({ "f": { "measures": { "some": { "nope": 1 } } } });
    let said = misfit("query($f: ProblemFilter!) { problems(filter: $f) { totalCount } }", filter);
    assert_eq!(said, "variable $f.measures.some.nope is not in MeasureFilter");
    let parties = json!([{ "raw": 1 }]);
    let input = json!({ "problemId": "problem_1", "content": "措施", "deadline": "长期坚持", "parties": parties });
    let said = misfit(
        "mutation($i: CreateMeasureInput!) { createMeasure(input: $i) { errors { code } } }",
        json!({ "i": input }),
    );
    assert_eq!(said, "variable $i.parties.0.raw is not in PartyInput");
}
