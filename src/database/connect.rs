//! Connects to a database.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use ledger::file::storage::create_private_folder;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgSslMode};
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, ConnectOptions as _, Connection};
use sea_orm::{
    ConnAcquireErr, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement,
};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::primary::{self, Primary};
use super::{Use, sent, serving};
use crate::secret::Server;
use crate::settings::{self, Fault, Settings};
use crate::{Failure, secret};

/// How long a statement waits for a connection.
const PATIENCE: Duration = Duration::from_secs(10);
/// Number of connections to SQLite.
pub(super) const SQLITE_CONNECTIONS: u32 = 4;
/// How long a connection must have been idle to be tested before use.
const IDLE: Duration = Duration::from_secs(1);
/// Checks the URL of a database in the setting `name`, without its password.
pub(crate) fn check(name: &str, url: &str) -> Result<(), Fault> {
    if url.starts_with("sqlite:") {
        let parsed = address(url).parse::<SqliteConnectOptions>();
        return parsed.map(|_| ()).map_err(|_| {
            let (zh, en) =
                ("应为 sqlite:文件，参数为 mode、cache 等", "must be sqlite:FILE, with parameters such as mode");
            Fault::new(name, zh, en)
        });
    }
    let modes: Vec<String> = Url::parse(url).ok().map_or_else(Vec::new, |url| {
        let modes = url.query_pairs().filter(|(key, _)| key == "sslmode" || key == "ssl-mode");
        modes.map(|(_, mode)| mode.into_owned()).collect()
    });
    if modes.iter().any(|mode| mode.parse::<PgSslMode>().is_err()) {
        return Err(Fault::new(
            name,
            "sslmode 应为 disable、allow、prefer、require、verify-ca 或 verify-full",
            "sslmode must be disable, allow, prefer, require, verify-ca or verify-full",
        ));
    }
    url.parse::<PgConnectOptions>().map(|_| ()).map_err(|_| {
        let (zh, en) = ("应为 postgres://用户:密码@主机/数据库", "must be postgres://user:password@host/database");
        Fault::new(name, zh, en)
    })
}

/// Connects to the database. Creates an SQLite file that does not exist, unless the command only uses it. Waits up to
/// `patience` for a server that is away.
pub(super) async fn connect(
    settings: &Settings,
    purpose: Use,
    patience: Duration,
) -> Result<DatabaseConnection, Failure> {
    let settings::Database { url, others, password } = settings.database()?;
    let mut primary = None;
    let creates = purpose != Use::Work;
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
        let servers = servers(settings, "database_url", (&url, &others), password.as_ref())?;
        let servers = servers.into_iter().map(|server| serving::named(server, purpose)).collect();
        let found = Primary::find(servers, (&secret::shown(&url), password.as_ref()), patience).await?;
        let (server, held) = (found.server().clone(), found.clone());
        // A connection that was idle is tested before use, because none survives a restart of the database; one that
        // was just in use need not be, which saves a round trip.
        options
            .test_before_acquire_if_idle_for(IDLE)
            .max_connections(settings.database_connections)
            .map_sqlx_postgres_opts(move |_| server.clone())
            .map_sqlx_postgres_before_acquire(move |_, connection| {
                Box::pin(std::future::ready(Ok(held.is_reached_since(connection.age))))
            });
        options.map_sqlx_postgres_pool_opts(|pool| {
            pool.after_connect(|connection, _| Box::pin(primary::admit(connection)))
                // The driver counts a transaction as ended when it begins to roll it back, and the pool waits for that.
                .after_release(|connection, _| Box::pin(std::future::ready(Ok(!connection.is_in_transaction()))))
        });
        primary = Some(found);
    }
    let mut db = Database::connect(options).await.map_err(|error| {
        let why = match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => {
                "10 秒内没有空闲连接 / no connection was free within 10 seconds".to_owned()
            }
            error => error.to_string(),
        };
        refused(&url, &secret::scrubbed(&why, password.as_ref()))
    })?;
    if let Some(primary) = primary {
        tokio::spawn(primary.follow(db.get_postgres_connection_pool().clone()));
    }
    if db.get_database_backend() == DbBackend::Postgres {
        of_unicode(&db, &url).await?;
    }
    super::SLOW.store(settings.log_slow_ms, Ordering::Relaxed);
    db.set_metric_callback(|done| sent(&done.statement.sql, done.elapsed));
    Ok(db)
}

/// Refuses a PostgreSQL database that cannot store Chinese text.
async fn of_unicode(db: &DatabaseConnection, url: &str) -> Result<(), Failure> {
    let question = Statement::from_string(DbBackend::Postgres, "SELECT current_setting('server_encoding') AS encoding");
    let row = db.query_one_raw(question).await?;
    let encoding: String = row.map_or(Ok(String::new()), |row| row.try_get("", "encoding"))?;
    if encoding == "UTF8" {
        return Ok(());
    }
    Err(refused(
        url,
        &format!(
            "其编码为 {encoding}，须为 UTF8：createdb --encoding UTF8 --template template0 / its encoding is \
             {encoding}, and must be UTF8"
        ),
    ))
}

/// Returns how to connect to each server of a PostgreSQL database: that of the URL in a setting, and others.
pub(super) fn servers(
    settings: &Settings,
    setting: &str,
    (url, others): (&str, &[Server]),
    password: Option<&SecretString>,
) -> Result<Vec<PgConnectOptions>, Failure> {
    check(setting, url)?;
    let mut first: PgConnectOptions = url.parse().map_err(|error: sqlx::Error| refused(url, &error.to_string()))?;
    // Not in the URL, which the driver writes to its traces.
    if let Some(password) = password {
        first = first.password(password.expose_secret());
    }
    // The timeouts end statements and transactions that no client is waiting for any more.
    let first =
        first.disable_statement_logging().statement_cache_capacity(settings.database_statements as usize).options([
            // Reads of the API have less (`max_seconds`); migrations, recounts, seals and the demo have no limit.
            ("statement_timeout", "300s"),
            ("idle_in_transaction_session_timeout", "600s"),
            // The program repeats a fixed set of prepared statements, so each is planned once. JIT compilation would
            // take longer than any of them runs.
            primary::PLANS,
            ("jit", "off"),
        ]);
    let others = others.iter().map(|server| first.clone().host(&server.host).port(server.port));
    Ok(std::iter::once(first.clone()).chain(others).collect())
}

/// Returns the file of an embedded database. Its name may be percent-encoded.
pub(crate) fn file(url: &str) -> Option<PathBuf> {
    let file = url.strip_prefix("sqlite:")?.trim_start_matches("//");
    let file = percent_encoding::percent_decode_str(file.split('?').next().unwrap_or(file));
    Some(PathBuf::from(file.decode_utf8_lossy().into_owned()))
}

fn refused(url: &str, why: &str) -> Failure {
    Failure::Rejected(format!("数据库 {} 无法打开 / the database cannot be opened: {why}", secret::shown(url)))
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
