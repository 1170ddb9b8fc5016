//! What a server answers that is asked more than it can do.

use sea_orm::{ConnectionTrait, DbBackend};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{World, stories};

stories!(dear_operations_are_refused_beyond_their_bound_and_cheap_ones_are_answered,);

fn dear_operations_are_refused_beyond_their_bound_and_cheap_ones_are_answered(world: &World) {
    world.done(&["demo"]);
    let server = world.serve_with(&[
        ("RECTIFY_DEAR_COST", "50"),
        ("RECTIFY_MAX_DEAR_RUNNING", "1"),
        ("RECTIFY_MAX_DEAR_WAITING", "1"),
    ]);
    let write = "mutation($input: CommentOnMeasureInput!) { commentOnMeasure(input: $input) { errors { code } \
        measure { comments(first: 100) { nodes { text } } } } }";
    let input = json!({"measureId": "measure_1", "text": "请加快整改。"});
    let dear = || server.ask(&json!({ "query": write, "variables": { "input": input } }), &[]);
    let cheap = || server.ask(&json!({"query": "{ regions(first: 1) { nodes { name } } }"}), &[]);
    let search =
        || server.ask(&json!({"query": "{ problems(filter: {text: {search: \"水\"}}) { nodes { id } } }"}), &[]);
    let until = |figure: &str| {
        let mut asked = 0;
        while server.figure(&format!("{figure}{{lane=\"dear\"}}")) == 0 {
            asked += 1;
            assert!(asked < 10_000, "{figure} stays 0");
        }
    };
    assert_eq!((cheap().code().as_str(), search().code().as_str()), ("", ""));
    // Nobody can write, so the first dear operation runs until the lock is released.
    // One runtime, because the connection that holds the lock belongs to it.
    let runtime = Runtime::new().unwrap();
    let lock = runtime.block_on(async {
        let lock = ledger::record::database::begin(&world.db().await).await.unwrap();
        if lock.get_database_backend() == DbBackend::Postgres {
            lock.execute_unprepared("LOCK TABLE comment IN ACCESS EXCLUSIVE MODE").await.unwrap();
        }
        lock
    });
    std::thread::scope(|scope| {
        let first = scope.spawn(dear);
        until("rectify_operations_running");
        let second = scope.spawn(dear);
        until("rectify_operations_waiting");
        for refused in [dear(), search()] {
            assert_eq!((refused.status, refused.code().as_str()), (503, "UNAVAILABLE"), "{}", refused.body);
            assert_eq!(refused.header("retry-after"), "2");
        }
        assert_eq!(server.figure("rectify_operations_shed_total{lane=\"dear\"}"), 2);
        assert_eq!(cheap().code(), "", "a cheap operation waits for no dear one");
        assert_eq!((server.get("/healthz").status, server.get("/readyz").status), (200, 200));
        runtime.block_on(lock.rollback()).unwrap();
        for held in [first, second] {
            let held: Value = held.join().unwrap().json();
            assert_eq!(held["data"]["commentOnMeasure"]["errors"], json!([]), "{held}");
        }
    });
    assert_eq!(server.figure("rectify_operations_running{lane=\"dear\"}"), 0);
}
