//! Checks the health of the database of a server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use api::ExaminedDatabase;
use chrono::{DateTime, Utc};
use entity::{backup, schedule};
use ledger::record::database::{Trouble, trouble};
use scheduler::JOBS;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder, Statement,
};

/// Checks whether the database answers and accepts writes. Runs a test write at most every few seconds, however often
/// it is called.
#[derive(Clone)]
pub(crate) struct Health {
    db: DatabaseConnection,
    /// Held while a test write runs, so that there is only one at a time.
    turn: Arc<tokio::sync::Mutex<()>>,
    known: Arc<Mutex<Known>>,
    /// When the outbox was last counted, and the result.
    counted: Arc<Mutex<Option<(Instant, Outbox)>>>,
}

/// Mails that are not sent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Outbox {
    pub(crate) queued: i64,
    pub(crate) sending: i64,
    pub(crate) failed: i64,
    /// When the oldest that waits was queued.
    pub(crate) oldest: Option<DateTime<Utc>>,
}

/// Connections of the pool.
pub(crate) struct Pool {
    pub(crate) size: i64,
    pub(crate) idle: i64,
    pub(crate) most: i64,
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
/// How long a count of the outbox stays valid.
const COUNT_HOLDS: Duration = Duration::from_secs(15);
/// Counts the outbox. The conditions are those of its partial indexes; mails that were sent are not read.
const COUNT_OUTBOX: &str = "SELECT state, count(*) AS mails, min(created_at) AS oldest FROM mail \
    WHERE state IN ('QUEUED', 'SENDING') GROUP BY state \
    UNION ALL SELECT 'FAILED', count(*), NULL FROM mail WHERE state = 'FAILED'";
/// A test write that takes longer than this counts as failed, for example on a network drive that hangs. On SQLite it
/// may have to wait for an import to finish, which takes less.
const STUCK: Duration = Duration::from_mins(2);

impl Health {
    pub(crate) fn new(mut db: DatabaseConnection) -> Self {
        // Its statements are not counted among those of the ledger.
        db.set_metric_callback(|_| {});
        Self { db, turn: Arc::default(), known: Arc::default(), counted: Arc::default() }
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

    /// Counts the texts that wait to be indexed for searches; none if they cannot be counted.
    pub(crate) async fn unindexed(&self) -> u64 {
        match tokio::time::timeout(PATIENCE, ledger::search::waiting(&self.db)).await {
            Ok(Ok(waiting)) => waiting,
            Ok(Err(error)) => {
                tracing::warn!(%error, "it could not be read how many texts wait to be indexed");
                0
            }
            Err(_) => 0,
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

    /// Counts the mails that are not sent; the last count if they cannot be counted.
    pub(crate) async fn outbox(&self) -> Outbox {
        let last = *self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, last) = last.unzip();
        if at.is_some_and(|at| at.elapsed() < COUNT_HOLDS) {
            return last.unwrap_or_default();
        }
        match tokio::time::timeout(PATIENCE, self.count_outbox()).await {
            Ok(Ok(outbox)) => {
                *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), outbox));
                outbox
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "the outbox could not be counted");
                last.unwrap_or_default()
            }
            Err(_) => last.unwrap_or_default(),
        }
    }

    async fn count_outbox(&self) -> Result<Outbox, DbErr> {
        let mut outbox = Outbox::default();
        let counting = Statement::from_string(self.db.get_database_backend(), COUNT_OUTBOX);
        for row in self.db.query_all_raw(counting).await? {
            let mails = row.try_get("", "mails")?;
            let oldest: Option<DateTime<Utc>> = row.try_get("", "oldest")?;
            match row.try_get::<String>("", "state")?.as_str() {
                "QUEUED" => outbox.queued = mails,
                "SENDING" => outbox.sending = mails,
                _ => outbox.failed = mails,
            }
            outbox.oldest = outbox.oldest.into_iter().chain(oldest).min();
        }
        Ok(outbox)
    }

    /// Describes the database and this process's connections to it.
    pub(crate) async fn database(&self) -> ledger::Result<ExaminedDatabase> {
        let backend = self.db.get_database_backend();
        let (kind, text) = if backend == DbBackend::Postgres {
            let text = "SELECT current_setting('server_version') AS version, \
                        pg_database_size(current_database()) AS bytes";
            ("PostgreSQL", text)
        } else {
            let text = "SELECT sqlite_version() AS version, c.page_count * s.page_size AS bytes \
                        FROM pragma_page_count() c, pragma_page_size() s";
            ("SQLite", text)
        };
        let (mut version, mut bytes) = (String::new(), 0_i64);
        if let Some(row) = self.db.query_one_raw(Statement::from_string(backend, text)).await? {
            (version, bytes) = (row.try_get("", "version")?, row.try_get("", "bytes")?);
        }
        let step = migration::applied(&self.db).await?.pop().unwrap_or_default();
        let (pool, is_writable) = (self.pool(), self.check().await.is_ok());
        let number = |number: i64| u32::try_from(number).unwrap_or_default();
        Ok(ExaminedDatabase {
            kind,
            version,
            bytes: bytes.unsigned_abs(),
            step,
            open: number(pool.size),
            idle: number(pool.idle),
            most: number(pool.most),
            is_writable,
        })
    }

    /// Counts the files of evidence that the ledger has, and their bytes.
    pub(crate) async fn evidence(&self) -> ledger::Result<(u64, u64)> {
        let text = "SELECT count(*) AS files, CAST(coalesce(sum(size), 0) AS bigint) AS bytes \
                    FROM (SELECT DISTINCT place, size FROM evidence) AS file";
        let row = self.db.query_one_raw(Statement::from_string(self.db.get_database_backend(), text)).await?;
        let Some(row) = row else { return Ok((0, 0)) };
        let (files, bytes): (i64, i64) = (row.try_get("", "files")?, row.try_get("", "bytes")?);
        Ok((files.unsigned_abs(), bytes.unsigned_abs()))
    }

    /// Returns the backup that was made last; none if it cannot be read.
    pub(crate) async fn backup(&self) -> Option<backup::Model> {
        match tokio::time::timeout(PATIENCE, ledger::record::backup::last(&self.db)).await {
            Ok(Ok(last)) => last,
            Ok(Err(error)) => {
                tracing::warn!(%error, "it could not be read when the last backup was made");
                None
            }
            Err(_) => None,
        }
    }

    /// Returns how many connections the pool has.
    pub(crate) fn pool(&self) -> Pool {
        let (size, idle, most) = if self.db.get_database_backend() == DbBackend::Postgres {
            let pool = self.db.get_postgres_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        } else {
            let pool = self.db.get_sqlite_connection_pool();
            (pool.size(), pool.num_idle(), pool.options().get_max_connections())
        };
        Pool { size: size.into(), idle: idle as i64, most: most.into() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn try_to_write(&self) {
        let was_writable = self.known().is_writable();
        self.known().trying_since = Some(Instant::now());
        // A server that is lost together with its machine never answers.
        let trying = tokio::time::timeout(STUCK, ledger::record::database::try_to_write(&self.db));
        let failure = match trying.await {
            Ok(tried) => tried.err().map(|error| (trouble(&error).unwrap_or(Trouble::Storage), error.to_string())),
            Err(_) => Some((Trouble::Away, "no answer".to_owned())),
        };
        let mut known = self.known();
        let trouble = failure.as_ref().map(|(trouble, _)| *trouble);
        *known = Known { tried: Some((Instant::now(), trouble)), trying_since: None };
        match failure {
            Some((_, error)) if was_writable && !known.is_writable() => {
                tracing::error!(
                    trouble = trouble.map(tracing::field::display),
                    error,
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
