//! Reads on a standby (`database_read_url`): what a session has written is there, and a standby that lags too much or
//! is gone is not used.

use sea_orm::ConnectionTrait;
use serde_json::json;

use crate::support::cluster::Cluster;
use crate::support::{Server, block_on, eventually, read};

/// An office of the demo.
const OFFICE: &str = "云川省生态环境保护督察整改办";

const OPEN: &str = "mutation($input: CreateRoundInput!) { createRound(input: $input) { round { id } } }";
const ROUNDS: &str = "{ inspectionRounds(first: 50) { nodes { name } } }";

/// Whether reads use the standby.
fn is_used(server: &Server) -> bool {
    let figures = server.figures();
    figures.lines().any(|line| line.starts_with("rectify_database_standby_used{") && line.ends_with(" 1"))
}

fn open(server: &Server, token: &str, name: &str) {
    let input = json!({"name": name, "level": "PROVINCE", "kind": "ROUTINE"});
    server.data_as(token, OPEN, &json!({ "input": input }));
}

fn shows(server: &Server, token: &str, name: &str) -> bool {
    server.data_as(token, ROUNDS, &json!({})).to_string().contains(name)
}

#[test]
fn a_session_reads_what_it_has_written_and_others_what_the_standby_has() {
    let Some(cluster) = Cluster::start() else { return };
    let world = cluster.world();
    world.done(&["demo"]);
    let writes = world.account("one@gov.example", "regional-office", OFFICE);
    let reads = world.account("two@gov.example", "regional-office", OFFICE);
    // What a session does that was just opened may need what its opening wrote.
    block_on(async {
        let db = world.db().await;
        db.execute_unprepared("UPDATE session SET created_at = created_at - interval '1 hour'").await.unwrap();
        db.close().await.unwrap();
    });
    let standby = cluster.standby();
    let settings = [
        ("RECTIFY_DATABASE_READ_URL", standby.as_str()),
        ("RECTIFY_DATABASE_READ_LAG", "300"),
        ("RECTIFY_MAX_BATCH", "2"),
    ];
    let (server, other) = (world.serve_with(&settings), world.serve_with(&settings));
    eventually("both use the standby", || is_used(&server) && is_used(&other));

    cluster.replays(false);
    open(&server, &writes, "第九轮督察");
    assert!(shows(&server, &writes, "第九轮督察"), "a session reads what it has written");
    let batch = json!([
        {"query": OPEN, "variables": {"input": {"name": "第八轮督察", "level": "PROVINCE", "kind": "ROUTINE"}}},
        {"query": ROUNDS},
    ]);
    let author = format!("Bearer {writes}");
    let together = server.ask(&batch, &[("authorization", &author), ("accept", "application/json")]);
    assert!(together.json()[1].to_string().contains("第八轮督察"), "also within a request: {}", together.body);
    for server in [&server, &other] {
        eventually("others read the standby, which has not replayed it", || !shows(server, &reads, "第九轮督察"));
        // The other process knows only from the session how far it has written.
        assert!(shows(server, &writes, "第九轮督察"), "a session reads what it has written, in every process");
    }
    cluster.replays(true);
    eventually("the standby catches up", || shows(&server, &reads, "第九轮督察"));

    // Another process, which lets a standby lag less.
    drop((server, other));
    let server = world.serve_with(&[("RECTIFY_DATABASE_READ_URL", &standby), ("RECTIFY_DATABASE_READ_LAG", "1")]);
    eventually("the standby is used again", || is_used(&server));
    cluster.replays(false);
    open(&server, &writes, "第十轮督察");
    eventually("a standby that lags is not read", || shows(&server, &reads, "第十轮督察"));
    assert!(!is_used(&server));
    cluster.replays(true);
    eventually("it is used when it has caught up", || is_used(&server));

    // A standby that stands still without ending its connections.
    cluster.freeze(true);
    for _ in 0..20 {
        assert!(shows(&server, &reads, "第十轮督察"), "reads go on beside a standby that stands still");
    }
    eventually("it is known to stand still", || !is_used(&server));
    cluster.freeze(false);
    eventually("it is used when it goes on", || is_used(&server));

    let told = read(world.log()).len();
    cluster.stop_standby();
    for _ in 0..5 {
        assert!(shows(&server, &reads, "第十轮督察"), "reads go on without the standby");
    }
    eventually("it is known to be away", || !is_used(&server));
    let log = read(world.log()).split_off(told);
    assert!(log.contains("reads do not use this standby"), "{log}");
}

#[test]
fn a_primary_is_not_used_as_a_standby() {
    let Some(cluster) = Cluster::start() else { return };
    let world = cluster.world();
    world.done(&["demo"]);
    let reads = world.account("one@gov.example", "regional-office", OFFICE);
    let server = world.serve_with(&[("RECTIFY_DATABASE_READ_URL", &world.url), ("RECTIFY_LOG", "info")]);
    eventually("it is told", || read(world.log()).contains("it is no standby"));
    assert!(!server.figures().contains("rectify_database_standby_used{") && shows(&server, &reads, "督察"));
}
