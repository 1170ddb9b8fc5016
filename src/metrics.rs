//! Serves `/metrics` for Prometheus and `/readyz` for monitoring a process without an API, on a separate port. Counts
//! what the program itself does; the API and the scheduler count what they do, in the same registry of the process.

#![expect(clippy::expect_used, reason = "constant names, each registered once; a story reads all families")]

use std::net::TcpListener;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, dev::Server, web};
use api::Probe;
use chrono::{DateTime, Utc};
use entity::schedule;
use prometheus::{
    Gauge, Histogram, IntCounter, IntGauge, IntGaugeVec, TEXT_FORMAT, TextEncoder, register_gauge, register_histogram,
    register_int_counter, register_int_gauge, register_int_gauge_vec,
};
use scheduler::LastTick;

use crate::database::Health;
use crate::{Failure, clock};

/// Upper bounds of the buckets of statements, in seconds.
const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0];

static STATEMENTS: LazyLock<IntCounter> = LazyLock::new(|| {
    register_int_counter!("rectify_sql_statements_total", "SQL statements sent to the database.").expect("valid")
});
static STATEMENT_SECONDS: LazyLock<Histogram> = LazyLock::new(|| {
    let help = "Time of SQL statements.";
    register_histogram!("rectify_sql_statement_duration_seconds", help, SECONDS.to_vec()).expect("valid")
});
static POOL: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "Connections to the database that are open, by state; those that the API keeps for reads are in use.";
    register_int_gauge_vec!("rectify_database_connections", help, &["state"]).expect("valid")
});
static POOL_MOST: LazyLock<IntGauge> = LazyLock::new(|| {
    let help = "Most connections to the database that this process may open.";
    register_int_gauge!("rectify_database_connections_max", help).expect("valid")
});
static OUTBOX: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "Mails of the outbox that are not sent, by state; read every 15 seconds at most.";
    register_int_gauge_vec!("rectify_outbox_mails", help, &["state"]).expect("valid")
});
static OUTBOX_OLDEST: LazyLock<IntGauge> = LazyLock::new(|| {
    let help = "Age of the oldest mail that waits to be sent; 0 if none waits.";
    register_int_gauge!("rectify_outbox_oldest_age_seconds", help).expect("valid")
});
static MAIL_SERVER: LazyLock<IntGauge> = LazyLock::new(|| {
    let help = "Whether the mail server takes mails (1) or delivery has stopped (0).";
    register_int_gauge!("rectify_mail_server_up", help).expect("valid")
});
static WEBHOOKS: LazyLock<IntGauge> = LazyLock::new(|| {
    let help = "Receivers of messages to other systems that fail, or were disabled for it.";
    register_int_gauge!("rectify_webhooks_failing", help).expect("valid")
});
static STANDBYS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "Whether reads use a standby of the database (1) or not (0): it lags, or cannot be reached.";
    register_int_gauge_vec!("rectify_database_standby_used", help, &["server"]).expect("valid")
});
static UNINDEXED: LazyLock<IntGauge> = LazyLock::new(|| {
    let help = "Texts that wait to be indexed for searches; the scheduler does so at each tick.";
    register_int_gauge!("rectify_search_unindexed_texts", help).expect("valid")
});
static JOB_FAILURES: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "Attempts of an enabled job that have failed since its last success.";
    register_int_gauge_vec!("rectify_job_failures", help, &["job"]).expect("valid")
});
static JOB_SUCCESS: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "Unix time of the last success of an enabled job.";
    register_int_gauge_vec!("rectify_job_last_success_timestamp_seconds", help, &["job"]).expect("valid")
});
static JOB_LAG: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "How long the next run of an enabled job has been due; 0 if none is.";
    register_int_gauge_vec!("rectify_job_lag_seconds", help, &["job"]).expect("valid")
});
static LAST_TICK: LazyLock<IntGauge> = LazyLock::new(|| {
    let help = "Unix time of the last scheduler tick.";
    register_int_gauge!("rectify_last_tick_timestamp_seconds", help).expect("valid")
});
static BACKUP_AGE: LazyLock<Gauge> = LazyLock::new(|| {
    let help = "Age of the last backup of the database; +Inf if none was made.";
    register_gauge!("rectify_backup_age_seconds", help).expect("valid")
});
static BUILD: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "Version of the program; always 1.";
    register_int_gauge_vec!("rectify_build_info", help, &["version"]).expect("valid")
});

/// Notes whether reads use a standby of the database; none if the server is no standby.
pub(crate) fn standby(server: &str, is_used: Option<bool>) {
    match is_used {
        Some(is_used) => STANDBYS.with_label_values(&[server]).set(is_used.into()),
        // It may never have been one.
        None => drop(STANDBYS.remove_label_values(&[server])),
    }
}

/// Counts a statement that was sent to the database.
pub(crate) fn statement(elapsed: Duration) {
    STATEMENTS.inc();
    STATEMENT_SECONDS.observe(elapsed.as_secs_f64());
}

/// Starts the server. `last_tick` is the scheduler's last tick; `None` if this process runs no scheduler.
pub(crate) fn serve(
    port: TcpListener,
    last_tick: Option<Arc<LastTick>>,
    health: Health,
    ready: Probe,
) -> Result<Server, Failure> {
    let (last_tick, health, ready) = (web::Data::new(last_tick), web::Data::new(health), web::Data::new(ready));
    let server = HttpServer::new(move || {
        App::new()
            // No public URL: this port is for the internal network and has no TLS.
            .wrap(api::headers(""))
            .app_data(last_tick.clone())
            .app_data(health.clone())
            .app_data(ready.clone())
            .route("/metrics", web::get().to(figures))
            .route("/readyz", web::get().to(readiness))
    })
    .workers(1)
    .disable_signals()
    .listen(port)
    .map_err(|error| Failure::Rejected(format!("无法监听 metrics_listen：{error}")))?;
    Ok(server.run())
}

async fn readiness(ready: web::Data<Probe>) -> HttpResponse {
    api::readiness(&ready).await
}

async fn figures(last_tick: web::Data<Option<Arc<LastTick>>>, health: web::Data<Health>) -> HttpResponse {
    MAIL_SERVER.set(i64::from(health.mail_outage().await.is_none()));
    WEBHOOKS.set(health.failing_webhooks().await.len() as i64);
    UNINDEXED.set(i64::try_from(health.unindexed().await).unwrap_or(i64::MAX));
    let outbox = health.outbox().await;
    let schedules = health.schedules().await;
    let now = clock::now();
    let age = |since: DateTime<Utc>| (now - since).num_seconds().max(0);
    for (state, mails) in [("queued", outbox.queued), ("sending", outbox.sending), ("failed", outbox.failed)] {
        OUTBOX.with_label_values(&[state]).set(mails);
    }
    OUTBOX_OLDEST.set(outbox.oldest.map_or(0, age));
    // A job that is disabled, and one that has not succeeded yet, has no figure.
    for of_jobs in [&*JOB_FAILURES, &*JOB_SUCCESS, &*JOB_LAG] {
        of_jobs.reset();
    }
    for job in &schedules {
        let name = &[job.name.as_str()];
        JOB_FAILURES.with_label_values(name).set(i64::from(job.failures));
        JOB_LAG.with_label_values(name).set(due_since(job, now).map_or(0, age));
        if let Some(at) = job.succeeded_at {
            JOB_SUCCESS.with_label_values(name).set(at.timestamp());
        }
    }
    if let Some(last_tick) = last_tick.as_ref() {
        LAST_TICK.set(last_tick.at().timestamp());
    }
    let backup = health.backup().await;
    BACKUP_AGE.set(backup.map_or(f64::INFINITY, |backup| age(backup.made_at) as f64));
    let pool = health.pool();
    POOL.with_label_values(&["idle"]).set(pool.idle);
    POOL.with_label_values(&["used"]).set((pool.size - pool.idle).max(0));
    POOL_MOST.set(pool.most);
    BUILD.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
    LazyLock::force(&STATEMENTS);
    LazyLock::force(&STATEMENT_SECONDS);
    match TextEncoder::new().encode_to_string(&prometheus::gather()) {
        Ok(text) => HttpResponse::Ok().content_type(TEXT_FORMAT).body(text),
        Err(error) => {
            tracing::error!(%error, "the figures for monitoring could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// Returns since when the next run of a job is due; none if it is not.
pub(crate) fn due_since(job: &schedule::Model, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let next = scheduler::occurrences(&job.cron, &job.time_zone, job.last_occurrence, 1).ok()?;
    next.first().copied().filter(|next| *next <= now)
}
