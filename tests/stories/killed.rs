//! A server that is killed at any moment leaves no partial change: every change is stored with its audit entry, figures
//! and roll-up, or not at all.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity::{assignment, audit_entry, change, check, measure, progress_report};
use sea_orm::{DatabaseConnection, EntityTrait};
use serde_json::{Value, json};

use crate::support::{Server, World, block_on, stories};

stories!(nothing_is_half_written_however_often_the_server_is_killed);

/// How often the server is killed, unless `RECTIFY_TEST_KILLS` says otherwise.
const KILLS: usize = 12;

fn nothing_is_half_written_however_often_the_server_is_killed(world: &World) {
    let kills = std::env::var("RECTIFY_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(KILLS);
    world.done(&["demo", "--bare"]);
    let before = block_on(Rows::read(world));
    let mut random = fastrand::Rng::with_seed(11);
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..kills {
        let server = world.serve();
        let open = "{ assignments(first: 200, filter: {status: [ASSIGNED, IN_PROGRESS, SUBMITTED, RETURNED]}) {
            nodes { id version status } } }";
        let found = server.data(open, &json!({}))["assignments"]["nodes"].as_array().unwrap().clone();
        let base = server.base.clone();
        let workers: Vec<_> = (0..3)
            .map(|worker| {
                let (base, done) = (base.clone(), done.clone());
                let mine: Vec<Value> = found.iter().skip(worker).step_by(3).cloned().collect();
                std::thread::spawn(move || work(&base, &mine, &done))
            })
            .collect();
        std::thread::sleep(Duration::from_millis(random.u64(20..250)));
        // Dropping the server kills its process.
        drop(server);
        for worker in workers {
            worker.join().unwrap();
        }
    }
    assert!(done.load(Ordering::Relaxed) > kills, "too few operations ran before the server was killed: {done:?}");
    let audit = world.done(&["audit", "verify"]);
    assert!(audit.contains("无缺失"), "{audit}");
    assert!(world.done(&["statistics", "check"]).contains("一致"));
    let after = block_on(Rows::read(world));
    after.is_whole(&before);
}

/// Reports progress, returns applications and records checks until the server is gone.
fn work(base: &str, assignments: &[Value], done: &AtomicUsize) {
    let agent = Server::agent();
    for one in assignments {
        let (id, version) = (&one["id"], &one["version"]);
        let (name, kind, input) = match one["status"].as_str() {
            Some("SUBMITTED") => (
                "returnCloseOut",
                "ReturnCloseOutInput",
                json!({"assignmentId": id, "version": version, "reason": "请补充材料"}),
            ),
            Some("RETURNED") => (
                "recordCheck",
                "RecordCheckInput",
                json!({"assignmentId": id, "kind": "SELF_INSPECTION", "result": "PASSED"}),
            ),
            _ => (
                "reportProgress",
                "ReportProgressInput",
                json!({"assignmentId": id, "version": version, "period": "2025-10", "text": "推进中",
                    "completedOn": "2026-01-01", "quantities": [{"label": "管网", "done": 1, "target": 2}]}),
            ),
        };
        let query = format!("mutation($input: {kind}!) {{ {name}(input: $input) {{ errors {{ code message }} }} }}");
        let body = json!({ "query": query, "variables": {"input": input} }).to_string();
        let request = agent.post(format!("{base}/graphql")).header("content-type", "application/json");
        if request.send(body).is_err() {
            return;
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// The rows that a change consists of.
struct Rows {
    assignments: Vec<assignment::Model>,
    measures: Vec<measure::Model>,
    reports: usize,
    checks: usize,
    changes: Vec<change::Model>,
    audit: Vec<audit_entry::Model>,
}

impl Rows {
    async fn read(world: &World) -> Self {
        async fn all<E: EntityTrait>(db: &DatabaseConnection) -> Vec<E::Model> {
            E::find().all(db).await.unwrap()
        }
        let db = world.db().await;
        let rows = Self {
            assignments: all::<assignment::Entity>(&db).await,
            measures: all::<measure::Entity>(&db).await,
            reports: all::<progress_report::Entity>(&db).await.len(),
            checks: all::<check::Entity>(&db).await.len(),
            changes: all::<change::Entity>(&db).await,
            audit: all::<audit_entry::Entity>(&db).await,
        };
        db.close().await.unwrap();
        rows
    }

    fn acts(&self, act: &str) -> usize {
        self.audit.iter().filter(|entry| entry.act == act).count()
    }

    /// Asserts that every change since `before` is stored completely.
    fn is_whole(&self, before: &Self) {
        assert_eq!(self.reports - before.reports, self.acts("PROGRESS_REPORTED"), "a report without its audit entry");
        let new_checks = self.checks - before.checks;
        assert!(new_checks <= self.acts("CHECKED"), "a check without its audit entry");
        let of_work = self.audit.iter().filter(|entry| entry.assignment_id.is_some()).count();
        assert_eq!(self.changes.len() - before.changes.len(), of_work, "a change without its audit entry");
        let mut steps: HashMap<i64, i32> = HashMap::new();
        for entry in self.audit.iter().filter(|entry| entry.after.contains("\"version\"")) {
            *steps.entry(entry.assignment_id.unwrap()).or_default() += 1;
        }
        let mut of_measure: HashMap<i64, Vec<&assignment::Model>> = HashMap::new();
        for row in &self.assignments {
            assert_eq!(row.version, 1 + steps.get(&row.id).copied().unwrap_or_default(), "{row:?}");
            of_measure.entry(row.measure_id).or_default().push(row);
        }
        for measure in &self.measures {
            let answers = &of_measure[&measure.id];
            let status = ledger::rule::workflow::roll_up(answers.iter().map(|answer| answer.status));
            assert_eq!(Some(measure.status), status, "{measure:?}");
        }
    }
}
