//! Opening the database: one way for all commands.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ledger::file::storage::create_private_folder;
use ledger::record::database::{Trouble, trouble};
use sea_orm::sqlx::{self, Connection};
use sea_orm::{ConnAcquireErr, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};
use secrecy::ExposeSecret;

use crate::Failure;
use crate::secret;
use crate::settings::{self, Settings};

/// The statements that this process has sent, for `/metrics`.
pub(crate) static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// Opens the database; an SQLite file is made when it is not there.
pub(crate) async fn open(settings: &Settings) -> Result<DatabaseConnection, Failure> {
    let settings::Database { url, password } = settings.database()?;
    let given = password.clone();
    let mut options = ConnectOptions::new(address(&url)?);
    options.sqlx_logging(false).acquire_timeout(Duration::from_secs(10));
    if url.starts_with("sqlite:") {
        // Readers side by side, one writer at a time; writers wait for each other rather than fail.
        // Two are always open: where the disk is full, the last one could be closed, but none opened again, not even to
        // read.
        options.test_before_acquire(false).min_connections(2).max_connections(4).map_sqlx_sqlite_opts(|options| {
            options
                .busy_timeout(Duration::from_secs(30))
                .foreign_keys(true)
                .pragma("journal_mode", "WAL")
                // What was acknowledged is on the disk, also when the power fails.
                .pragma("synchronous", "FULL")
                .pragma("temp_store", "MEMORY")
                .pragma("cache_size", "-16384")
        });
        options.map_sqlx_sqlite_pool_opts(|pool| pool.after_release(|connection, _| Box::pin(is_clean(connection))));
    } else {
        // A connection is asked before it is used: after a restart of the database none of them is good. A statement that
        // nobody waits for any more must not go on for ever.
        options.test_before_acquire(true).max_connections(settings.database_connections).map_sqlx_postgres_opts(
            move |options| {
                // Never in the address, which the driver shows in its traces.
                let options = match &password {
                    Some(password) => options.password(password.expose_secret()),
                    None => options,
                };
                options.options([
                    ("statement_timeout", "300s"),
                    ("idle_in_transaction_session_timeout", "600s"),
                    // The same statements come again and again: planning them once is what preparing is for, and compiling
                    // a plan costs more than any of them takes.
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

/// Whether a connection that is handed back may be used again: its rollback is done, and it is in no transaction. SQLite
/// ends a transaction by itself when the disk is full or cannot be read or written; the driver then fails to roll back,
/// goes on counting the transaction as open, and takes the next one for a part of it. Such a connection is closed.
async fn is_clean<C: Connection>(connection: &mut C) -> Result<bool, sqlx::Error> {
    // The driver rolls back behind the caller's back; this waits for it, and is no statement.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// Counts a statement.
pub(crate) fn count() {
    STATEMENTS.fetch_add(1, Ordering::Relaxed);
}

/// Opens the database and brings it up to date.
pub(crate) async fn open_current(settings: &Settings) -> Result<DatabaseConnection, Failure> {
    let db = open(settings).await?;
    migrate(&db).await?;
    Ok(db)
}

/// Brings the database up to date and says what was done.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<Vec<String>, Failure> {
    let applied = migration::up(db).await?;
    if !applied.is_empty() {
        tracing::info!(steps = applied.join(", "), "the database was brought up to date");
    }
    ledger::statistics::kept::ensure(db).await?;
    Ok(applied)
}

/// Says whether the database answers and can be written. Writing is tried at most every few seconds, however often it is
/// asked for.
#[derive(Clone)]
pub(crate) struct Health {
    db: DatabaseConnection,
    /// Held by whoever tries to write.
    turn: Arc<tokio::sync::Mutex<()>>,
    known: Arc<Mutex<Known>>,
}

/// What is known of writing.
#[derive(Clone, Copy, Default)]
struct Known {
    /// When it was last tried to the end, and what came of it.
    tried: Option<(Instant, Option<Trouble>)>,
    /// Since when it is being tried.
    trying_since: Option<Instant>,
}

/// How long an answer of the database may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long it holds that the database can be written, and that it cannot.
const HOLDS: Duration = Duration::from_secs(5);
const HOLDS_NOT: Duration = Duration::from_secs(1);
/// A write that has not ended after this long does not end: a network drive that hangs. An import on SQLite, for whose end
/// a write waits, takes less.
const STUCK: Duration = Duration::from_mins(2);

impl Health {
    pub(crate) fn new(db: DatabaseConnection) -> Self {
        Self { db, turn: Arc::default(), known: Arc::default() }
    }

    /// An error says in a few words what is wrong.
    pub(crate) async fn check(&self) -> Result<(), String> {
        let question = tokio::time::timeout(PATIENCE, self.db.execute_unprepared("SELECT 1")).await;
        if !matches!(question, Ok(Ok(_))) {
            return Err("database: no answer".to_owned());
        }
        if let Ok(turn) = self.turn.clone().try_lock_owned()
            && !self.known().is_fresh()
        {
            // In a task of its own it comes to its end, whoever hangs up.
            let health = self.clone();
            let trying = tokio::spawn(async move {
                health.try_to_write().await;
                drop(turn);
            });
            let _ = tokio::time::timeout(PATIENCE, trying).await;
        }
        if self.known().is_writable() { Ok(()) } else { Err("database: cannot write".to_owned()) }
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
                tracing::error!(trouble = trouble.map(tracing::field::display), error = %failure, "the database cannot be written");
            }
            None if !was_writable => tracing::info!("the database can be written again"),
            _ => {}
        }
    }
}

impl Known {
    fn is_fresh(&self) -> bool {
        let holds = if self.is_writable() { HOLDS } else { HOLDS_NOT };
        self.tried.is_some_and(|(at, _)| at.elapsed() < holds)
    }

    /// Whoever waits for others who write has no reason to think that nobody can.
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
