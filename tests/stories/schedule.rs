//! The scheduler: missed runs, concurrent schedulers, failing jobs and expired leases.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use entity::language::Language;
use ledger::record::delivery::{self, Fate};
use ledger::record::link_key::LinkKey;
use ledger::reminder::Timing;
use scheduler::{Context, Links, Post, Webhooks};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement};
use serde_json::{Value, json};

use crate::support::ledgers::{CITY_ROWS, ROUND, city};
use crate::support::way::Way;
use crate::support::{World, block_on, stories};

stories!(
    three_days_away_are_caught_up_and_never_doubled,
    two_schedulers_are_as_good_as_one,
    a_failing_job_is_seen_and_tried_again_after_growing_pauses,
    a_job_that_hangs_is_ended_and_tried_again,
    a_schedule_that_another_process_has_changed_is_obeyed,
    a_clock_that_was_ahead_silences_no_schedule,
    a_mail_whose_sender_died_is_sent_by_the_next,
    jobs_say_when_they_are_due,
);

fn county(world: &World) {
    let file = world.file("县.xlsx", &city(&CITY_ROWS));
    world.done(&["import", &file, "--round", ROUND, "--region", "540329", "--issued-by", "540300", "--create-units"]);
    world.entered("2022-12-01");
    world.done(&["unit", "set", "洛隆县人民政府", "--mail", "gov@county.example"]);
}

/// Returns the addresses that links in mails lead to; without tokens, so that snapshots do not change.
fn links() -> Links {
    Links::new("http://ledger.example", "{public_url}/?id={id}", LinkKey::new("story"))
}

/// Returns a scheduler whose clock shows the given moment.
pub(crate) fn context(world: &World, db: &DatabaseConnection, now: &str) -> Context {
    // As the program does at its start, for the client of webhooks.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let now: DateTime<Utc> = now.parse().unwrap();
    let folder = format!("file:{}", world.dir.path().join("mail").display());
    Context {
        db: db.clone(),
        zone: chrono_tz::Asia::Shanghai,
        timing: Timing::default(),
        grace_days: 30,
        retention: ledger::record::retention::Retention { session_days: 180, mail_days: 1_095 },
        writer: scheduler::writer(links(), Language::Zh).unwrap(),
        audit_key: None,
        audit_head_mail: String::new(),
        post: Arc::new(Post::open(&folder, "ledger@county.example").unwrap()),
        bounce_mailbox: None,
        webhooks: Webhooks::new(&["127.0.0.0/8".to_owned()], "http://ledger.example", Language::Zh).unwrap(),
        patience: scheduler::PATIENCE,
        silence: scheduler::SILENCE,
        token: format!("story-{}", fastrand::u64(..)),
        clock: Arc::new(move || now),
        stopping: Arc::new(|| false),
    }
}

/// Ticks once and delivers the mails that are due.
async fn tick(context: &Context) {
    for run in scheduler::tick(context).await.unwrap() {
        scheduler::carry_out(context, run).await.unwrap();
    }
}

async fn rows(db: &DatabaseConnection, sql: &str) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap();
    rows.into_iter().map(|row| row.try_get::<String>("", "line").unwrap()).collect()
}

const RUNS: &str = "SELECT r.state || ' ' || r.mails_queued AS line FROM job_run r \
                    JOIN schedule s ON s.id = r.schedule_id \
                    WHERE s.name = 'overdue' ORDER BY r.occurrence";

fn three_days_away_are_caught_up_and_never_doubled(world: &World) {
    county(world);
    block_on(async {
        let db = world.db().await;
        let zone = chrono_tz::Asia::Shanghai;
        scheduler::ensure_schedules(&db, zone, "2022-12-31T01:00:00Z".parse().unwrap()).await.unwrap();
        // No scheduler ran on the mornings of 1, 2 and 3 January.
        tick(&context(world, &db, "2023-01-03T04:00:00Z")).await;
        assert_eq!(rows(&db, RUNS).await, ["SKIPPED 0", "SKIPPED 0", "SUCCEEDED 1"]);
        tick(&context(world, &db, "2023-01-03T04:01:00Z")).await;
        tick(&context(world, &db, "2023-01-04T00:00:30Z")).await;
        assert_eq!(rows(&db, RUNS).await, ["SKIPPED 0", "SKIPPED 0", "SUCCEEDED 1", "SUCCEEDED 0"]);
        let mails = "SELECT kind || ' ' || state AS line FROM mail WHERE kind = 'overdue'";
        assert_eq!(rows(&db, mails).await, ["overdue SENT"]);
        db.execute_unprepared("UPDATE schedule SET misfire = 'ALL' WHERE name = 'overdue'").await.unwrap();
        tick(&context(world, &db, "2023-01-07T04:00:00Z")).await;
        assert_eq!(rows(&db, RUNS).await.len(), 7, "each missed morning must be run");
        assert_eq!(rows(&db, mails).await.len(), 1, "but no address may get two digests within a week");
    });
}

fn two_schedulers_are_as_good_as_one(world: &World) {
    county(world);
    block_on(async {
        let (one, other) = (world.db().await, world.db().await);
        let zone = chrono_tz::Asia::Shanghai;
        scheduler::ensure_schedules(&one, zone, "2023-01-01T20:00:00Z".parse().unwrap()).await.unwrap();
        let (first, second) =
            (context(world, &one, "2023-01-02T00:00:10Z"), context(world, &other, "2023-01-02T00:00:10Z"));
        tokio::join!(tick(&first), tick(&second));
        // A scheduler skips schedules that the other has locked; the next tick completes what is left.
        tick(&context(world, &one, "2023-01-02T00:01:10Z")).await;
        assert_eq!(rows(&one, RUNS).await, ["SUCCEEDED 1"]);
        let sent = "SELECT state || ' ' || attempts AS line FROM mail WHERE kind = 'overdue'";
        assert_eq!(rows(&one, sent).await, ["SENT 1"]);
    });
}

fn a_failing_job_is_seen_and_tried_again_after_growing_pauses(world: &World) {
    county(world);
    let server = world.serve();
    let state = || {
        let fields = "name failures failingSince retryAt succeededAt runs(first: 1) { nodes { \
                      state attempts failureKind error startedAt finishedAt } }";
        let data = server.data(&format!("{{ schedules {{ {fields} }} }}"), &json!({}));
        let found = data["schedules"].as_array().unwrap().iter().find(|one| one["name"] == "overdue").cloned();
        found.unwrap()
    };
    let ticked = |now: &str| block_on(async { tick(&context(world, &world.db().await, now)).await });
    let changed = |sql: &str| block_on(async { world.db().await.execute_unprepared(sql).await.unwrap() });
    let failures = "rectify_job_failures{job=\"overdue\"}";
    block_on(async {
        let began = "2023-01-01T20:00:00Z".parse().unwrap();
        scheduler::ensure_schedules(&world.db().await, chrono_tz::Asia::Shanghai, began).await.unwrap();
    });
    changed("ALTER TABLE unit_address RENAME TO unit_address_away");

    ticked("2023-01-02T00:00:10Z");
    let failed = state();
    let run = &failed["runs"]["nodes"][0];
    assert_eq!(
        (&run["state"], &run["attempts"], &run["failureKind"]),
        (&json!("FAILED"), &json!(1), &json!("DATABASE"))
    );
    assert!(run["error"].as_str().unwrap().contains("unit_address"), "the error must say what failed: {run}");
    let moment = |value: &Value| value.as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(moment(&run["finishedAt"]) >= moment(&run["startedAt"]), "{run}");
    assert_eq!(failed["retryAt"], "2023-01-02T00:01:00+00:00");
    let ready = server.get("/readyz");
    assert_eq!(ready.status, 200, "the service can serve");
    assert!(ready.body.contains("\ndegraded: job overdue: fails since 2023-01-02T00:00:"), "{}", ready.body);
    assert!(!ready.body.contains("unit_address"), "probes are public: {}", ready.body);
    assert_eq!(server.figure(failures), 1);

    ticked("2023-01-02T00:01:10Z");
    ticked("2023-01-02T00:02:10Z");
    let again = state();
    assert_eq!((&again["failures"], &again["retryAt"]), (&json!(2), &json!("2023-01-02T00:06:00+00:00")));
    assert_eq!(again["failingSince"], failed["failingSince"]);
    assert_eq!(again["runs"]["nodes"][0]["attempts"], 2, "no attempt before the pause is over");

    changed("ALTER TABLE unit_address_away RENAME TO unit_address");
    // A policy that skips what was missed must not skip what has failed.
    changed("UPDATE schedule SET misfire = 'SKIP' WHERE name = 'overdue'");
    ticked("2023-01-02T00:06:10Z");
    let whole = state();
    let run = &whole["runs"]["nodes"][0];
    assert_eq!((&run["state"], &run["attempts"], &run["error"]), (&json!("SUCCEEDED"), &json!(3), &Value::Null));
    assert_eq!((&whole["failures"], &whole["failingSince"]), (&json!(0), &Value::Null));
    assert!(!server.get("/readyz").body.contains("degraded"));
    assert_eq!(server.figure(failures), 0);
    let success = server.figure("rectify_job_last_success_timestamp_seconds{job=\"overdue\"}");
    assert!(success.cast_signed() >= moment(&json!("2023-01-02T00:06:10Z")).timestamp());
}

fn a_job_that_hangs_is_ended_and_tried_again(world: &World) {
    county(world);
    let server = world.serve();
    let state = || {
        let query = "{ schedules { name failures retryAt runs(first: 1) { nodes { state failureKind error } } } }";
        let data = server.data(query, &json!({}));
        data["schedules"].as_array().unwrap().iter().find(|one| one["name"] == "overdue").unwrap().clone()
    };
    block_on(async {
        let (db, other) = (world.db().await, world.db().await);
        let began = "2023-01-01T20:00:00Z".parse().unwrap();
        scheduler::ensure_schedules(&db, chrono_tz::Asia::Shanghai, began).await.unwrap();
        db.execute_unprepared("UPDATE schedule SET enabled = (name = 'overdue')").await.unwrap();
        // The job waits for somebody who holds what it reads, or on SQLite the database, and does not let go.
        let hold = ledger::record::database::begin(&other).await.unwrap();
        if db.get_database_backend() == sea_orm::DbBackend::Postgres {
            hold.execute_unprepared("LOCK TABLE unit_address IN ACCESS EXCLUSIVE MODE").await.unwrap();
        }
        let hangs = Context { patience: Duration::from_millis(200), ..context(world, &db, "2023-01-02T00:00:10Z") };
        let letting_go = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            hold.rollback().await.unwrap();
        };
        tokio::join!(tick(&hangs), letting_go);
        let failed = state();
        let run = &failed["runs"]["nodes"][0];
        assert_eq!((&run["state"], &run["failureKind"]), (&json!("FAILED"), &json!("TIMED_OUT")));
        assert!(run["error"].as_str().unwrap().contains("没有完成"), "{run}");
        assert_eq!((&failed["failures"], &failed["retryAt"]), (&json!(1), &json!("2023-01-02T00:01:00+00:00")));
        assert!(server.get("/readyz").body.contains("\ndegraded: job overdue"), "{}", server.get("/readyz").body);
        assert_eq!(rows(&db, "SELECT state AS line FROM mail WHERE kind = 'overdue'").await, Vec::<String>::new());
        tick(&context(world, &db, "2023-01-02T00:01:10Z")).await;
    });
    let whole = state();
    assert_eq!((&whole["failures"], &whole["runs"]["nodes"][0]["state"]), (&json!(0), &json!("SUCCEEDED")));
    assert!(!server.get("/readyz").body.contains("degraded"));
}

#[test]
fn a_delivery_whose_database_falls_silent_ends_and_the_next_one_sends() {
    let Some(world) = World::postgres() else { return };
    county(&world);
    let way = Way::to(&world.url);
    block_on(async {
        let db = world.db().await;
        let silent = Database::connect(&way.url).await.unwrap();
        let began = "2023-01-01T20:00:00Z".parse().unwrap();
        scheduler::ensure_schedules(&db, chrono_tz::Asia::Shanghai, began).await.unwrap();
        let due = scheduler::tick(&context(&world, &db, "2023-01-02T00:00:10Z")).await.unwrap();
        // The answer to the first transaction of the delivery never comes, and no connection is closed.
        let hangs = Context { silence: Duration::from_secs(3), ..context(&world, &silent, "2023-01-02T00:00:20Z") };
        way.arm();
        for run in due {
            scheduler::carry_out(&hangs, run).await.unwrap();
        }
        assert!(way.open(), "the delivery must have ended while it waited");
        let failed = "SELECT r.state || ' ' || r.failure_kind || ' ' || r.error AS line FROM job_run r \
                      JOIN schedule s ON s.id = r.schedule_id WHERE s.name = 'deliver-mail'";
        let failed = rows(&db, failed).await;
        assert!(failed[0].starts_with("FAILED DATABASE") && failed[0].contains("does not answer"), "{failed:?}");
        let mails = "SELECT kind || ' ' || state AS line FROM mail WHERE kind = 'overdue'";
        assert_eq!(rows(&db, mails).await, ["overdue QUEUED"]);
        tick(&context(&world, &db, "2023-01-02T00:02:10Z")).await;
        assert_eq!(rows(&db, mails).await, ["overdue SENT"]);
    });
}

fn a_schedule_that_another_process_has_changed_is_obeyed(world: &World) {
    county(world);
    // The API is served by one process; another one ticks, and keeps nothing of schedules in memory.
    let (server, _) = world.serve_under_clock("2023-01-02T08:01");
    block_on(async {
        let db = world.db().await;
        scheduler::ensure_schedules(&db, chrono_tz::Asia::Shanghai, "2023-01-01T20:00:00Z".parse().unwrap())
            .await
            .unwrap();
        tick(&context(world, &db, "2023-01-02T00:00:10Z")).await;
        assert_eq!(rows(&db, RUNS).await, ["SUCCEEDED 1"]);
        let find = server.data("{ schedules { id name } }", &json!({}));
        let found = find["schedules"].as_array().unwrap().iter().find(|one| one["name"] == "overdue").unwrap();
        let edit = |changes: Value| {
            let mut input = json!({ "scheduleId": found["id"] });
            input.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            let query = "mutation($input: EditScheduleInput!) { editSchedule(input: $input) { errors { message } } }";
            assert_eq!(server.data(query, &json!({ "input": input }))["editSchedule"]["errors"], json!([]));
        };
        edit(json!({ "cron": "0 30 9 * * *" }));
        tick(&context(world, &db, "2023-01-02T01:29:50Z")).await;
        assert_eq!(rows(&db, RUNS).await.len(), 1);
        // No tick began at half past nine, as after the clock was set; the next one finds what is due.
        tick(&context(world, &db, "2023-01-02T01:31:20Z")).await;
        assert_eq!(rows(&db, RUNS).await, ["SUCCEEDED 1", "SUCCEEDED 0"]);
        edit(json!({ "enabled": false }));
        tick(&context(world, &db, "2023-01-03T01:31:20Z")).await;
        assert_eq!(rows(&db, RUNS).await.len(), 2);
    });
}

fn a_clock_that_was_ahead_silences_no_schedule(world: &World) {
    county(world);
    block_on(async {
        let db = world.db().await;
        let began = "2023-01-01T20:00:00Z".parse().unwrap();
        scheduler::ensure_schedules(&db, chrono_tz::Asia::Shanghai, began).await.unwrap();
        // The clock is two days ahead for one tick.
        tick(&context(world, &db, "2023-01-04T00:00:10Z")).await;
        let moved = "SELECT name AS line FROM schedule WHERE name = 'overdue' AND last_occurrence > '2023-01-03'";
        assert_eq!(rows(&db, moved).await, ["overdue"]);
        tick(&context(world, &db, "2023-01-02T04:00:00Z")).await;
        assert!(rows(&db, moved).await.is_empty(), "the schedule must be taken back");
        let latest = "SELECT r.state || ' ' || coalesce(r.failure_kind, '-') || ' ' || r.attempts AS line \
                      FROM job_run r JOIN schedule s ON s.id = r.schedule_id \
                      WHERE s.name = 'overdue' AND r.occurrence > '2023-01-03T12:00:00Z' ORDER BY r.occurrence";
        assert_eq!(rows(&db, latest).await, ["FAILED CLOCK 1"]);
        tick(&context(world, &db, "2023-01-04T00:00:10Z")).await;
        assert_eq!(rows(&db, latest).await, ["SUCCEEDED - 2"], "the occurrence must be run when it is due");
    });
}

fn a_mail_whose_sender_died_is_sent_by_the_next(world: &World) {
    county(world);
    world.done(&["job", "run", "overdue", "--at", "2023-01-02"]);
    block_on(async {
        let db = world.db().await;
        let noon: DateTime<Utc> = "2023-01-02T04:00:00Z".parse().unwrap();
        // A sender claims the mail and dies.
        let dead = delivery::claim(&db, "dead", (noon, noon), 10).await.unwrap();
        assert_eq!(dead.len(), 1);
        let again = delivery::claim(&db, "other", (noon, noon), 10).await.unwrap();
        assert!(again.is_empty(), "a claimed mail cannot be claimed again");
        let deliver = scheduler::find("deliver-mail").unwrap();
        let state = "SELECT state || ' ' || attempts AS line FROM mail";
        let early = context(world, &db, "2023-01-02T04:00:35Z");
        scheduler::run_at(&early, deliver, "2023-01-02T04:00:35Z".parse().unwrap(), false).await.unwrap();
        assert_eq!(rows(&db, state).await, ["SENDING 1"], "the lease has not expired yet");
        let late = context(world, &db, "2023-01-02T04:00:45Z");
        scheduler::run_at(&late, deliver, "2023-01-02T04:00:45Z".parse().unwrap(), false).await.unwrap();
        assert_eq!(rows(&db, state).await, ["SENT 2"], "an expired lease counts as an attempt");
        // The first sender returns: its fencing token is outdated, so its result is ignored.
        let outcome = (dead[0].clone(), Fate::Retry("late".to_owned()));
        assert_eq!(delivery::settle(&db, "dead", &[outcome], noon).await.unwrap(), 1);
        assert_eq!(rows(&db, state).await, ["SENT 2"]);
        assert_eq!(
            std::fs::read_dir(world.dir.path().join("mail")).unwrap().count(),
            2,
            "expected one .eml and one .html"
        );
    });
}

fn jobs_say_when_they_are_due(world: &World) {
    world.done(&["migrate"]);
    let said = world.done(&["job", "list"]);
    let list = |job: &scheduler::Job| said.split(&format!("{}（", job.name)).nth(1).unwrap().lines().skip(1).take(6);
    assert!(scheduler::JOBS.iter().all(|job| list(job).count() == 6), "{said}");
    let reminders = scheduler::JOBS.iter().filter(|job| job.cron == "0 0 8 * * *");
    let mornings: Vec<usize> =
        reminders.map(|job| list(job).filter(|line| line.ends_with("08:00:00 +08:00")).count()).collect();
    assert_eq!(mornings, [5; 11], "expected five mornings for each of eleven jobs: {said}");
    assert_eq!(world.run(&["job", "run", "nonsense"]).code, 2);
    assert_eq!(world.run(&["job", "run", "overdue", "--at", "tomorrow"]).code, 2);
}
