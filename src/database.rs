//! Opens and migrates the database for every command, and checks its health.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use entity::schedule;
use ledger::file::storage::create_private_folder;
use ledger::record::database::{Trouble, trouble};
use scheduler::JOBS;
use sea_orm::sqlx::{self, Connection};
use sea_orm::{
    ColumnTrait, ConnAcquireErr, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, EntityTrait,
    QueryFilter, QueryOrder,
};
use secrecy::ExposeSecret;

use crate::Failure;
use crate::secret;
use crate::settings::{self, Settings};

/// Number of SQL statements that this process has sent; exported at `/metrics`.
pub(crate) static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// Opens the database. Creates an SQLite file that does not exist.
pub(crate) async fn open(settings: &Settings) -> Result<DatabaseConnection, Failure> {
    let settings::Database { url, password } = settings.database()?;
    let given = password.clone();
    let mut options = ConnectOptions::new(address(&url)?);
    options.sqlx_logging(false).acquire_timeout(Duration::from_secs(10));
    if url.starts_with("sqlite:") {
        // WAL mode: concurrent readers and one writer at a time; writers wait for each other instead of failing.
        // Two connections stay open. On a full disk, a connection that was closed could not be reopened, not even to
        // read.
        options.test_before_acquire(false).min_connections(2).max_connections(4).map_sqlx_sqlite_opts(|options| {
            options
                .busy_timeout(Duration::from_secs(30))
                .foreign_keys(true)
                .pragma("journal_mode", "WAL")
                // A committed transaction survives a power failure.
                .pragma("synchronous", "FULL")
                .pragma("temp_store", "MEMORY")
                .pragma("cache_size", "-16384")
                // Figures read large parts of the file; mapped, they are not copied page by page.
                .pragma("mmap_size", "1073741824")
        });
        options.map_sqlx_sqlite_pool_opts(|pool| pool.after_release(|connection, _| Box::pin(is_clean(connection))));
    } else {
        // Connections are tested before use, because none survives a restart of the database. The timeouts below end
        // statements and transactions that no client is waiting for any more.
        options.test_before_acquire(true).max_connections(settings.database_connections).map_sqlx_postgres_opts(
            move |options| {
                // Not in the URL, which the driver writes to its traces.
                let options = match &password {
                    Some(password) => options.password(password.expose_secret()),
                    None => options,
                };
                options.options([
                    ("statement_timeout", "300s"),
                    ("idle_in_transaction_session_timeout", "600s"),
                    // The program repeats a fixed set of prepared statements, so each is planned once. JIT compilation
                    // would take longer than any of them runs.
                    ("plan_cache_mode", "force_generic_plan"),
                    ("jit", "off"),
                ])
            },
        );
        options.map_sqlx_postgres_pool_opts(|pool| pool.after_release(|connection, _| Box::pin(is_clean(connection))));
    }
    let mut db = Database::connect(options).await.map_err(|error| {
        let why = match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => {
                "10 秒内没有连上，请确认地址和端口无误、数据库已启动且还有空闲连接".to_owned()
            }
            error => error.to_string(),
        };
        let why = secret::scrubbed(&why, given.as_ref());
        Failure::Rejected(format!("数据库 {} 无法打开：{why}", secret::shown(&url)))
    })?;
    db.set_metric_callback(|_| count());
    Ok(db)
}

/// Checks whether a connection that is returned to the pool can be used again: it must not be inside a transaction. If
/// not, the pool closes it.
///
/// SQLite ends a transaction by itself when the disk is full or fails. The driver's rollback then fails, the driver
/// keeps counting the transaction as open, and it would nest the next one inside it.
async fn is_clean<C: Connection>(connection: &mut C) -> Result<bool, sqlx::Error> {
    // The driver rolls back in the background. `ping` waits for that and does not count as a statement.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Adds one to the count of statements sent.
pub(crate) fn count() {
    STATEMENTS.fetch_add(1, Ordering::Relaxed);
}

/// Opens the database and migrates it to the newest schema.
pub(crate) async fn open_current(settings: &Settings) -> Result<DatabaseConnection, Failure> {
    let db = open(settings).await?;
    migrate(&db).await?;
    Ok(db)
}

/// Migrates the database to the newest schema and returns the names of the steps applied; empty if it was up to date.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<Vec<String>, Failure> {
    let applied = migration::up(db).await?;
    if !applied.is_empty() {
        tracing::info!(steps = applied.join(", "), "migrated the database");
    }
    ledger::statistics::kept::ensure(db).await?;
    Ok(applied)
}

/// Checks whether the database answers and accepts writes. Runs a test write at most every few seconds, however often
/// it is called.
#[derive(Clone)]
pub(crate) struct Health {
    db: DatabaseConnection,
    /// Held while a test write runs, so that there is only one at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
    known: Arc<Mutex<Known>>,
}

/// Result of the last test write, and the start of one that is running.
#[derive(Clone, Copy, Default)]
struct Known {
    /// End of the last completed test write, and what went wrong; `None` inside means success.
    tried: Option<(Instant, Option<Trouble>)>,
    /// Start of the test write that is running, if any.
    trying_since: Option<Instant>,
}

/// How long a health check waits for the database.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a successful test write stays valid.
const HOLDS: Duration = Duration::from_secs(5);
/// How long a failed test write stays valid.
const HOLDS_NOT: Duration = Duration::from_secs(1);
/// A test write that takes longer than this counts as failed, for example on a network drive that hangs. On SQLite it
/// may have to wait for an import to finish, which takes less.
const STUCK: Duration = Duration::from_mins(2);

impl Health {
    pub(crate) fn new(mut db: DatabaseConnection) -> Self {
        // Its statements are not counted among those of the ledger.
        db.set_metric_callback(|_| {});
        Self { db, turn: Arc::default(), known: Arc::default() }
    }

    /// Runs the check. The error is a short English description of what is wrong.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let question = tokio::time::timeout(PATIENCE, self.db.execute_unprepared("SELECT 1")).await;
        if !matches!(question, Ok(Ok(_))) {
            return Err("database: no answer".to_owned());
        }
        if let Ok(turn) = self.turn.clone().try_lock_owned()
            && !self.known().is_fresh()
        {
            // A separate task: the write completes even if the client disconnects.
            let health = self.clone();
            let trying = tokio::spawn(async move {
                health.try_to_write().await;
                drop(turn);
            });
            let _ = tokio::time::timeout(PATIENCE, trying).await;
        }
        if self.known().is_writable() { Ok(()) } else { Err("database: cannot write".to_owned()) }
    }

    /// Returns since when the mail server takes no mails; none while it takes them.
    pub(crate) async fn mail_outage(&self) -> Option<DateTime<Utc>> {
        match tokio::time::timeout(PATIENCE, ledger::record::outage::current(&self.db)).await {
            Ok(Ok(outage)) => outage.map(|outage| outage.since),
            Ok(Err(error)) => {
                tracing::warn!(%error, "it could not be read whether the mail server takes mails");
                None
            }
            Err(_) => None,
        }
    }

    /// Returns since when receivers of messages to other systems fail, the longest first; none if it cannot be read.
    pub(crate) async fn failing_webhooks(&self) -> Vec<DateTime<Utc>> {
        match tokio::time::timeout(PATIENCE, ledger::record::webhook::failing(&self.db)).await {
            Ok(Ok(since)) => since,
            Ok(Err(error)) => {
                tracing::warn!(%error, "it could not be read which webhooks fail");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    /// Returns the schedules that are in effect, by the name of the job; none if they cannot be read.
    pub(crate) async fn schedules(&self) -> Vec<schedule::Model> {
        let schedules = schedule::Entity::find()
            .filter(schedule::Column::Enabled.eq(true))
            .filter(schedule::Column::Name.is_in(JOBS.iter().map(|job| job.name)))
            .order_by_asc(schedule::Column::Name);
        match tokio::time::timeout(PATIENCE, schedules.all(&self.db)).await {
            Ok(Ok(rows)) => rows,
            Ok(Err(error)) => {
                tracing::warn!(%error, "it could not be read which jobs fail");
                Vec::new()
            }
            Err(_) => Vec::new(),
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn try_to_write(&self) {
        self.known().trying_since = Some(Instant::now());
        let failure = ledger::record::database::try_to_write(&self.db).await.err();
        let mut known = self.known();
        let was_writable = known.is_writable();
        let trouble = failure.as_ref().map(|failure| trouble(failure).unwrap_or(Trouble::Storage));
        *known = Known { tried: Some((Instant::now(), trouble)), trying_since: None };
        match failure {
            Some(failure) if was_writable && !known.is_writable() => {
                tracing::error!(
                    trouble = trouble.map(tracing::field::display),
                    error = %failure,
                    "the database does not accept writes"
                );
            }
            None if !was_writable => tracing::info!("the database accepts writes again"),
            _ => {}
        }
    }
}

impl Known {
    fn is_fresh(&self) -> bool {
        let holds = if self.is_writable() { HOLDS } else { HOLDS_NOT };
        self.tried.is_some_and(|(at, _)| at.elapsed() < holds)
    }

    /// Whether writes succeed. Waiting for another writer ([`Trouble::Busy`]) does not count as a failure.
    fn is_writable(&self) -> bool {
        let failed = self.tried.is_some_and(|(_, trouble)| trouble.is_some_and(|trouble| trouble != Trouble::Busy));
        !failed && self.trying_since.is_none_or(|since| since.elapsed() < STUCK)
    }
}

fn address(url: &str) -> Result<String, Failure> {
    let Some(file) = url.strip_prefix("sqlite:") else { return Ok(url.to_owned()) };
    let file = file.trim_start_matches("//");
    let name = file.split('?').next().unwrap_or(file);
    if let Some(folder) = Path::new(name).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_private_folder(folder)
            .map_err(|error| Failure::Rejected(format!("文件夹 {} 无法创建：{error}", folder.display())))?;
    }
    Ok(if file.contains('?') { format!("sqlite:{file}") } else { format!("sqlite:{file}?mode=rwc") })
}
