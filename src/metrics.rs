//! Serves `/metrics` for Prometheus and `/readyz` for monitoring a process without an API, on a separate port.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix_web::{App, HttpResponse, HttpServer, dev::Server, web};
use api::Probe;
use scheduler::LastTick;

use crate::Failure;
use crate::database::{Health, STATEMENTS};

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
    let mut text = format!(
        "# HELP rectify_sql_statements_total SQL statements sent to the database.\n\
         # TYPE rectify_sql_statements_total counter\n\
         rectify_sql_statements_total {}\n\
         # HELP rectify_mail_server_up Whether the mail server takes mails (1) or delivery has stopped (0).\n\
         # TYPE rectify_mail_server_up gauge\n\
         rectify_mail_server_up {}\n\
         # HELP rectify_webhooks_failing Receivers of messages to other systems that fail, or were disabled for it.\n\
         # TYPE rectify_webhooks_failing gauge\n\
         rectify_webhooks_failing {}\n",
        STATEMENTS.load(Ordering::Relaxed),
        u8::from(health.mail_outage().await.is_none()),
        health.failing_webhooks().await.len()
    );
    let schedules = health.schedules().await;
    text.push_str(
        "# HELP rectify_job_failures Attempts of an enabled job that have failed since its last success.\n\
         # TYPE rectify_job_failures gauge\n",
    );
    for row in &schedules {
        let _ = writeln!(text, "rectify_job_failures{{job=\"{}\"}} {}", row.name, row.failures);
    }
    text.push_str(
        "# HELP rectify_job_last_success_timestamp_seconds Unix time of the last success of an enabled job.\n\
         # TYPE rectify_job_last_success_timestamp_seconds gauge\n",
    );
    for (name, at) in schedules.iter().filter_map(|row| Some((&row.name, row.succeeded_at?))) {
        let _ = writeln!(text, "rectify_job_last_success_timestamp_seconds{{job=\"{name}\"}} {}", at.timestamp());
    }
    if let Some(last_tick) = last_tick.as_ref() {
        let _ = write!(
            text,
            "# HELP rectify_last_tick_timestamp_seconds Unix time of the last scheduler tick.\n\
             # TYPE rectify_last_tick_timestamp_seconds gauge\n\
             rectify_last_tick_timestamp_seconds {}\n",
            last_tick.at().timestamp()
        );
    }
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text)
}
