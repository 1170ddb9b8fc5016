//! What an administrator sees of a server: its log and its figures.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{World, free_port, read, stories};

stories!(each_request_has_a_line_in_the_log_without_its_secrets, the_figures_are_those_that_the_documentation_lists,);

/// The lines of a JSON log that are about a request.
fn accesses(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["target"] == "access").map(|line| line["fields"].clone()).collect()
}

fn each_request_has_a_line_in_the_log_without_its_secrets(world: &World) {
    world.done(&["demo"]);
    let office = world.account("office@gov.example", "city-office", "云溪市生态环境保护督察整改办");
    let known = "query Register { regions(first: 1) { nodes { name } } }";
    let trusted = world.file("documents.json", json!({ "a1": known }).to_string().as_bytes());
    let server = world.serve_with(&[
        ("RECTIFY_LOG", "info"),
        ("RECTIFY_LOG_FORMAT", "json"),
        ("RECTIFY_PROXIES", "[\"127.0.0.1\"]"),
        ("RECTIFY_TRUSTED_DOCUMENTS", &trusted),
    ]);
    let bearer = format!("Bearer {office}");
    let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", "203.0.113.9"), ("x-request-id", "click-1")];
    assert_eq!(server.ask(&json!({ "query": known }), &headers).code(), "");
    assert_eq!(server.ask(&json!({"query": "query Unknown { regions { totalCount } }"}), &headers[..2]).status, 403);
    let page = server.get("/m/geheim-token?secret=geheim-query");
    assert!(!page.header("x-request-id").is_empty(), "every response has the id of its request");
    assert!(!server.get("/nowhere/geheim-path").header("x-request-id").is_empty());
    // A line is written when its response has ended, which may be after the client has read it.
    let mut asked = 0;
    while accesses(&read(world.log())).iter().filter(|line| line["path"] != "/healthz").count() < 4 {
        asked += 1;
        assert!(asked < 1_000, "{}", read(world.log()));
        server.get("/healthz");
    }
    let log = read(world.log());
    assert!(!log.contains("geheim") && !log.contains(&office), "{log}");
    let lines = accesses(&log);
    let first = &lines[0];
    let told = ["method", "path", "status", "address", "id", "operation"].map(|name| &first[name]);
    let expected =
        [json!("POST"), json!("/graphql"), json!(200), json!("203.0.113.9"), json!("click-1"), json!("Register")];
    assert_eq!(told.map(Clone::clone), expected);
    assert!(first["bytes"].as_u64().unwrap() > 20 && first["account"].is_u64() && first["milliseconds"].is_u64());
    let shown = |line: &Value| (line["path"].clone(), line["status"].clone(), line["operation"].clone());
    let others: Vec<_> = lines.iter().filter(|line| line["path"] != "/healthz").skip(1).map(shown).collect();
    assert_eq!(others[0], (json!("/graphql"), json!(403), Value::Null), "only registered names are told");
    assert_eq!((&others[1].0, &others[2].0), (&json!("/m/{token}"), &json!("(none)")));
}

#[test]
fn a_slow_statement_is_logged_without_values() {
    let Some(world) = World::postgres() else { return };
    world.done(&["demo"]);
    let server = world.serve_with(&[("RECTIFY_LOG_SLOW_MS", "1")]);
    let search = json!({"query": "{ problems(filter: {text: {search: \"内部词\"}}) { nodes { id } } }"});
    // One runtime, because the connection that holds the lock belongs to it.
    let runtime = Runtime::new().unwrap();
    let db = runtime.block_on(world.db());
    let lock = runtime.block_on(ledger::record::database::begin(&db)).unwrap();
    runtime.block_on(lock.execute_unprepared("LOCK TABLE problem IN ACCESS EXCLUSIVE MODE")).unwrap();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| server.ask(&search, &[("x-request-id", "slow-7")]));
        let waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        // Ten times, so that at least a millisecond passes.
        let mut seen = 0;
        for _ in 0..10_000 {
            let found = runtime.block_on(db.query_one_raw(Statement::from_string(DbBackend::Postgres, waits))).unwrap();
            seen += usize::from(found.is_some());
            if seen == 10 {
                break;
            }
        }
        runtime.block_on(lock.rollback()).unwrap();
        assert_eq!(reading.join().unwrap().code(), "");
    });
    let log = read(world.log());
    // The index of searches is read first, which may be slow, too.
    let mut slow = log.lines().filter(|line| line.contains("a slow statement") && line.contains("slow-7"));
    let slow = slow.find(|line| line.contains("FROM problem"));
    let slow = slow.unwrap_or_else(|| panic!("{log}"));
    assert!(slow.contains("FROM problem") && slow.contains("$1") && slow.contains("milliseconds"), "{slow}");
    assert!(!log.contains("内部词"), "{log}");
}

#[test]
fn a_server_that_logs_json_prints_nothing_else() {
    let world = World::sqlite();
    let mut program = world.program();
    program.env("RECTIFY_LOG_FORMAT", "json").env("RECTIFY_PUBLIC_URL", "https://ledger.example.cn");
    program.args(["serve", "--listen", &format!("127.0.0.1:{}", free_port())]);
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines: Vec<Value> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .take(3)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    for (line, part) in lines.iter().zip(["邮件写入文件夹", "已启动", "set-up code"]) {
        assert!(line["fields"]["message"].as_str().unwrap().contains(part), "{line}");
    }
    // Settings that cannot be read do not tell the format, but the environment does.
    let mut wrong = world.program();
    let ended = wrong.arg("serve").env("RECTIFY_LOG_FORMAT", "json").env("RECTIFY_GRACE_DAYS", "-5").output().unwrap();
    let said: Value = serde_json::from_slice(&ended.stderr).unwrap();
    assert_eq!((ended.status.code(), &said["level"]), (Some(2), &json!("ERROR")));
    assert!(said["fields"]["message"].as_str().unwrap().contains("grace_days"), "{said}");
}

fn the_figures_are_those_that_the_documentation_lists(world: &World) {
    world.done(&["demo"]);
    let server = world.serve_with_scheduler(&[("RECTIFY_MAIL_URL", "smtp://127.0.0.1:9?tls=none")]);
    assert_eq!(server.ask(&json!({"query": "query Named { regions { nodes { name } } }"}), &[]).code(), "");
    assert_eq!(server.ask(&json!({"query": "{ nothing }"}), &[]).status, 400);
    // A request is counted when its response has ended, which may be after the client has read it.
    let counted = "rectify_http_requests_total{method=\"POST\",route=\"/graphql\",status=\"4xx\"} 1";
    let mut figures = String::new();
    for _ in 0..1_000 {
        figures = server.figures();
        if figures.contains(counted) {
            break;
        }
    }
    assert!(figures.contains(counted), "{figures}");
    for line in [
        "rectify_http_requests_total{method=\"POST\",route=\"/graphql\",status=\"2xx\"} 1",
        "rectify_graphql_operations_total{kind=\"query\",operation=\"\"} 2",
        "rectify_graphql_errors_total{code=\"GRAPHQL_VALIDATION_FAILED\"} 1",
        "rectify_graphql_errors_total{code=\"INTERNAL_SERVER_ERROR\"} 0",
        "rectify_outbox_mails{state=\"queued\"}",
        "rectify_job_lag_seconds{job=\"overdue\"}",
        "rectify_build_info{version=\"",
        "process_resident_memory_bytes ",
    ] {
        assert!(figures.lines().any(|found| found.starts_with(line)), "{line}: {figures}");
    }
    let families: Vec<&str> =
        figures.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let documented = include_str!("../../docs/monitoring.md");
    for family in &families {
        assert!(documented.contains(&format!("`{family}`")), "{family} is not in docs/monitoring.md");
    }
    let listed = documented.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    // Neither a mail nor a job has succeeded so far, and there is no standby (see the stories `standby`).
    let later = [
        "rectify_smtp_send_duration_seconds",
        "rectify_job_last_success_timestamp_seconds",
        "rectify_database_standby_used",
    ];
    for family in listed.filter(|name| name.starts_with("rectify_") || name.starts_with("process_")) {
        assert!(families.contains(&family) || later.contains(&family), "{family} is not served");
    }
    // `promtool check metrics`, where it is installed.
    let promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    if let Ok(mut promtool) = promtool {
        promtool.stdin.take().unwrap().write_all(figures.as_bytes()).unwrap();
        let checked = promtool.wait_with_output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
}

/// The files of `deploy` name figures that exist, and Prometheus takes them.
#[test]
fn dashboard_and_alerts_are_of_figures_that_exist() {
    let documented = include_str!("../../docs/monitoring.md");
    let files = [
        include_str!("../../deploy/alerts.yml"),
        include_str!("../../deploy/alerts.test.yml"),
        include_str!("../../deploy/grafana/rectify.json"),
    ];
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    for name in files.iter().flat_map(|file| file.split(|letter| !is_name(letter))) {
        if !name.starts_with("rectify_") && !name.starts_with("process_") {
            continue;
        }
        let family = ["_bucket", "_count", "_sum"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
        let is_listed = [name, family].iter().any(|name| documented.contains(&format!("`{name}`")));
        assert!(is_listed, "{name} is not in docs/monitoring.md");
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy");
    for arguments in [&["check", "config", "prometheus.yml"] as &[&str], &["test", "rules", "alerts.test.yml"]] {
        // Where it is installed.
        if let Ok(ran) = Command::new("promtool").args(arguments).current_dir(folder).output() {
            assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
        }
    }
}
