//! Acts on the same problem at the same moment: none is lost, and none is done on what another has changed.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use chrono::DateTime;
use entity::{assignment, measure, problem, progress_report};
use ledger::record::database;
use ledger::rule::roll_up;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, QueryFilter, QueryOrder, Statement,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::support::{Server, World, block_on, eventually, stories};

stories!(what_people_report_at_the_same_moment_is_kept_whole);

/// How many people report, and how often each of them on each assignment.
const PEOPLE: usize = 6;
const TIMES: usize = 3;

fn what_people_report_at_the_same_moment_is_kept_whole(world: &World) {
    world.done(&["demo", "--bare"]);
    let server = world.serve();
    let assignments = of_one_problem(&server);
    let text = "同时填报";
    let merged = AtomicUsize::new(0);
    thread::scope(|scope| {
        for person in 0..PEOPLE {
            let (server, assignments) = (&server, &assignments);
            scope.spawn(move || {
                for turn in 0..TIMES * assignments.len() {
                    let one = &assignments[(person + turn) % assignments.len()];
                    // What was reported meanwhile is read before it is tried again.
                    let refused = || report(server, &one["id"], version(server, &one["id"]), text);
                    assert!((0..1_000).any(|_| refused().is_none()), "a report is refused again and again");
                }
            });
        }
        // Meanwhile others write to the same chain of the audit.
        scope.spawn(|| {
            let comment = "mutation($input: CommentOnMeasureInput!) {
                commentOnMeasure(input: $input) { errors { code } } }";
            for turn in 0..2 * PEOPLE {
                let input =
                    json!({"measureId": assignments[turn % assignments.len()]["measure"]["id"], "text": "已阅"});
                assert_eq!(server.data(comment, &json!({ "input": input }))["commentOnMeasure"]["errors"], json!([]));
            }
        });
        // And units merge, which moves assignments without an entry in that chain.
        scope.spawn(|| {
            let busy: BTreeSet<&str> = assignments.iter().filter_map(|one| one["unit"]["id"].as_str()).collect();
            let units = server.data("{ units(first: 200) { nodes { id } } }", &json!({}))["units"]["nodes"].clone();
            let units = units.as_array().unwrap().iter().filter_map(|unit| unit["id"].as_str());
            let others = units.filter(|unit| !busy.contains(unit));
            let unit = "query($id: ID!) { node(id: $id) { ... on Unit { version } } }";
            let merge = "mutation($input: MergeUnitsInput!) { mergeUnits(input: $input) { errors { code } } }";
            for (unit_id, into) in busy.iter().zip(others) {
                let version = server.data(unit, &json!({ "id": unit_id }))["node"]["version"].clone();
                let input = json!({"unitId": unit_id, "version": version, "intoId": into});
                let errors = server.data(merge, &json!({ "input": input }))["mergeUnits"]["errors"].clone();
                // Units that both worked on one measure are not merged.
                assert!(errors == json!([]) || errors[0]["code"] == "CONFLICT", "{errors}");
                merged.fetch_add(usize::from(errors == json!([])), Ordering::Relaxed);
            }
        });
    });
    assert!(merged.load(Ordering::Relaxed) > 0, "no units were merged");
    block_on(async {
        let db = world.db().await;
        let of_text = progress_report::Entity::find().filter(progress_report::Column::Text.eq(text));
        let mut reports: HashMap<i64, usize> = HashMap::new();
        for one in of_text.all(&db).await.unwrap() {
            *reports.entry(one.assignment_id).or_default() += 1;
        }
        assert_eq!(reports.len(), assignments.len());
        assert!(reports.values().all(|reports| *reports == PEOPLE * TIMES), "{reports:?}");
        // Nothing is left to roll up.
        let before = rows(&db).await;
        let transaction = database::begin(&db).await.unwrap();
        let problems: Vec<i64> = before.0.iter().map(|problem| problem.id).collect();
        roll_up::problems(&transaction, &problems, DateTime::UNIX_EPOCH).await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!(rows(&db).await, before);
        db.close().await.unwrap();
    });
    let audit = world.done(&["audit", "verify"]);
    assert!(audit.contains("无缺失"), "{audit}");
    assert!(world.done(&["statistics", "check"]).contains("一致"));
}

/// Locks the problem of an assignment, as an act does.
const PROBLEM: &str = "SELECT p.id FROM problem p JOIN measure m ON m.problem_id = p.id \
    JOIN assignment a ON a.measure_id = m.id WHERE a.id = $1 FOR UPDATE OF p";
/// Lets reports read, and wait when they write.
const REPORTS: &str = "LOCK TABLE progress_report IN EXCLUSIVE MODE";
/// What another act writes to the assignment, to its problem, and to the problem's chain of the audit.
const MOVED: &str = "UPDATE assignment SET version = version + 1 WHERE id = $1";
const GROWN: &str = "UPDATE problem SET version = version + 1 WHERE id = (SELECT m.problem_id FROM measure m \
    JOIN assignment a ON a.measure_id = m.id WHERE a.id = $1)";
const NOTED: &str = "INSERT INTO audit_entry (chain, position, act, object, at, before, after, previous, hash) \
    SELECT e.chain, e.position + 1, 'EDITED', e.chain, e.at, '{}', '{}', e.hash, 'x' FROM audit_entry e \
    WHERE e.chain = (SELECT 'problem_' || m.problem_id FROM measure m JOIN assignment a ON a.measure_id = m.id \
    WHERE a.id = $1) ORDER BY e.position DESC LIMIT 1";

#[test]
fn a_report_is_not_written_on_what_another_act_has_changed_since_it_was_read() {
    let Some(world) = World::postgres() else { return };
    world.done(&["demo", "--bare"]);
    let server = world.serve();
    let one = of_one_problem(&server)[0]["id"].clone();
    assert_eq!(report(&server, &one, version(&server, &one), "第一次"), None, "there is a chain of the audit");
    // One runtime, because the connection that holds the lock belongs to it.
    let runtime = Runtime::new().unwrap();
    let db = runtime.block_on(world.db());
    let of = |text: &str| match text {
        REPORTS => Statement::from_string(DbBackend::Postgres, text),
        text => Statement::from_sql_and_values(DbBackend::Postgres, text, [key(&one).into()]),
    };
    for (locked, changed, is_stale) in [
        (PROBLEM, [].as_slice(), false),
        (PROBLEM, &[MOVED], true),
        (REPORTS, &[], false),
        (REPORTS, &[GROWN], false),
        (REPORTS, &[GROWN, MOVED], true),
        (REPORTS, &[NOTED], false),
        (REPORTS, &[NOTED, MOVED], true),
    ] {
        let version = version(&server, &one);
        let lock = runtime.block_on(database::begin(&db)).unwrap();
        runtime.block_on(lock.query_all_raw(of(locked))).unwrap();
        thread::scope(|scope| {
            let reported = scope.spawn(|| report(&server, &one, version, "等待锁"));
            eventually("the report does not wait for the lock", || {
                let waits =
                    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
                let waits = Statement::from_string(DbBackend::Postgres, waits);
                runtime.block_on(db.query_one_raw(waits)).unwrap().is_some()
            });
            for change in changed {
                assert_eq!(runtime.block_on(lock.execute_raw(of(change))).unwrap().rows_affected(), 1, "{change}");
            }
            runtime.block_on(lock.commit()).unwrap();
            let refused = reported.join().unwrap();
            assert_eq!(refused.as_deref(), is_stale.then_some("STALE_VERSION"), "{locked} {changed:?}");
        });
    }
}

/// Returns the assignments in progress of the problem that has the most of them.
fn of_one_problem(server: &Server) -> Vec<Value> {
    let all = "{ assignments(first: 200, filter: {status: [IN_PROGRESS]}) { nodes {
        id unit { id } measure { id problem { id } } } } }";
    let found = server.data(all, &json!({}))["assignments"]["nodes"].as_array().unwrap().clone();
    let mut problems: HashMap<String, Vec<Value>> = HashMap::new();
    for one in found {
        problems.entry(one["measure"]["problem"]["id"].to_string()).or_default().push(one);
    }
    let most = problems.into_values().max_by_key(Vec::len).unwrap();
    assert!(most.len() > 3, "{most:?}");
    most
}

fn version(server: &Server, id: &Value) -> i64 {
    let read = "query($id: ID!) { node(id: $id) { ... on Assignment { version } } }";
    server.data(read, &json!({ "id": id }))["node"]["version"].as_i64().unwrap()
}

/// Returns the key in a global id.
fn key(id: &Value) -> i64 {
    id.as_str().unwrap().rsplit('_').next().unwrap().parse().unwrap()
}

/// Submits a report on this version of an assignment, and returns the code of the error if it is refused.
fn report(server: &Server, id: &Value, version: i64, text: &str) -> Option<String> {
    let report = "mutation($input: ReportProgressInput!) { reportProgress(input: $input) {
        assignment { version } errors { code message } } }";
    let quantities = json!([{"label": "管网", "done": fastrand::u32(0..100), "target": 100}]);
    let input = json!({"assignmentId": id, "version": version, "period": "2025-10", "text": text,
        "quantities": quantities});
    let payload = server.data(report, &json!({ "input": input }))["reportProgress"].clone();
    let errors = payload["errors"].as_array().unwrap();
    assert!(errors.is_empty() || errors[0]["code"] == "STALE_VERSION", "{payload}");
    errors.first().map(|error| error["code"].as_str().unwrap().to_owned())
}

/// All problems, measures and assignments.
type Rows = (Vec<problem::Model>, Vec<measure::Model>, Vec<assignment::Model>);

async fn rows(db: &DatabaseConnection) -> Rows {
    async fn all<E: EntityTrait>(db: &DatabaseConnection, key: E::Column) -> Vec<E::Model> {
        E::find().order_by_asc(key).all(db).await.unwrap()
    }
    (
        all::<problem::Entity>(db, problem::Column::Id).await,
        all::<measure::Entity>(db, measure::Column::Id).await,
        all::<assignment::Entity>(db, assignment::Column::Id).await,
    )
}
