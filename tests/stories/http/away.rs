//! Behaviour when the database is unavailable, the caller disconnects, or an operation exceeds its time limit.

use std::io::Write;
use std::net::TcpStream;

use sea_orm::{ConnectionTrait, Database, DbBackend, Statement};
use serde_json::{Value, json};

use crate::support::socket::{PROTOCOL, Socket};
use crate::support::way::Way;
use crate::support::{Server, World, block_on, free_port, read, stories};

use super::ask;

stories!(what_fails_inside_is_not_told, whoever_hangs_up_leaves_nothing_half_done,);

#[test]
fn nobody_notices_that_the_database_was_started_anew() {
    let Some(world) = World::postgres() else { return };
    world.done(&["demo"]);
    let server = world.serve();
    let read = || assert_eq!(ask(&server, "{ measures(first: 1) { nodes { id } } }").code(), "");
    let write = || {
        let written = server.ask(&comment("measure_1"), &[]).json();
        assert_eq!(written["data"]["commentOnMeasure"]["errors"], json!([]), "{written}");
    };
    // Concurrently, so that the pools open several connections for reading and for writing.
    let many = || {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(read);
                scope.spawn(write);
            }
        });
    };
    let end = || {
        block_on(async {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
            world.db().await.execute_unprepared(end).await.unwrap();
        });
    };
    many();
    // A report without a transaction is not repeated if its connection is lost, but it has read on the same one before.
    let open = "{ assignments(first: 1, filter: {status: [IN_PROGRESS]}) { nodes { id version } } }";
    let one = ask(&server, open).json()["data"]["assignments"]["nodes"][0].clone();
    end();
    let report = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) { errors { message } } }";
    let input = json!({"assignmentId": one["id"], "version": one["version"], "period": "2025-10", "text": "推进中"});
    let reported = server.ask(&json!({"query": report, "variables": {"input": input}}), &[]).json();
    assert_eq!(reported["data"]["reportProgress"]["errors"], json!([]), "{reported}");
    end();
    for _ in 0..10 {
        write();
    }
    many();
}

#[test]
fn while_the_database_is_away_callers_are_told_to_come_again() {
    let Some(world) = World::postgres() else { return };
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
    // Close code 1013 tells a WebSocket client to try again later; its token stays valid.
    let mut socket = Socket::connect(&server, &[PROTOCOL]).unwrap();
    socket.say(&json!({"type": "connection_init", "payload": {"authorization": format!("Bearer {office}")}}));
    assert_eq!(socket.closed(), 1013);
    let log = read(world.log());
    assert!(log.contains("not currently accepting connections"), "the log must name the cause: {log}");
    tell(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true"));
    server.data_as(&office, query, &json!({}));
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn a_query_that_takes_too_long_is_given_up() {
    let Some(world) = World::postgres() else { return };
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
    // Connections whose statement was abandoned are usable again.
    assert_eq!(comments(&server), before);
    for _ in 0..3 {
        all(200, "");
    }
    assert_eq!(comments(&server), before + 12);
}

#[test]
fn reads_have_a_time_limit_in_the_database_and_what_grows_with_the_ledger_has_none() {
    let Some(world) = World::postgres() else { return };
    world.done(&["demo"]);
    let watch = "CREATE TABLE seen (kind text, timeout text);
        CREATE FUNCTION see(kind text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO seen VALUES (kind, current_setting('statement_timeout')); RETURN true; END $$;
        CREATE FUNCTION written() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            PERFORM see(TG_TABLE_NAME); RETURN NULL; END $$;
        CREATE TRIGGER figure_seen AFTER INSERT ON figure EXECUTE FUNCTION written();
        CREATE TRIGGER comment_seen AFTER INSERT ON comment EXECUTE FUNCTION written();
        ALTER TABLE inspection_round RENAME TO every_round;
        CREATE VIEW inspection_round AS SELECT * FROM every_round WHERE see('read');
        UPDATE figure SET total = total + 1";
    block_on(async { world.db().await.execute_unprepared(watch).await.unwrap() });
    world.done(&["statistics", "check", "--mend"]);
    let server = world.serve_with(&[("RECTIFY_MAX_SECONDS", "7")]);
    assert_eq!(ask(&server, "{ inspectionRounds(first: 1) { nodes { name } } }").code(), "");
    assert_eq!(server.ask(&comment("measure_1"), &[]).code(), "");
    let mut seen: Vec<(String, String)> = block_on(async {
        let text = "SELECT DISTINCT kind, timeout FROM seen";
        let rows = world.db().await.query_all_raw(Statement::from_string(DbBackend::Postgres, text)).await.unwrap();
        rows.iter().map(|row| (row.try_get("", "kind").unwrap(), row.try_get("", "timeout").unwrap())).collect()
    });
    seen.sort();
    // The comment reads the round as well, in its transaction.
    let expected = [("comment", "5min"), ("figure", "0"), ("read", "12s"), ("read", "5min")];
    assert_eq!(seen, expected.map(|(kind, timeout)| (kind.to_owned(), timeout.to_owned())));
}

#[test]
fn whoever_leaves_while_a_transaction_begins_leaves_none_open() {
    let Some(world) = World::postgres() else { return };
    world.done(&["demo"]);
    let way = Way::to(&world.url);
    let server = world.serve_with(&[("RECTIFY_DATABASE_URL", &way.url), ("RECTIFY_MAX_SECONDS", "1")]);
    let before = comments(&server);
    assert_eq!(server.ask(&comment("measure_1"), &[]).code(), "");
    way.arm();
    assert_eq!(server.ask(&comment("measure_1"), &[]).code(), "TIMEOUT");
    assert!(way.open(), "the operation must be abandoned while its transaction begins");
    block_on(async {
        let db = world.db().await;
        let open = "SELECT 1 FROM pg_stat_activity \
            WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
        let mut asked = 0;
        while db.query_one_raw(Statement::from_string(DbBackend::Postgres, open)).await.unwrap().is_some() {
            asked += 1;
            assert!(asked < 5_000, "a connection stays idle in a transaction");
        }
    });
    assert_eq!(server.ask(&comment("measure_1"), &[]).code(), "");
    assert_eq!(comments(&server), before + 2);
}

/// Returns a mutation that takes several SQL statements.
fn comment(measure: &str) -> Value {
    let write = "mutation($input: CommentOnMeasureInput!) { commentOnMeasure(input: $input) { measure { id } \
        errors { code } } }";
    json!({"query": write, "variables": {"input": {"measureId": measure, "text": "请加快整改。"}}})
}

/// Returns the number of comments on the first measure; asserts that each has an audit entry.
fn comments(server: &Server) -> u64 {
    let query = "{ measure(id: \"measure_1\") { comments { totalCount } \
        audit(filter: {act: {eq: \"COMMENTED\"}}) { totalCount } } }";
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
        let read = json!({"query": format!("{{ problems {{ a{number}: totalCount \
            nodes {{ measures {{ nodes {{ id }} }} }} }} }}")});
        let body = if number.is_multiple_of(3) { read } else { comment("measure_1") }.to_string();
        let mut caller = TcpStream::connect(&address).unwrap();
        let head = "POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length:";
        write!(caller, "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n{head} {}\r\n\r\n{body}", body.len()).unwrap();
        // Closing a socket with unread data sends a reset, which the server notices at once.
        caller.peek(&mut [0]).unwrap();
    };
    std::thread::scope(|scope| {
        for caller in 0..8 {
            scope.spawn(move || (0..20).for_each(|number| hang_up(caller * 20 + number)));
        }
    });
    let made = (0..16).filter(|_| server.ask(&comment("measure_1"), &[]).code().is_empty()).count();
    assert_eq!(made, 16, "other callers must still be served");
    assert!((16..=16 + 107).contains(&(comments(&server) - before)), "{}", comments(&server));
    assert!(world.done(&["audit", "verify"]).contains("无缺失"));
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
    for (query, accept) in [(query, "application/json"), (new, "application/graphql-response+json")] {
        let headers = [("content-type", "application/json"), ("accept", accept), ("x-request-id", "click-7")];
        let failed = server.send(&headers, &json!({ "query": query }).to_string());
        assert_eq!((failed.status, failed.header("retry-after")), (500, ""), "{accept}");
        let expected = json!({"data": null, "errors": [{
            "message": "服务内部错误，请稍后重试", "path": ["mails"], "locations": [{"line": 1, "column": 3}],
            "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": "click-7"}}]});
        assert_eq!(failed.json(), expected);
    }
    assert_eq!(ask(&server, "{ problems { totalCount } }").code(), "", "other fields must still work");
    let partly = ask(&server, "{ node(id: \"mail_1\") { id } problems { totalCount } }");
    assert_eq!((partly.status, partly.code().as_str()), (200, "INTERNAL_SERVER_ERROR"), "{}", partly.body);
    let log = read(world.log());
    let failure = log.lines().find(|line| line.contains("click-7")).unwrap();
    assert!(failure.contains("mail"), "the log must name the failure under the request's id: {failure}");
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
    assert_eq!(health("scheduler", "").0, 2, "without a metrics listener there is no address to ask");
    drop(server);
    let (code, said) = health("api", &metrics);
    assert!(code == 1 && said.contains("没有应答"), "{said}");
}
