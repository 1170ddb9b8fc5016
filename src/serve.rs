//! `rectify serve`: runs the API and the scheduler, or one of them, in one process.

use std::future::ready;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use actix_cors::Cors;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, ServerHandle};
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_DISPOSITION, HeaderName, RETRY_AFTER};
use actix_web::middleware::{self, Condition};
use actix_web::rt::net::TcpStream;
use actix_web::{App, web};
use api::{Api, Connection, Connections, Examine, Installation, Observing, Probe, Services};
use chrono::{DateTime, SecondsFormat, Utc};
use ledger::record::link_key::LinkKey;
use planner::Bilingual;
use scheduler::{Context, Preview, Scheduler, Unwritten};
use sea_orm::DatabaseConnection;
use tokio::net::TcpSocket;
use tokio::task::{JoinError, JoinHandle};
use workbook::Imports;

use crate::command::jobs_context;
use crate::database::{self, Health, Use};
use crate::drain::Drain;
use crate::settings::{self, Settings};
use crate::signals::{Stop, ignore_hangups};
use crate::{Failure, clock, telemetry};

/// The parts of the service that this process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// The API and the scheduler.
    All,
    /// The API only.
    Api,
    /// The scheduler only.
    Scheduler,
}

/// How long requests in progress may take after the drain. Together with `drain_seconds`, [`GRACE`], [`CLOSING`] and
/// two seconds or so for what follows, it has to be less than `stop_grace_period` in `docker-compose.yml`.
const HTTP_GRACE: Duration = Duration::from_secs(5);
/// How long running jobs may take after that.
const GRACE: Duration = Duration::from_secs(20);
/// How long the connections to the database may take until they are closed.
const CLOSING: Duration = Duration::from_secs(5);
/// How long a client may take to send the head of its first request.
const HEAD: Duration = Duration::from_secs(5);
/// Number of connections that may wait to be accepted.
const BACKLOG: u32 = 2_048;
/// How long closing a connection may take.
const DISCONNECT: Duration = Duration::from_secs(1);
/// How long after its last tick the scheduler counts as not ready.
const TOO_OLD: Duration = Duration::from_mins(3);

/// Checks everything that can be wrong before the database is touched, migrates it, and serves until the process is
/// told to stop. Told again while it waits for requests and jobs in progress, it waits no longer.
pub(crate) async fn run(settings: &Settings, role: Role) -> Result<(), Failure> {
    let unheard = |error| Failure::Rejected(format!("无法接收系统信号：{error}"));
    let mut stop = Stop::listen().map_err(unheard)?;
    ignore_hangups().map_err(unheard)?;
    settings::check_files(settings, role != Role::Scheduler)?;
    let port = if role == Role::Scheduler { None } else { Some(reserve(settings.listen)?) };
    let metrics_port = settings.metrics_listen()?.map(reserve).transpose()?;
    let _lock = database::lock(settings)?;
    warn_of_readable(settings)?;
    let opening = Box::pin(Opened::open(settings));
    let opened = tokio::select! {
        opened = opening => opened?,
        // A migration that is not finished is taken back.
        () = stop.told() => return Ok(()),
    };
    let started = Box::pin(Started::start(settings, role, opened, port, metrics_port)).await?;
    started.serve(&mut stop).await
}

/// The database of a server, and what is read from it before the server starts.
struct Opened {
    db: DatabaseConnection,
    has_accounts: bool,
    link_key: LinkKey,
}

impl Opened {
    /// Opens and migrates the database.
    async fn open(settings: &Settings) -> Result<Self, Failure> {
        let db = Box::pin(database::open_for(settings, Use::Migrate)).await?.db;
        if let Err(error) = ledger::record::database::count_indexes(&db).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "failed to count indexes; queries may be slower");
        }
        let has_accounts = ledger::people::account::any(&db).await?;
        let link_key = LinkKey::load(&db).await?;
        Ok(Self { db, has_accounts, link_key })
    }
}

/// What runs in the process of a server.
struct Started {
    db: DatabaseConnection,
    server: Option<Served>,
    scheduler: Option<Scheduler>,
    metrics: Option<ServerHandle>,
    /// Whether no new work is begun.
    stopping: Arc<AtomicBool>,
}

impl Started {
    /// Starts what the role asks for, on the reserved ports.
    async fn start(
        settings: &Settings,
        role: Role,
        Opened { db, has_accounts, link_key }: Opened,
        port: Option<TcpSocket>,
        metrics_port: Option<TcpSocket>,
    ) -> Result<Self, Failure> {
        let (stopping, draining) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let last_tick = Arc::new(OnceLock::new());
        let health = Health::new(db.clone());
        let stops = stopping.clone();
        let context =
            Context { stopping: Arc::new(move || stops.load(Ordering::Relaxed)), ..jobs_context(settings, &db).await? };
        let jobs = Arc::new(context);
        let readiness = probe(health.clone(), last_tick.clone(), draining.clone());
        // Before the scheduler: a process that cannot serve must not send mail.
        let server = match port {
            Some(port) => {
                let examine = crate::health::examine(settings, health.clone(), last_tick.clone())?;
                Some(listen((port, draining), settings, readiness.clone(), examine, &link_key, jobs.clone())?)
            }
            None => None,
        };
        let scheduler = match role {
            Role::Api => None,
            Role::All | Role::Scheduler => Some(start_scheduler(settings, jobs).await?),
        };
        if let Some(scheduler) = &scheduler {
            let _ = last_tick.set(scheduler.last_tick());
        }
        let metrics = match metrics_port {
            Some(port) => {
                let last_tick = last_tick.get().cloned();
                let server = crate::metrics::serve(accepting(port)?, last_tick, health.clone(), readiness)?;
                let handle = server.handle();
                tokio::spawn(server);
                Some(handle)
            }
            None => None,
        };
        if server.is_some() {
            tracing::info!(address = %settings.listen, "the API is listening");
            let url = settings.public_url();
            telemetry::tell(settings, &format!("整改台账已启动：{url}/，接口 {url}/graphql，GraphiQL {url}/graphiql"));
            if !has_accounts {
                welcome(settings, &db).await?;
            }
        } else {
            tracing::info!("the scheduler is running");
        }
        Ok(Self { db, server, scheduler, metrics, stopping })
    }

    /// Serves until the process is told to stop or the server fails.
    async fn serve(mut self, stop: &mut Stop) -> Result<(), Failure> {
        let ended = match &mut self.server {
            None => {
                stop.told().await;
                None
            }
            Some(served) => tokio::select! {
                ended = &mut served.serving => Some(outcome(ended)),
                () = stop.told() => None,
            },
        };
        let has_failed = matches!(ended, Some(Err(_)));
        if let Some(Err(failure)) = &ended {
            tracing::error!(%failure, "the server has failed");
        }
        if let (None, Some(served)) = (&ended, &mut self.server) {
            served.drain.wait(&served.connections, stop.told()).await;
        }
        self.stopping.store(true, Ordering::Relaxed);
        tracing::info!("waiting for requests and jobs in progress");
        tokio::select! {
            ended = self.end(ended) => ended,
            () = stop.told() => {
                tracing::warn!("told to stop while waiting; stopping at once");
                if has_failed { Err(Failure::Rejected("服务中断".to_owned())) } else { Ok(()) }
            }
        }
    }

    /// Waits for requests and jobs in progress, and closes everything. `ended` is how the server has ended, if it has.
    async fn end(self, ended: Option<Result<(), Failure>>) -> Result<(), Failure> {
        let Self { db, server, scheduler, metrics, .. } = self;
        let ended = match (server, ended) {
            (None, _) => Ok(()),
            (Some(_), Some(ended)) => ended,
            (Some(Served { serving, handle, drain, .. }), None) => {
                drain.stop(handle).await;
                outcome(serving.await)
            }
        };
        if let Some(scheduler) = scheduler {
            scheduler.stop(GRACE).await;
        }
        if let Some(metrics) = metrics {
            metrics.stop(false).await;
        }
        // What still holds a connection has been given its time.
        if let Ok(closed) = tokio::time::timeout(CLOSING, db.close()).await {
            closed?;
        } else {
            tracing::warn!("stopping although a connection to the database is still in use");
        }
        ended
    }
}

/// Returns how the task of a server has ended.
fn outcome(ended: Result<io::Result<()>, JoinError>) -> Result<(), Failure> {
    let broken = |error: &dyn std::error::Error| Failure::Rejected(format!("服务中断：{error}"));
    ended.map_err(|failure| broken(&failure))?.map_err(|error| broken(&error))
}

/// Tells the operator how to sign in while there is no account: logs that the installation is open, or prints a
/// one-time set-up code.
async fn welcome(settings: &Settings, db: &DatabaseConnection) -> Result<(), Failure> {
    if settings.options()?.open {
        tracing::warn!(
            "the installation is open: no account exists, and anyone on this machine can read and write everything \
             without signing in; creating the first account closes it permanently"
        );
        return Ok(());
    }
    // Standard output rather than the log, because logs are stored and forwarded.
    if let Some(code) = ledger::people::account::set_up::create_code(db, clock::now()).await? {
        let words = format!(
            "尚无账户。请用一次性初始化代码创建第一个管理员（24 小时内有效）：{code}\n\
             There is no account yet. One-time set-up code for the first administrator (createFirstAccount): {code}"
        );
        telemetry::tell(settings, &words);
    }
    Ok(())
}

/// The scheduler's last tick; not set until this process runs a scheduler.
pub(crate) type LastTick = Arc<OnceLock<Arc<scheduler::LastTick>>>;

fn listen(
    (port, draining): (TcpSocket, Arc<AtomicBool>),
    settings: &Settings,
    readiness: Probe,
    examine: Examine,
    link_key: &LinkKey,
    jobs: Arc<Context>,
) -> Result<Served, Failure> {
    let standbys = database::open_standbys(settings, &jobs.db)?;
    let services = Services {
        db: jobs.db.clone(),
        readers: database::readers(&jobs.db, settings),
        standbys,
        sent: database::sent,
        public_url: settings.public_url().trim_end_matches('/').to_owned(),
        zone: settings.zone(),
        grace_days: settings.grace_days,
        timing: settings.timing(),
        clock: Arc::new(clock::now),
        occurrences: Arc::new(scheduler::occurrences),
        imports: Imports::new(jobs.db.clone(), settings.zone(), settings.grace_days, Arc::new(clock::now)),
        reminding: reminding(&jobs),
        run_job: by_hand(jobs),
        installation: Installation {
            examine,
            settings: settings.effective().into(),
            backup_days: settings.backup_days,
        },
        storage: settings.storage()?,
        link_key: link_key.clone(),
    };
    let origins = settings.options()?.origins;
    let headers = settings.cors_headers()?;
    let public_url = settings.public_url();
    let options = settings.options()?;
    let bounds = settings.bounds(files());
    let connections = Connections::new(bounds, &options.proxies, &options.proxy_header);
    let known = web::Data::new(connections.clone());
    let kept = connections.clone();
    let observing = web::Data::new(Observing {
        logs: settings.has_access_log(),
        proxies: options.proxies.clone(),
        proxy_header: options.proxy_header.clone(),
    });
    let api = Api::new(services, options, readiness);
    let routes = api.routes();
    let pages = if settings.has_desk() { Some(desk(settings, &api)?) } else { None };
    let app = move || {
        App::new()
            .app_data(known.clone())
            .app_data(observing.clone())
            .wrap(middleware::from_fn(api::short_as_they_are))
            .wrap(middleware::Compress::default())
            .wrap(Condition::new(!origins.is_empty(), cross_origin(&origins, &headers)))
            .wrap(middleware::from_fn(api::in_flight))
            .wrap(middleware::from_fn(api::observe))
            .wrap(api::headers(&public_url))
            .configure(|config| match &pages {
                Some(pages) => pages.clone()(config),
                None => {
                    config.service(web::redirect("/", "/graphiql"));
                }
            })
            .configure(routes.clone())
    };
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let builder = Server::build()
        .workers(workers)
        .disable_signals()
        .shutdown_timeout(HTTP_GRACE.as_secs())
        // Connections over the limits are answered and closed at once. This limit only keeps a flood of them from using
        // up the last file descriptors.
        .max_concurrent_connections((bounds.all + bounds.kept).div_ceil(workers) + bounds.kept.div_ceil(workers));
    let port = accepting(port)?;
    let drain = Drain::new(Duration::from_secs(settings.drain_seconds()), &port, draining)
        .map_err(|error| cannot_listen(settings.listen, &error))?;
    let closing = drain.closing();
    let bound = builder.listen("api", port, move || {
        let connections = connections.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(closing.clone())
            .client_request_timeout(HEAD)
            .client_disconnect_timeout(DISCONNECT)
            .on_connect_ext(|io: &Connection<TcpStream>, extensions| io.introduce(extensions))
            .finish(map_config(app().into_factory(), |()| AppConfig::default()));
        fn_service(move |io: TcpStream| ready(take_in(&connections, io)))
            .map_err(DispatchError::Io)
            .map_init_err(|()| ())
            .and_then(http)
    });
    let server = bound.map_err(|error| cannot_listen(settings.listen, &error))?.run();
    let handle = server.handle();
    // At once: clients can connect already.
    Ok(Served { serving: tokio::spawn(server), handle, connections: kept, drain })
}

/// Takes a port without accepting connections on it, so that a port that is in use is told before the database is
/// touched, and clients are refused rather than kept waiting until the server is ready.
fn reserve(address: SocketAddr) -> Result<TcpSocket, Failure> {
    let taken = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A port whose last connections are still closing can be taken; on Windows, the option would mean any port.
        #[cfg(not(windows))]
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    };
    taken().map_err(|error| cannot_listen(address, &error))
}

/// Begins to accept connections on a port.
fn accepting(port: TcpSocket) -> Result<TcpListener, Failure> {
    let address = port.local_addr().map_err(|error| Failure::Rejected(format!("无法监听：{error}")))?;
    port.listen(BACKLOG).and_then(tokio::net::TcpListener::into_std).map_err(|error| cannot_listen(address, &error))
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    let (zh, en) = match error.kind() {
        io::ErrorKind::AddrNotAvailable => (
            "本机没有这个地址，请在 listen 中写本机的地址或 0.0.0.0",
            "this machine has no such address; set `listen` to one it has",
        ),
        io::ErrorKind::PermissionDenied => {
            ("没有权限使用这个端口，请换一个 1024 以上的端口", "this port needs privileges; choose one from 1024 on")
        }
        _ => ("请换一个端口，或停止占用它的程序", "choose another port, or stop the program that uses it"),
    };
    Failure::Rejected(format!("无法监听 {address}，{zh} / cannot listen on {address}: {en}: {error}"))
}

/// Returns what runs jobs by hand. A job that runs beside the ticks, such as the delivery of mail, is not run by hand.
fn by_hand(context: Arc<Context>) -> api::RunJob {
    Arc::new(move |name, at, is_rehearsal| {
        let job = scheduler::find(name).filter(|job| !job.is_beside())?;
        let context = context.clone();
        Some(Box::pin(async move {
            let report = scheduler::run_at(&context, job, at, is_rehearsal).await?;
            Ok(api::JobSummary { text: report.summary, plan: report.plan })
        }))
    })
}

/// Says what mails say and what reminders would do, for the API.
fn reminding(context: &Arc<Context>) -> api::Reminding {
    let (simulating, explaining, writing) = (context.clone(), context.clone(), context.clone());
    api::Reminding {
        simulate: Arc::new(move |range, only, supposed| {
            let context = simulating.clone();
            Box::pin(async move {
                let simulated = scheduler::simulate(&context, range, only, supposed.as_ref()).await?;
                let shown = simulated.into_iter().map(|scheduler::Simulated { day, job, digest }| api::Simulated {
                    day,
                    job,
                    recipient: digest.recipient,
                    unit: digest.unit,
                    item_count: digest.items.len(),
                });
                Ok(shown.collect())
            })
        }),
        why_not: Arc::new(move |job, day, whom| {
            let context = explaining.clone();
            Box::pin(async move { Ok(scheduler::why_no_mail(&context, job, day, &whom).await?.unwrap_or_default()) })
        }),
        preview: Arc::new(move |mail| {
            let context = writing.clone();
            Box::pin(async move {
                let at = (clock::now(), context.zone);
                let written = context.writer.preview(&context.db, &mail, at).await.map_err(unwritable)?;
                let text = |Preview { subject, text, html, .. }| api::MailText { subject, text, html };
                Ok(written.map(text))
            })
        }),
    }
}

/// Says why a mail cannot be written, to whoever looks at it.
fn unwritable(why: Unwritten) -> api::Unwritable {
    let (zh, en) = match why {
        Unwritten::Database(error) => return api::Unwritable::Ledger(error.into()),
        Unwritten::Ledger(error) => return api::Unwritable::Ledger(error),
        Unwritten::Unknown => (
            "本版本没有这种邮件：它由其他版本写入，无法生成内容".to_owned(),
            "this version has no mails of this kind: another version has queued it".to_owned(),
        ),
        Unwritten::Facts(error) => (
            format!("邮件所存事由有误，无法生成内容：{error}"),
            format!("what is stored with the mail cannot be read: {error}"),
        ),
        Unwritten::Template(error) => {
            (format!("邮件模板有误，无法生成内容：{error:#}"), format!("the template of the mail failed: {error:#}"))
        }
    };
    api::Unwritable::Mail(Bilingual::new(zh, en))
}

/// Builds the desk, and returns the function that adds its pages.
fn desk(settings: &Settings, api: &Api) -> Result<impl FnOnce(&mut web::ServiceConfig) + Clone + use<>, Failure> {
    let options = desk::Options {
        public_url: settings.public_url().trim_end_matches('/').to_owned(),
        zone: settings.zone(),
        clock: Arc::new(clock::now),
    };
    desk::routes(api.client(), options).map_err(|error| Failure::Rejected(error.to_string()))
}

/// Accepts a connection within the limits. Answers any other with an error and closes it.
fn take_in(
    connections: &Connections,
    io: TcpStream,
) -> io::Result<(Connection<TcpStream>, Protocol, Option<SocketAddr>)> {
    let peer = io.peer_addr().ok();
    // A response leaves in several writes; without this, the last would wait for the client's delayed acknowledgement.
    let _ = io.set_nodelay(true);
    match connections.accept(io, peer.map(|peer| peer.ip())) {
        Ok(connection) => Ok((connection, Protocol::Http1, peer)),
        Err((io, answer)) => {
            // The send buffer of a new connection is empty, so one write suffices. It fails only if the client is gone.
            let _ = io.try_write(answer);
            Err(io::ErrorKind::ConnectionRefused.into())
        }
    }
}

/// Raises the limit on open files as far as allowed, once, and returns it.
pub(crate) fn files() -> u64 {
    static FILES: LazyLock<u64> = LazyLock::new(|| rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024));
    *FILES
}

/// Allows pages of the given origins to call the API with these request headers (CORS), without cookies.
fn cross_origin(origins: &[String], headers: &[HeaderName]) -> Cors {
    let cors = Cors::default()
        .allowed_methods([Method::GET, Method::POST, Method::PUT])
        .allowed_headers(headers)
        .expose_headers([HeaderName::from_static("x-request-id"), RETRY_AFTER, CONTENT_DISPOSITION])
        .max_age(3_600);
    origins.iter().fold(cors, |cors, origin| cors.allowed_origin(origin))
}

/// The server of the API.
struct Served {
    serving: JoinHandle<io::Result<()>>,
    handle: ServerHandle,
    connections: Connections,
    drain: Drain,
}

async fn start_scheduler(settings: &Settings, jobs: Arc<Context>) -> Result<Scheduler, Failure> {
    scheduler::ensure_schedules(&jobs.db, settings.zone(), clock::now()).await?;
    for (name, zone) in scheduler::foreign_zones(&jobs.db, settings.zone()).await? {
        tracing::warn!(
            job = name,
            %zone,
            time_zone = settings.zone().name(),
            "the schedule keeps its own time zone; to change it, edit the job at /admin/schedules, or by editSchedule"
        );
    }
    if let Some(folder) = jobs.post.folder() {
        telemetry::tell(settings, &format!("邮件写入文件夹：{}（.eml 与 .html）", folder.display()));
    }
    Scheduler::start(jobs).await.map_err(|error| Failure::Rejected(format!("定时器无法启动：{error}")))
}

/// Returns the readiness check: the database answers and accepts writes, and the scheduler, if this process runs one,
/// ticks. A mail server that takes no mails, a receiver of messages that fails, and a job that fails, only degrade the
/// service. Neither the server's name nor what went wrong is told, because readiness may be public. A process that is
/// about to stop is not ready.
fn probe(health: Health, last_tick: LastTick, draining: Arc<AtomicBool>) -> Probe {
    Arc::new(move || {
        let (health, last_tick, draining) = (health.clone(), last_tick.clone(), draining.clone());
        Box::pin(async move {
            if draining.load(Ordering::Relaxed) {
                return Err("stopping".to_owned());
            }
            health.check().await?;
            let age = last_tick.get().map(|last_tick| last_tick.age()).unwrap_or_default();
            if age > TOO_OLD {
                return Err(format!("scheduler: no tick for {} seconds", age.as_secs()));
            }
            let shown = |since: DateTime<Utc>| since.to_rfc3339_opts(SecondsFormat::Secs, true);
            let mail = health.mail_outage().await;
            let mail = mail.map(|since| format!("mail: the server takes no mails since {}", shown(since)));
            let jobs = health.schedules().await.into_iter();
            let jobs =
                jobs.filter_map(|row| Some(format!("job {}: fails since {}", row.name, shown(row.failing_since?))));
            let webhooks = health.failing_webhooks().await;
            let webhooks = webhooks.first().map(|since| {
                format!("webhooks: {} of them failing, the first since {}", webhooks.len(), shown(*since))
            });
            Ok(mail.into_iter().chain(webhooks).chain(jobs).collect())
        })
    })
}

/// Logs a warning for each file and directory of the ledger that other users of this machine can access. The program
/// creates new ones with access for their owner only, but keeps the permissions of existing ones.
#[cfg(unix)]
fn warn_of_readable(settings: &Settings) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    for path in settings.kept_here()? {
        let Ok(found) = std::fs::metadata(&path) else { continue };
        let mode = found.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let (path, change) = (path.display(), if found.is_dir() { "-R go-rwx" } else { "600" });
            tracing::warn!(
                %path,
                mode = format!("{mode:o}"),
                "other users of this machine can access the ledger's files; to prevent that: chmod {change} {path}"
            );
        }
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "same signature as on Unix")]
fn warn_of_readable(_: &Settings) -> Result<(), Failure> {
    Ok(())
}
