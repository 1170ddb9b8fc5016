//! Connects to a database, waits for a server that is away, and says in words why it cannot be used.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ledger::file::storage::create_private_folder;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, Connection};
use sea_orm::{ConnAcquireErr, ConnectOptions, Database, DatabaseConnection, DbErr};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::sent;
use crate::settings::{self, Fault, Settings};
use crate::{Failure, secret};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Number of connections to SQLite.
pub(super) const SQLITE_CONNECTIONS: u32 = 4;
/// How long a connection must have been idle to be tested before use.
const IDLE: Duration = Duration::from_secs(1);
/// How often the log says that the server is still away.
const TELLING: Duration = Duration::from_secs(5);
/// How long after an attempt the next one follows.
const PAUSE: Duration = Duration::from_secs(1);

/// Checks the URL of a database, without its password.
pub(crate) fn check(url: &str) -> Result<(), Fault> {
    if url.starts_with("sqlite:") {
        let parsed = address(url).parse::<SqliteConnectOptions>();
        return parsed.map(|_| ()).map_err(|_| {
            let (zh, en) =
                ("应为 sqlite:文件，参数为 mode、cache 等", "must be sqlite:FILE, with parameters such as mode");
            Fault::new("database_url", zh, en)
        });
    }
    let modes: Vec<String> = Url::parse(url).ok().map_or_else(Vec::new, |url| {
        let modes = url.query_pairs().filter(|(key, _)| key == "sslmode" || key == "ssl-mode");
        modes.map(|(_, mode)| mode.into_owned()).collect()
    });
    if modes.iter().any(|mode| mode.parse::<PgSslMode>().is_err()) {
        return Err(Fault::new(
            "database_url",
            "sslmode 应为 disable、allow、prefer、require、verify-ca 或 verify-full",
            "sslmode must be disable, allow, prefer, require, verify-ca or verify-full",
        ));
    }
    url.parse::<PgConnectOptions>().map(|_| ()).map_err(|_| {
        let (zh, en) = ("应为 postgres://用户:密码@主机/数据库", "must be postgres://user:password@host/database");
        Fault::new("database_url", zh, en)
    })
}

/// Connects to the database. Creates an SQLite file that does not exist if `creates`. Waits up to `patience` for a
/// server that is away.
pub(super) async fn connect(
    settings: &Settings,
    creates: bool,
    patience: Duration,
) -> Result<DatabaseConnection, Failure> {
    let settings::Database { url, password } = settings.database()?;
    let given = password.clone();
    if creates && let Some(folder) = file(&url).as_deref().and_then(Path::parent) {
        create_folder(folder)?;
    }
    let mut options = ConnectOptions::new(address(&url));
    options.sqlx_logging(false).acquire_timeout(PATIENCE);
    if url.starts_with("sqlite:") {
        // WAL mode: concurrent readers and one writer at a time; writers wait for each other instead of failing.
        // Two connections stay open. On a full disk, a connection that was closed could not be reopened, not even to
        // read.
        options.test_before_acquire(false).min_connections(2).max_connections(SQLITE_CONNECTIONS).map_sqlx_sqlite_opts(
            move |options| {
                options
                    .create_if_missing(creates)
                    .busy_timeout(Duration::from_secs(30))
                    .foreign_keys(true)
                    .pragma("journal_mode", "WAL")
                    // A committed transaction survives a power failure.
                    .pragma("synchronous", "FULL")
                    .pragma("temp_store", "MEMORY")
                    .pragma("cache_size", "-16384")
                    // Figures read large parts of the file; mapped, they are not copied page by page.
                    .pragma("mmap_size", "1073741824")
            },
        );
        options.map_sqlx_sqlite_pool_opts(|pool| pool.after_release(|connection, _| Box::pin(is_clean(connection))));
    } else {
        check(&url)?;
        let mut server: PgConnectOptions =
            url.parse().map_err(|error: sqlx::Error| refused(&url, &error.to_string()))?;
        if let Some(password) = &password {
            server = server.password(password.expose_secret());
        }
        wait_for(&server, &secret::shown(&url), given.as_ref(), patience).await?;
        // A connection that was idle is tested before use, because none survives a restart of the database; one that
        // was just in use need not be, which saves a round trip. The timeouts below end statements and transactions
        // that no client is waiting for any more.
        let statements = settings.database_statements as usize;
        options
            .test_before_acquire_if_idle_for(IDLE)
            .max_connections(settings.database_connections)
            .map_sqlx_postgres_opts(move |options| {
                // Not in the URL, which the driver writes to its traces.
                let options = match &password {
                    Some(password) => options.password(password.expose_secret()),
                    None => options,
                };
                options.statement_cache_capacity(statements).options([
                    // Reads of the API have less (`max_seconds`); migrations, recounts, seals and the demo have
                    // no limit.
                    ("statement_timeout", "300s"),
                    ("idle_in_transaction_session_timeout", "600s"),
                    // The program repeats a fixed set of prepared statements, so each is planned once. JIT compilation
                    // would take longer than any of them runs.
                    ("plan_cache_mode", "force_generic_plan"),
                    ("jit", "off"),
                ])
            });
        // The driver counts a transaction as ended when it begins to roll it back, and the pool waits for that.
        options.map_sqlx_postgres_pool_opts(|pool| {
            pool.after_release(|connection, _| Box::pin(std::future::ready(Ok(!connection.is_in_transaction()))))
        });
    }
    let mut db = Database::connect(options).await.map_err(|error| {
        let why = match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => {
                "10 秒内没有空闲连接 / no connection was free within 10 seconds".to_owned()
            }
            error => error.to_string(),
        };
        refused(&url, &secret::scrubbed(&why, given.as_ref()))
    })?;
    super::SLOW.store(settings.log_slow_ms, Ordering::Relaxed);
    db.set_metric_callback(|done| sent(&done.statement.sql, done.elapsed));
    Ok(db)
}

/// Returns the file of an embedded database. Its name may be percent-encoded.
pub(super) fn file(url: &str) -> Option<PathBuf> {
    let file = url.strip_prefix("sqlite:")?.trim_start_matches("//");
    let file = percent_encoding::percent_decode_str(file.split('?').next().unwrap_or(file));
    Some(PathBuf::from(file.decode_utf8_lossy().into_owned()))
}

fn refused(url: &str, why: &str) -> Failure {
    Failure::Rejected(format!("数据库 {} 无法打开 / the database cannot be opened: {why}", secret::shown(url)))
}

/// Why a server cannot be used.
struct Away {
    /// Whether time may mend it.
    is_passing: bool,
    zh: String,
    en: &'static str,
    /// What the server or the driver said.
    said: String,
}

impl Away {
    fn passing(zh: impl Into<String>, en: &'static str, said: impl fmt::Display) -> Self {
        Self { is_passing: true, zh: zh.into(), en, said: said.to_string() }
    }

    fn lasting(zh: &str, en: &'static str, said: impl fmt::Display) -> Self {
        Self { is_passing: false, ..Self::passing(zh, en, said) }
    }

    /// Returns the reason in Chinese and English, without the password.
    fn why(&self, password: Option<&SecretString>) -> String {
        let Self { zh, en, .. } = self;
        let said = secret::scrubbed(&self.said, password);
        if said.is_empty() { format!("{zh} / {en}") } else { format!("{zh} / {en}: {said}") }
    }
}

/// Waits until a server takes connections. Fails when `patience` is over, and at once for what time does not mend.
async fn wait_for(
    server: &PgConnectOptions,
    shown: &str,
    password: Option<&SecretString>,
    patience: Duration,
) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut told: Option<Instant> = None;
    while let Err(away) = reach(server).await {
        let why = away.why(password);
        let waited = begun.elapsed();
        if !away.is_passing || waited >= patience {
            let waited = if away.is_passing && !patience.is_zero() {
                let seconds = waited.as_secs();
                format!("（已等待 {seconds} 秒 / waited {seconds} seconds）")
            } else {
                String::new()
            };
            return Err(Failure::Rejected(format!(
                "数据库 {shown} 无法使用 / the database cannot be used{waited}\n  {why}"
            )));
        }
        if told.is_none_or(|told| told.elapsed() >= TELLING) {
            told = Some(Instant::now());
            let (seconds, most) = (waited.as_secs(), patience.as_secs());
            tracing::warn!(database = shown, why, "waiting for the database: {seconds} of at most {most} seconds");
        }
        tokio::time::sleep(PAUSE.min(patience.saturating_sub(waited))).await;
    }
    Ok(())
}

/// Opens one connection to a server, and closes it.
async fn reach(server: &PgConnectOptions) -> Result<(), Away> {
    let (host, port) = (server.get_host(), server.get_port());
    if server.get_socket().is_none()
        && !host.starts_with('/')
        && let Err(error) = tokio::net::lookup_host((host, port)).await
    {
        // Passing, because containers that start together learn each other's names late.
        let zh = format!("没有名为 {host} 的主机，请检查地址或名称解析");
        return Err(Away::passing(zh, "there is no such host; check the address or the resolution of names", error));
    }
    match tokio::time::timeout(PATIENCE, PgConnection::connect_with(server)).await {
        Ok(Ok(connection)) => {
            // The server is there, whether or not it takes leave.
            let _ = connection.close().await;
            Ok(())
        }
        Ok(Err(error)) => Err(in_words(&error)),
        Err(_) => Err(Away::passing("10 秒内没有应答", "no answer within 10 seconds", "")),
    }
}

/// Says in words why connecting failed.
fn in_words(error: &sqlx::Error) -> Away {
    match error {
        sqlx::Error::Database(answer) => {
            let said = answer.message();
            match &*answer.code().unwrap_or_default() {
                "28P01" | "28000" => Away::lasting(
                    "登录被拒绝，请检查用户名、密码和 pg_hba.conf",
                    "the sign-in was refused; check user, password and pg_hba.conf",
                    said,
                ),
                "3D000" => Away::lasting(
                    "服务器上没有这个数据库，请先建立（createdb）或检查名称",
                    "the server has no such database; create it (createdb) or check the name",
                    said,
                ),
                "57P03" => Away::passing("数据库正在启动", "the database is starting", said),
                code if code.starts_with("08") || ["57P01", "57P02", "53000", "53200"].contains(&code) => {
                    Away::passing("数据库正在重新启动", "the database is restarting", said)
                }
                "53300" => Away::passing(
                    "数据库的连接已用尽，请检查 max_connections 和 database_connections",
                    "the database has no free connection; check max_connections and database_connections",
                    said,
                ),
                _ => Away::lasting("数据库拒绝了连接", "the database refused the connection", said),
            }
        }
        sqlx::Error::Io(error) if error.kind() != std::io::ErrorKind::InvalidData => Away::passing(
            "没有连上，请检查地址和端口、数据库是否已启动",
            "it cannot be reached; check address and port, and whether the database runs",
            error,
        ),
        // A certificate that is not believed comes as invalid data.
        sqlx::Error::Tls(_) | sqlx::Error::Io(_) => Away::lasting(
            "TLS 加密未能建立，请检查 sslmode（database_tls）和证书",
            "TLS failed; check sslmode (database_tls) and the certificates",
            error,
        ),
        other => Away::lasting("无法连接", "connecting failed", other),
    }
}

/// Checks whether a connection to SQLite that is returned to the pool can be used again: it must not be inside a
/// transaction. If not, the pool closes it.
///
/// SQLite ends a transaction by itself when the disk is full or fails. The driver's rollback then fails, the driver
/// keeps counting the transaction as open, and it would nest the next one inside it.
async fn is_clean(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    // The driver rolls back in the background. `ping` waits for that and does not count as a statement.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Creates the folder of a database, unless it is the working directory.
fn create_folder(folder: &Path) -> Result<(), Failure> {
    if folder.as_os_str().is_empty() {
        return Ok(());
    }
    create_private_folder(folder).map_err(|error| {
        let folder = folder.display();
        Failure::Rejected(format!("文件夹 {folder} 无法创建 / the folder cannot be created: {error}"))
    })
}

/// Returns the URL as the driver reads it: `sqlite://file` means the same as `sqlite:file`.
fn address(url: &str) -> String {
    url.strip_prefix("sqlite:")
        .map_or_else(|| url.to_owned(), |file| format!("sqlite:{}", file.trim_start_matches("//")))
}
