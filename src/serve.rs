//! `rectify serve`: API and scheduler in one process, or one of them.

use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_cors::Cors;
use actix_web::dev::Server;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName, RETRY_AFTER,
};
use actix_web::middleware::{self, Condition};
use actix_web::{App, HttpServer};
use api::{Door, Probe};
use fs4::FileExt;
use scheduler::{Bench, Doorbell};
use sea_orm::DatabaseConnection;

use crate::command::bench;
use crate::database;
use crate::settings::Settings;
use crate::{Failure, clock, say};

/// What one process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// API and scheduler.
    All,
    /// Only the API.
    Api,
    /// Only the scheduler.
    Scheduler,
}

/// How long requests, and then jobs, under way may take when the process is told to stop: together less than the compose
/// file's grace.
const HTTP_GRACE: Duration = Duration::from_secs(5);
const GRACE: Duration = Duration::from_secs(20);
/// A scheduler that has not ticked for this long, in seconds, is not ready.
const TOO_OLD: i64 = 180;

/// Serves until the process is told to stop.
pub(crate) async fn run(settings: &Settings, role: Role) -> Result<(), Failure> {
    let _lock = lock(settings)?;
    let db = database::open_current(settings).await?;
    let is_reachable = role != Role::Scheduler && !settings.listen.ip().is_loopback();
    if is_reachable && !settings.open && !ledger::account::any(&db).await? {
        return Err(Failure::Usage(format!(
            "{} 可被他人访问，而尚无任何账户：请先用 `rectify account create` 创建账户，或改为监听 127.0.0.1，\
             或用 RECTIFY_OPEN=true 明确允许无登录访问",
            settings.listen
        )));
    }
    let stopping = Arc::new(AtomicBool::new(false));
    let last_tick = Arc::new(OnceLock::new());
    // The address first: a process that cannot serve must not begin to send.
    let server = if role == Role::Scheduler { None } else { Some(listen(settings, &db, &last_tick)?) };
    let doorbell = match role {
        Role::Api => None,
        Role::All | Role::Scheduler => Some(hang(settings, &db, &stopping).await?),
    };
    if let Some(doorbell) = &doorbell {
        let _ = last_tick.set(doorbell.last_tick());
    }
    let metrics = match settings.metrics_listen()? {
        Some(address) => {
            let server =
                crate::metrics::serve(address, last_tick.get().cloned(), probe(db.clone(), last_tick.clone()))?;
            let handle = server.handle();
            tokio::spawn(server);
            Some(handle)
        }
        None => None,
    };
    let ended = match server {
        None => {
            tracing::info!("the scheduler is running");
            stopped().await;
            stopping.store(true, Ordering::Relaxed);
            Ok(())
        }
        Some(server) => {
            tracing::info!(address = %settings.listen, "the API is listening");
            say!("整改台账已启动：{}/（GraphiQL），接口 {0}/graphql", settings.public_url());
            answer(server, &stopping).await
        }
    };
    tracing::info!("stopping: finishing what is under way");
    if let Some(doorbell) = doorbell {
        doorbell.take_down(GRACE).await;
    }
    if let Some(metrics) = metrics {
        metrics.stop(false).await;
    }
    db.close().await?;
    ended
}

/// When the scheduler last ticked, once there is one.
type LastTick = Arc<OnceLock<Arc<AtomicI64>>>;

fn listen(settings: &Settings, db: &DatabaseConnection, last_tick: &LastTick) -> Result<Server, Failure> {
    let door = Door {
        db: db.clone(),
        // Half of the connections; the other half is for changes, jobs and whatever else asks the pool.
        readers: settings.database_connections as usize / 2,
        sent: database::count,
        zone: settings.zone(),
        grace_days: settings.grace_days,
        clock: Arc::new(clock::now),
        occurrences: Arc::new(scheduler::occurrences),
        storage: settings.storage()?,
    };
    let origins = settings.policy()?.origins;
    let routes = api::routes(door, settings.policy()?, probe(db.clone(), last_tick.clone()));
    let server = HttpServer::new(move || {
        App::new()
            .wrap(middleware::Compress::default())
            .wrap(Condition::new(!origins.is_empty(), cross_origin(&origins)))
            .configure(routes.clone())
    })
    .disable_signals()
    .shutdown_timeout(HTTP_GRACE.as_secs())
    .bind(settings.listen)
    .map_err(|error| Failure::Rejected(format!("无法监听 {}：{error}", settings.listen)))?;
    Ok(server.run())
}

/// Lets pages of the given origins ask, without cookies.
fn cross_origin(origins: &[String]) -> Cors {
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::POST])
        .allowed_headers([
            ACCEPT,
            ACCEPT_LANGUAGE,
            AUTHORIZATION,
            CONTENT_TYPE,
            HeaderName::from_static("x-request-id"),
        ])
        .expose_headers([HeaderName::from_static("x-request-id"), RETRY_AFTER, CONTENT_DISPOSITION])
        .max_age(3_600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// Serves until the process is told to stop, or the server ends by itself.
async fn answer(server: Server, stopping: &AtomicBool) -> Result<(), Failure> {
    let handle = server.handle();
    let mut serving = tokio::spawn(server);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stopped() => {
            stopping.store(true, Ordering::Relaxed);
            handle.stop(true).await;
            serving.await
        }
    };
    stopping.store(true, Ordering::Relaxed);
    match ended {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Failure::Rejected(format!("服务中断：{error}"))),
        Err(error) => Err(Failure::Rejected(format!("服务中断：{error}"))),
    }
}

async fn hang(settings: &Settings, db: &DatabaseConnection, stopping: &Arc<AtomicBool>) -> Result<Doorbell, Failure> {
    let stop = stopping.clone();
    let bench = Bench { stopping: Arc::new(move || stop.load(Ordering::Relaxed)), ..bench(settings, db)? };
    scheduler::ensure_schedules(db, settings.zone(), clock::now()).await?;
    if let Some(folder) = bench.post.folder() {
        say!("邮件写入文件夹：{}（.eml 与 .html）", folder.display());
    }
    Doorbell::hang(Arc::new(bench)).await.map_err(|error| Failure::Rejected(format!("定时器无法启动：{error}")))
}

/// Ready means: the database answers, and the scheduler, where there is one, ticks.
fn probe(db: DatabaseConnection, last_tick: LastTick) -> Probe {
    Arc::new(move || {
        let (db, last_tick) = (db.clone(), last_tick.clone());
        Box::pin(async move {
            database::answers(&db).await?;
            let age = last_tick.get().map_or(0, |last_tick| Doorbell::age(last_tick, clock::now()));
            if age > TOO_OLD { Err(format!("scheduler: no tick for {age} seconds")) } else { Ok(()) }
        })
    })
}

/// One server per embedded database; other commands may write beside it.
fn lock(settings: &Settings) -> Result<Option<File>, Failure> {
    let url = settings.database_url();
    let Some(file) = url.strip_prefix("sqlite:") else { return Ok(None) };
    let name = format!("{}.lock", file.trim_start_matches("//").split('?').next().unwrap_or(file));
    let cannot = |error: std::io::Error| Failure::Rejected(format!("锁文件 {name} 无法创建：{error}"));
    if let Some(folder) = std::path::Path::new(&name).parent() {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    let lock = File::options().create(true).truncate(false).write(true).open(&name).map_err(cannot)?;
    match FileExt::try_lock(&lock) {
        Ok(()) => Ok(Some(lock)),
        Err(_) => Err(Failure::Rejected(format!("已有一个 rectify serve 在使用 {file}，请先停止它"))),
    }
}

/// Returns when the process is told to stop.
async fn stopped() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    let _ = tokio::signal::ctrl_c().await;
}
