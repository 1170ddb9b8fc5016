//! What the front door lets in, how much of it, and what it says to those whom it turns away.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use serde_json::{Value, json};

use crate::support::socket::{PROTOCOL, Socket};
use crate::support::way::Way;
use crate::support::{Answer, Server, World, block_on, free_port, read, stories};

stories!(
    a_known_document_and_a_new_one_are_answered_alike,
    long_and_deep_filters_are_answered_or_refused_with_a_reason,
    what_is_left_out_has_its_default,
    what_fails_inside_is_not_told,
    whoever_hangs_up_leaves_nothing_half_done,
    the_language_of_a_refused_report_is_the_caller_s,
);

const ANY: &str = "{ __typename }";

fn ask(server: &Server, query: &str) -> Answer {
    server.ask(&json!({ "query": query }), &[])
}

/// Measures below problems, the pages as large as the caller says.
const NESTED: &str = "query($n: Int!) { problems(first: $n) { nodes {
    measures(first: $n) { nodes { assignments(first: $n) { nodes { id } } } } } } }";

#[test]
fn nobody_notices_that_the_database_was_started_anew() {
    let world = World::postgres();
    world.done(&["demo"]);
    let server = world.serve();
    let read = || assert_eq!(ask(&server, "{ measures(first: 1) { nodes { id } } }").code(), "");
    let write = || {
        let written = server.ask(&comment("measure_1"), &[]).json();
        assert_eq!(written["data"]["commentOnMeasure"]["errors"], json!([]), "{written}");
    };
    // Several at a time, so that there are several connections, for reading and for writing.
    let many = || {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(read);
                scope.spawn(write);
            }
        });
    };
    many();
    block_on(async {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        world.db().await.execute_unprepared(end).await.unwrap();
    });
    for _ in 0..10 {
        write();
    }
    many();
}

#[test]
fn while_the_database_is_away_callers_are_told_to_come_again() {
    let world = World::postgres();
    world.done(&["demo"]);
    let server = world.serve();
    let office = world.account("office@gov.example", "city-office", "云溪市生态环境保护督察整改办");
    let query = "{ measures(first: 1) { nodes { id } } }";
    server.data_as(&office, query, &json!({}));
    let (host, name) = world.url.rsplit_once('/').unwrap();
    let tell = |words: String| {
        block_on(async {
            let db = Database::connect(format!("{host}/postgres")).await.unwrap();
            db.execute_unprepared(&words).await.unwrap();
            db.close().await.unwrap();
        });
    };
    tell(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false"));
    tell(format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
    let away = server.ask_as(&office, query, &json!({}));
    assert_eq!((away.status, away.code().as_str(), away.header("retry-after")), (503, "UNAVAILABLE", "5"));
    assert!(away.body.contains("服务繁忙") && !away.body.contains(name), "{}", away.body);
    assert_eq!(server.get("/readyz").status, 503);
    // Whoever comes by a socket may come again, and keeps his token.
    let mut socket = Socket::connect(&server, &[PROTOCOL]).unwrap();
    socket.say(&json!({"type": "connection_init", "payload": {"authorization": format!("Bearer {office}")}}));
    assert_eq!(socket.closed(), 1013);
    let log = read(world.log());
    assert!(log.contains("not currently accepting connections"), "operators find why: {log}");
    tell(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    server.data_as(&office, query, &json!({}));
    assert_eq!(server.get("/readyz").status, 200);
}

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
    assert_eq!(far["errors"][0]["extensions"]["code"], "BAD_USER_INPUT", "relations multiply: {far}");
    assert_eq!(ask(&server, ANY).status, 200, "the program is alive");
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
    assert_eq!(cost(NESTED, json!({"n": 20})), None, "also once it is known");
    assert_eq!(cost(NESTED, json!({"n": 200})), too_much, "also once it is known");
    assert_eq!(cost(&NESTED.replace("$n: Int!", "$n: Int = 200"), json!({})), too_much, "by its default");
    assert_eq!(cost(&NESTED.replace("$n: Int!", "$n: Int = 20"), json!({})), None);
    assert_eq!(cost("{ problems(first: 200) { totalCount } }", json!({})), None);
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { ... on Problem { measures(first: 200) { nodes {
        assignments(first: 200) { nodes { id } } } } } } }";
    assert_eq!(cost(nodes, json!({"ids": ["problem_1"]})), None);
    assert_eq!(cost(nodes, json!({"ids": vec!["problem_1"; 200]})), too_much, "every id is a row");
    let groups = "query($n: Int) { problems(first: 200) { nodes { measures { groups(by: [STATUS], first: $n) {
        keys { key label } aggregate { count dueOn { min max } } } } } } }";
    assert_eq!(cost(groups, json!({"n": 10})), None);
    assert_eq!(cost(groups, json!({"n": 1000})), too_much, "every group is a row");
    drop(server);
    let server = world.serve_with(&[("RECTIFY_MAX_COST", "10")]);
    assert_eq!(ask(&server, "{ regions(first: 4) { nodes { id } } }").code(), "");
    let refused = ask(&server, "{ regions(first: 5) { nodes { id name } } }");
    assert!(refused.body.contains("查询所取的值超过 10"), "{}", refused.body);
}

#[test]
fn a_query_that_takes_too_long_is_given_up() {
    let world = World::postgres();
    world.done(&["demo"]);
    let server = world.serve_with(&[("RECTIFY_MAX_SECONDS", "1")]);
    let asked = |number: usize| {
        let read =
            json!({"query": format!("{{ problems(first: {number}) {{ totalCount a{number}: nodes {{ title }} }} }}")});
        server.ask(&if number.is_multiple_of(2) { read } else { comment("measure_1") }, &[])
    };
    let all = |status: u16, code: &str| {
        std::thread::scope(|scope| {
            for asking in [1, 2, 3, 4, 5, 6, 7, 8].map(|number| scope.spawn(move || asked(number))) {
                let answer = asking.join().unwrap();
                assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.body);
            }
        });
    };
    all(200, "");
    let before = comments(&server);
    block_on(async {
        let db = world.db().await;
        db.execute_unprepared("BEGIN; LOCK TABLE problem, region_tally IN ACCESS EXCLUSIVE MODE").await.unwrap();
        all(503, "TIMEOUT");
        all(503, "TIMEOUT");
        db.execute_unprepared("ROLLBACK").await.unwrap();
    });
    // The connections that were left in the middle of a statement serve the next one as any other.
    assert_eq!(comments(&server), before);
    for _ in 0..3 {
        all(200, "");
    }
    assert_eq!(comments(&server), before + 12);
}

#[test]
fn whoever_leaves_while_a_transaction_begins_leaves_none_open() {
    let world = World::postgres();
    world.done(&["demo"]);
    let way = Way::to(&world.url);
    let server = world.serve_with(&[("RECTIFY_DATABASE_URL", &way.url), ("RECTIFY_MAX_SECONDS", "1")]);
    assert_eq!(server.ask(&comment("measure_1"), &[]).code(), "");
    way.arm();
    assert_eq!(server.ask(&comment("measure_1"), &[]).code(), "TIMEOUT");
    assert!(way.open(), "it was given up while its transaction began");
    block_on(async {
        let db = world.db().await;
        let open = "SELECT 1 FROM pg_stat_activity \
            WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        let mut asked = 0;
        while db.query_one_raw(Statement::from_string(DbBackend::Postgres, open)).await.unwrap().is_some() {
            asked += 1;
            assert!(asked < 5_000, "a connection stays in its transaction");
        }
    });
    assert_eq!(server.ask(&comment("measure_1"), &[]).code(), "");
    assert_eq!(comments(&server), 2);
}

/// A mutation of several statements.
fn comment(measure: &str) -> Value {
    let write = "mutation($input: CommentOnMeasureInput!) { commentOnMeasure(input: $input) { measure { id } errors { code } } }";
    json!({"query": write, "variables": {"input": {"measureId": measure, "text": "请加快整改。"}}})
}

/// How many comments there are on the first measure, each of which is audited.
fn comments(server: &Server) -> u64 {
    let query = "{ measure(id: \"measure_1\") { comments { totalCount } audit(filter: {act: {eq: \"COMMENTED\"}}) { totalCount } } }";
    let found = &server.data(query, &json!({}))["measure"];
    assert_eq!(found["comments"], found["audit"]);
    found["comments"]["totalCount"].as_u64().unwrap()
}

fn whoever_hangs_up_leaves_nothing_half_done(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let address = server.base.trim_start_matches("http://").to_owned();
    let before = comments(&server);
    let hang_up = |number: usize| {
        let read = json!({"query": format!("{{ problems {{ a{number}: totalCount nodes {{ measures {{ nodes {{ id }} }} }} }} }}")});
        let body = if number.is_multiple_of(3) { read } else { comment("measure_1") }.to_string();
        let mut caller = TcpStream::connect(&address).unwrap();
        let head = "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length:";
        write!(caller, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n{head} {}\r\n\r\n{body}", body.len()).unwrap();
        // An answer that came and was not read makes the end a reset, which the server hears at once.
        caller.peek(&mut [0]).unwrap();
    };
    std::thread::scope(|scope| {
        for caller in 0..8 {
            scope.spawn(move || (0..20).for_each(|number| hang_up(caller * 20 + number)));
        }
    });
    let made = (0..16).filter(|_| server.ask(&comment("measure_1"), &[]).code().is_empty()).count();
    assert_eq!(made, 16, "everybody else is served");
    assert!((16..=16 + 107).contains(&(comments(&server) - before)), "{}", comments(&server));
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
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
    assert_eq!((status, refused.code().as_str()), (429, "TOO_MANY_REQUESTS"), "a stranger's word is not taken");
    let seconds: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=21).contains(&seconds), "an allowance of three grows back in twenty seconds, not in {seconds}");
    assert!(refused.body.contains(&format!("请 {seconds} 秒后再试")));
    assert_eq!(server.get("/healthz").status, 200, "probes are not counted");
    drop(server);
    let server = world.serve_with(&[often[0], ("RECTIFY_PROXIES", r#"["127.0.0.1"]"#)]);
    for _ in 0..3 {
        assert_eq!(from(&server, "10.0.0.1").0, 200);
    }
    assert_eq!(from(&server, "10.0.0.1").0, 429);
    assert_eq!(from(&server, "10.0.0.9, 10.0.0.1").0, 429, "what a caller writes itself is not believed");
    assert_eq!(from(&server, "10.0.0.2").0, 200);
    for host in 1..=3 {
        assert_eq!(from(&server, &format!("2001:db8::{host}")).0, 200);
    }
    assert_eq!(from(&server, "2001:db8::4").0, 429, "one household");
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
    let mixed = json!([{"query": ANY}, {"query": "{ nope }"}, {"query": "query A { __typename } query B { b: __typename }", "operationName": "B"}]);
    let answer = server.ask(&mixed, &[]);
    let answers = answer.json();
    assert_eq!((answer.status, answers.as_array().unwrap().len()), (200, 3));
    assert_eq!(answers[0], json!({"data": {"__typename": "Query"}}));
    assert_eq!(answers[1]["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    assert_eq!(answers[2], json!({"data": {"b": "Query"}}));
    assert_eq!(server.ask(&batch(1), &[]).json(), json!([{"data": {"__typename": "Query"}}]));
    for count in [0, 4] {
        assert_eq!(server.ask(&batch(count), &[]).code(), "BATCH_NOT_ALLOWED");
    }
    assert_eq!(server.ask(&json!([1]), &[]).code(), "BAD_REQUEST");
    assert_eq!(server.ask(&json!({ "query": ANY }), &[]).json()["data"]["__typename"], "Query", "one by one as well");
}

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
        "clients ask for this themselves"
    );
}

/// The SHA-256 of [`ANY`], as a client computes it.
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
    assert_eq!(unknown.json()["errors"][0]["message"], "PersistedQueryNotFound", "clients look for these words");
    let older = [("content-type", "application/json"), ("accept", "application/json")];
    assert_eq!(server.send(&older, &alone.to_string()).status, 200, "older ones for this status");
    let wrong = server.ask(&json!({"query": "{ other: __typename }", "extensions": by_hash(HASH)}), &[]);
    assert_eq!((wrong.status, wrong.code().as_str()), (400, "PERSISTED_QUERY_MISMATCH"));
    assert_eq!(server.ask(&alone, &[]).code(), "PERSISTED_QUERY_NOT_FOUND", "nothing was remembered of it");

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
    let file = world.file("documents.json", json!({ HASH: ANY, "by another name": change }).to_string().as_bytes());
    let server = world.serve_with(&[("RECTIFY_TRUSTED_DOCUMENTS", &file)]);
    let expected = r#"{"data":{"__typename":"Query"}}"#;
    for request in [
        json!({ "extensions": by_hash(HASH) }),
        json!({ "documentId": HASH }),
        json!({ "query": ANY }),
        json!({"query": "{ other: __typename }", "documentId": HASH}),
    ] {
        assert_eq!(server.ask(&request, &[]).body, expected, "{request}");
    }
    assert_eq!(server.ask(&json!({ "query": change }), &[]).code(), "", "known by its text, whatever its name");
    assert_eq!(server.ask(&json!({ "documentId": "by another name" }), &[]).code(), "", "or by the name that it has");
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
    assert_eq!(ran.status.code(), Some(2), "a file that is none keeps the program from serving everything");
}

#[test]
fn messages_are_in_the_language_that_the_caller_prefers() {
    let world = World::sqlite();
    let server = world.serve();
    let said = |query: &str, language: &str| {
        let headers = [("accept-language", language)];
        let answer = server.ask(&json!({ "query": query }), if language.is_empty() { &[] } else { &headers });
        answer.json()["errors"][0]["message"].as_str().unwrap().to_owned()
    };
    for (query, zh, en) in [
        ("{ nope }", "查询不符合接口定义：Unknown field", "Unknown field"),
        ("{", "查询无法解析：", "syntax error: "),
        ("query($n: Int!) { problems(first: $n) { totalCount } }", "变量 $n 应为 Int!", "variable $n should be Int!"),
        ("{ problems(first: 999) { totalCount } }", "`first: 999` 超出范围", "`first: 999` is out of range"),
        ("{ region { id } }", "给出 id 或 code 其中之一", "give either `id` or `code`"),
    ] {
        for language in
            ["", "zh", "zh-CN,zh;q=0.9,en;q=0.8", "fr", "fr, *;q=0.1", "en;q=0.2, zh-Hant;q=0.3", "nonsense;;"]
        {
            assert!(said(query, language).starts_with(zh), "{language}: {}", said(query, language));
        }
        for language in ["en", "en-GB", "fr, en;q=0.8, zh;q=0.7", "EN-us"] {
            assert!(said(query, language).starts_with(en), "{language}: {}", said(query, language));
        }
    }
    // A variable is refused by the name of the field that is wrong, whatever it is in.
    let dated = "query($filter: MeasureFilter) { measures(filter: $filter) { totalCount } }";
    for (filter, message) in [
        (json!({"dueOn": {"eq": "2026-02-30"}}), "变量 $filter.dueOn.eq 应为 Date (2026-10-13)"),
        (json!({"and": [{}, {"dueOn": {"gt": 1}}]}), "变量 $filter.and.1.dueOn.gt 应为 Date (2026-10-13)"),
        (
            json!({"assignments": {"some": {"updatedAt": {"gte": "2026-10-13"}}}}),
            "变量 $filter.assignments.some.updatedAt.gte 应为 DateTime (2026-10-13T09:30:00+08:00)",
        ),
    ] {
        let answer = server.graphql(dated, &json!({ "filter": filter }));
        assert_eq!(answer["errors"][0]["message"], message, "{answer}");
        assert_eq!(answer["errors"][0]["extensions"]["code"], "GRAPHQL_VALIDATION_FAILED");
    }
    let literal = said("{ measures(filter: {dueOn: {eq: \"2026-02-30\"}}) { totalCount } }", "en");
    assert!(literal.contains("filter.dueOn.eq") && literal.contains("Date"), "{literal}");
    let huge =
        server.send(&[("content-type", "application/json")], "{\"query\": \"{ a }\",\n\"variables\": {\"n\": 1e400}}");
    assert!(huge.body.contains("number out of range at line 2"), "{}", huge.body);
    let not_json = server.send(&[("content-type", "text/plain"), ("accept-language", "en")], ANY);
    assert!(not_json.body.contains("send JSON in UTF-8"), "{}", not_json.body);
}

fn the_language_of_a_refused_report_is_the_caller_s(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let query =
        "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { code message path } } }";
    let input = json!({"assignmentId": "assignment_1", "version": 77, "period": "2025-10", "text": "x"});
    let said = |language: &str| {
        let request = json!({"query": query, "variables": {"input": input}});
        server.ask(&request, &[("accept-language", language)]).json()["data"]["reportProgress"]["errors"][0].clone()
    };
    let (zh, en) = (said("zh-CN"), said("en"));
    assert_eq!((&zh["code"], &en["code"]), (&json!("STALE_VERSION"), &json!("STALE_VERSION")));
    assert!(zh["message"].as_str().unwrap().starts_with("责任分解已被他人更新"), "{zh}");
    assert!(en["message"].as_str().unwrap().starts_with("somebody has changed the assignment"), "{en}");
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
        assert_eq!((own.len(), own != id), (32, true), "a new one instead of {id}");
        assert_eq!(refused.json()["errors"][0]["extensions"]["requestId"], own);
        made.push(own);
    }
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 4);
    let none = server.send(&[("content-type", "application/json"), ("accept", "image/png")], "");
    assert_eq!((none.status, none.header("x-request-id").len()), (406, 32), "also where nothing else was understood");
}

#[test]
fn pages_of_other_origins_ask_only_where_they_are_listed() {
    let world = World::sqlite();
    let board = "https://board.example.cn";
    let preflight = |server: &Server, origin: &str| {
        let request = ureq::http::Request::options(format!("{}/graphql", server.base))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type, accept-language, x-request-id")
            .body(())
            .unwrap();
        let response = Server::agent().run(request).unwrap();
        let allowed = response.headers().get("access-control-allow-origin");
        (response.status().as_u16(), allowed.map(|origin| origin.to_str().unwrap().to_owned()))
    };
    let post = |server: &Server, origin: &str| server.ask(&json!({ "query": ANY }), &[("origin", origin)]);
    let server = world.serve();
    assert_eq!(preflight(&server, board), (403, None));
    assert_eq!(post(&server, board).header("access-control-allow-origin"), "");
    drop(server);
    let server = world.serve_with(&[("RECTIFY_ORIGINS", &json!([board]).to_string())]);
    assert_eq!(preflight(&server, board), (200, Some(board.to_owned())));
    let answer = post(&server, board);
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, board));
    assert_eq!(answer.header("access-control-allow-credentials"), "", "there are no cookies");
    let exposed = answer.header("access-control-expose-headers").to_ascii_lowercase();
    assert!(exposed.contains("x-request-id") && exposed.contains("retry-after"), "{exposed}");
    let stranger = "https://attacker.example";
    assert_eq!(preflight(&server, stranger).1, None);
    assert_eq!(post(&server, stranger).header("access-control-allow-origin"), "");
}

#[test]
fn answers_are_small_where_the_caller_unpacks_them_and_nobody_keeps_them() {
    let world = World::sqlite();
    let server = world.serve();
    let query = "{ __schema { types { name description fields { name description } } } }";
    let plain = ask(&server, query);
    let packed = |codings: &str| {
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
    let (coding, bytes) = packed("br;q=1, gzip;q=0.8");
    assert_eq!((coding.as_str(), &bytes[..2]), ("gzip", [0x1f, 0x8b].as_slice()));
    assert!(bytes.len() * 3 < plain.body.len(), "{} of {}", bytes.len(), plain.body.len());
    assert_eq!(packed("br"), (String::new(), plain.body.clone().into_bytes()));
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

fn what_fails_inside_is_not_told(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    let query = "{ mails { nodes { subject } } }";
    assert_eq!(ask(&server, query).code(), "");
    block_on(async {
        world.db().await.execute_unprepared("ALTER TABLE mail RENAME TO hidden").await.unwrap();
    });
    let new = "{ mails { totalCount nodes { subject } } }";
    for query in [query, new] {
        let failed = server.ask(&json!({ "query": query }), &[("x-request-id", "click-7")]);
        assert_eq!(failed.status, 200, "there might be other fields");
        let expected = json!({"data": null, "errors": [{
            "message": "服务内部错误，请稍后重试", "path": ["mails"], "locations": [{"line": 1, "column": 3}],
            "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "click-7"}}]});
        assert_eq!(failed.json(), expected);
    }
    assert_eq!(ask(&server, "{ problems { totalCount } }").code(), "", "everything else goes on");
    let log = read(world.log());
    let failure = log.lines().find(|line| line.contains("click-7")).unwrap();
    assert!(failure.contains("mail"), "operators find what failed by the request's id: {failure}");
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
        // Every case is a document of its own.
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
    // The one warning: the installation is open.
    let warnings: Vec<&Value> = lines.iter().filter(|line| line["level"] != "INFO").collect();
    assert!(lines.len() > 1 && warnings.len() == 1, "{log}");
    assert!(warnings[0]["fields"]["message"].as_str().unwrap().starts_with("the installation is open"), "{log}");
    // A server that cannot begin says so in the same way.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut second = world.program();
    let ended = second.args(["serve", "--listen", &address]).env("RECTIFY_LOG_FORMAT", "json").output().unwrap();
    let last: Value = serde_json::from_slice(&ended.stderr).unwrap();
    assert_eq!((ended.status.code(), &last["level"]), (Some(1), &json!("ERROR")));
    assert!(last["fields"]["failure"].as_str().unwrap().contains(&address), "{last}");
}

#[test]
fn a_container_s_check_hears_whether_the_server_is_ready() {
    let world = World::sqlite();
    let metrics = format!("127.0.0.1:{}", free_port());
    let server = world.serve_with(&[("RECTIFY_METRICS_LISTEN", &metrics)]);
    let listen = server.base.trim_start_matches("http://").to_owned();
    let health = |part: &str, metrics: &str| {
        let mut check = world.program();
        check.args(["health", "--role", part, "--listen", &listen]).env("RECTIFY_METRICS_LISTEN", metrics);
        let said = check.output().unwrap();
        (
            said.status.code().unwrap(),
            String::from_utf8(said.stdout).unwrap() + &String::from_utf8(said.stderr).unwrap(),
        )
    };
    for part in ["all", "api", "scheduler"] {
        assert_eq!(health(part, &metrics), (0, "就绪\n".to_owned()), "{part}");
    }
    assert_eq!(health("scheduler", "").0, 2, "there is nowhere to ask");
    drop(server);
    let (code, said) = health("api", &metrics);
    assert!(code == 1 && said.contains("没有应答"), "{said}");
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
    // A filter stands in the statement once for each part of a list that is asked for.
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

fn what_is_left_out_has_its_default(world: &World) {
    world.done(&["demo"]);
    let server = world.serve();
    // An argument whose variable is left out is left out, whoever reads it.
    for (with, without) in [
        (
            "query($count: StatisticsCount) { statistics(by: STATUS, count: $count) { total { all } } }",
            "{ statistics(by: STATUS) { total { all } } }",
        ),
        (
            "query($way: OrderDirection) { measures(first: 3, orderBy: [{field: DUE_ON, direction: $way}]) { nodes { id } } }",
            "{ measures(first: 3, orderBy: [{field: DUE_ON}]) { nodes { id } } }",
        ),
        ("query($first: Int) { publicNotices(first: $first) { unit } }", "{ publicNotices { unit } }"),
        (
            "query($first: Int, $status: [Status!]) { measures(first: $first, filter: {status: $status}) { totalCount } }",
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
    // The name of a type is a field like any other, as far as directives go.
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
    for path in ["/", "/schema.graphql", "/healthz"] {
        let head = Server::agent().head(format!("{}{path}", server.base)).call().unwrap();
        assert_eq!(head.status(), 200, "{path}");
    }
    let refused = |accept: &str| server.ask(&json!({ "query": ANY }), &[("accept", accept)]).kind;
    assert!(refused("application/json;q=0, application/graphql-response+json").starts_with("application/graphql-"));
    let nothing = server.send(&[("content-type", "application/json"), ("accept", "application/json;q=0")], "{}");
    assert_eq!((nothing.status, nothing.code().as_str()), (406, "NOT_ACCEPTABLE"));
    let bad = server.send(&[("content-type", "application/json")], r#"{"query": "{ a }", "extensions": 5}"#);
    assert!(bad.status == 400 && !bad.body.contains("struct") && bad.body.contains("line 1"), "{}", bad.body);
}
