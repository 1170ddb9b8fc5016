//! Running a planned statement: one round trip to the database, then the fields that only the program can compute. On
//! PostgreSQL, the reader keeps connections of its own, because returning one to the pool costs another round trip, as
//! much as a small read. A write that is one statement, and so needs no transaction, runs on them too.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgRow};
use sea_orm::sqlx::sqlite::SqliteError;
use sea_orm::sqlx::{self, AssertSqlSafe, Executor, Postgres, Row};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, RuntimeErr, Value};
use serde_json::Value as Json;
use tokio::sync::{Semaphore, SemaphorePermit, watch};

use crate::plan::{Finish, Segment, Statement};
use crate::premise::Premise;
use crate::search::{self, Search};

/// Computes the values that only the program can compute, for the caller of a request.
pub trait Finisher: Sync {
    /// Computes the value of a field from what the database returned.
    fn finish(&self, finish: &Finish, value: &Json) -> Json;
}

/// The most connections that are found lost, one after the other, before a read is given up: those of the pool, too,
/// which is not asked to test them.
const MAX_LOST: usize = 32;
/// How long a read waits for a connection. If the database cannot be reached, its caller hears so after this time.
const PATIENCE: Duration = Duration::from_secs(3);

/// Called with each statement that was sent, and the time that it took.
pub type Sent = fn(&str, Duration);

/// How much an operation asks of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Little, such as a page of a list.
    Cheap,
    /// Much, such as a search through all texts.
    Dear,
}

/// What a read must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// All that is committed.
    Latest,
    /// At least what was committed before.
    Since {
        /// The position of PostgreSQL's log until then, in bytes from its beginning.
        position: i64,
        /// The key of the session. Its reads go to the same replica for as long as it can be used, so that they do not
        /// go back in time.
        session: i64,
    },
}

/// A standby of a PostgreSQL database that reads may use.
#[derive(Debug, Clone)]
pub struct Replica {
    /// The connections to it.
    pub db: DatabaseConnection,
    /// The position up to which it has the log, in bytes from the beginning; negative while no read may use it.
    pub replayed: watch::Receiver<i64>,
}

impl Replica {
    fn has(&self, position: i64) -> bool {
        *self.replayed.borrow() >= position.max(0)
    }

    /// Awaits a read; none if the replica is found to be of no use before it ends.
    async fn unless_lost<T>(&self, position: i64, read: impl Future<Output = T>) -> Option<T> {
        let mut replayed = self.replayed.clone();
        tokio::select! {
            biased;
            done = read => Some(done),
            _ = replayed.wait_for(|replayed| *replayed < position.max(0)) => None,
        }
    }
}

/// Runs planned statements, and the few others that a read begins with.
pub struct Reader {
    db: DatabaseConnection,
    /// The places for dear reads.
    dear: Semaphore,
    kept: Option<Kept>,
    replicas: Vec<(Replica, Kept)>,
}

impl fmt::Debug for Reader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reader").field("db", &self.db).finish_non_exhaustive()
    }
}

/// Connections that stay with the reader. A connection that is dropped in the middle of a read is closed, so that the
/// server cancels the read too.
struct Kept {
    idle: Mutex<Vec<Connected>>,
    places: Semaphore,
    /// How long a statement may take.
    time: Duration,
    sent: Sent,
}

/// A connection, and how the pool connected when it was opened.
struct Connected {
    connection: PoolConnection<Postgres>,
    server: Arc<PgConnectOptions>,
    /// The thread that opened it, whose runtime hears what arrives on it.
    thread: ThreadId,
}

impl Reader {
    /// Makes a reader that keeps up to `most` connections of the pool; the others remain for writes. With 0, and on
    /// SQLite, it keeps none. On them, a statement may take `time`; `sent` is called for each. Dear reads use at most
    /// `most - 1` connections at once, so that a cheap one finds one. It keeps as many to each of the `replicas`.
    pub fn new(db: DatabaseConnection, replicas: Vec<Replica>, most: usize, time: Duration, sent: Sent) -> Self {
        let keeps = db.get_database_backend() == DbBackend::Postgres && most > 0;
        let kept = keeps.then(|| Kept::new(most, time, sent));
        let replicas = replicas.into_iter().map(|replica| (replica, Kept::new(most.max(1), time, sent))).collect();
        Self { db, dear: Semaphore::new(dear_places(most)), kept, replicas }
    }

    /// Returns the kind of database.
    pub fn backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    /// Runs the statement and returns the answer as JSON text: `null` if the root row does not exist. It runs on a
    /// replica where one is fresh enough. `finisher` computes the values that the database cannot.
    pub async fn read(
        &self,
        statement: Statement,
        (lane, freshness): (Lane, Freshness),
        finisher: &dyn Finisher,
    ) -> Result<String, DbErr> {
        let Statement { asked, finishes, searches } = statement;
        let _place = self.place(lane).await?;
        let asked = if searches.is_empty() { asked } else { self.narrowed(asked, &searches, freshness).await? };
        finished(self.data(asked, freshness).await?, &finishes, finisher)
    }

    /// Runs the statement like [`Reader::read`], on the primary, if the premise holds there at the same moment; returns
    /// none if it does not.
    pub async fn read_if(
        &self,
        premise: &Premise,
        statement: Statement,
        lane: Lane,
        finisher: &dyn Finisher,
    ) -> Result<Option<String>, DbErr> {
        let Statement { asked, finishes, searches } = statement;
        let _place = self.place(lane).await?;
        let latest = Freshness::Latest;
        let mut asked = if searches.is_empty() { asked } else { self.narrowed(asked, &searches, latest).await? };
        premise.put_before(&mut asked);
        let Some(row) = self.row(asked).await? else { return Ok(None) };
        if row.try_get_by_index::<Option<String>>(0)?.is_none_or(|found| found != premise.expected) {
            return Ok(None);
        }
        finished(row.try_get_by_index(1)?, &finishes, finisher).map(Some)
    }

    /// Takes one of the places for dear reads; a cheap one needs none.
    async fn place(&self, lane: Lane) -> Result<Option<SemaphorePermit<'_>>, DbErr> {
        match lane {
            Lane::Cheap => Ok(None),
            Lane::Dear => place(&self.dear).await.map(Some),
        }
    }

    /// Narrows a statement to the rows that the index of searches gives.
    async fn narrowed(
        &self,
        asked: sea_orm::Statement,
        searches: &[Search],
        freshness: Freshness,
    ) -> Result<sea_orm::Statement, DbErr> {
        let lookup = search::lookup(asked.db_backend, searches);
        let read = self.data(lookup, freshness).await?.unwrap_or_else(|| "[]".to_owned());
        search::narrow(asked, searches, &read).map_err(|error| DbErr::Custom(error.to_string()))
    }

    /// Runs a statement and returns its only column of its only row.
    async fn data(&self, asked: sea_orm::Statement, freshness: Freshness) -> Result<Option<String>, DbErr> {
        let only =
            |rows: Vec<PgRow>| rows.first().map(|row| row.try_get(0)).transpose().map(Option::flatten).map_err(failed);
        if let Freshness::Since { position, session } = freshness
            && let Some((replica, kept)) = self.replica(position, session)
        {
            match replica.unless_lost(position, Box::pin(kept.fetch(&replica.db, &asked))).await {
                // It was stopped, or lacked what the primary has removed meanwhile: the primary can answer.
                None => {}
                Some(Err(error)) if !is_out_of_time(&error) => {}
                Some(answer) => return only(answer?),
            }
        }
        if let Some(kept) = &self.kept {
            return only(kept.fetch(&self.db, &asked).await?);
        }
        let row = self.db.query_one_raw(asked).await?;
        Ok(row.map(|row| row.try_get("", "data")).transpose()?.flatten())
    }

    /// Returns whether reads may use replicas.
    pub fn has_replicas(&self) -> bool {
        !self.replicas.is_empty()
    }

    /// Returns the replica for reads of a session that has what they must show; none if none has.
    fn replica(&self, position: i64, session: i64) -> Option<&(Replica, Kept)> {
        let own = usize::try_from(session).unwrap_or_default().checked_rem(self.replicas.len())?;
        let (before, after) = self.replicas.split_at(own);
        after.iter().chain(before).find(|(replica, _)| replica.has(position))
    }

    /// Runs a statement that was not planned, such as the one that finds a session, on the same connections. Returns
    /// its first row, if there is one. It is never run on a replica.
    pub async fn row(&self, asked: sea_orm::Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.rows(asked).await?.into_iter().next())
    }

    /// Runs a statement that was not planned, like [`Reader::row`], and returns all its rows.
    pub async fn rows(&self, asked: sea_orm::Statement) -> Result<Vec<QueryResult>, DbErr> {
        match &self.kept {
            Some(kept) => Ok(kept.fetch(&self.db, &asked).await?.into_iter().map(QueryResult::from).collect()),
            None => self.db.query_all_raw(asked).await,
        }
    }

    /// Runs a statement that writes, as a transaction of its own, on the same connections. An error means that nothing
    /// was written, unless the connection was lost: a write is not repeated then, as a read is.
    pub async fn write(&self, asked: sea_orm::Statement) -> Result<(), DbErr> {
        match &self.kept {
            Some(kept) => kept.execute(&self.db, &asked).await,
            None => self.db.execute_raw(asked).await.map(drop),
        }
    }
}

/// Returns how many dear reads run at once where `most` reads do: one fewer, at least one.
pub fn dear_places(most: usize) -> usize {
    most.saturating_sub(1).max(1)
}

async fn place(places: &Semaphore) -> Result<SemaphorePermit<'_>, DbErr> {
    places.acquire().await.map_err(|error| DbErr::Custom(error.to_string()))
}

impl Kept {
    fn new(most: usize, time: Duration, sent: Sent) -> Self {
        Self { idle: Mutex::new(Vec::with_capacity(most)), places: Semaphore::new(most), time, sent }
    }

    /// Runs a statement that reads and returns its rows.
    async fn fetch(&self, db: &DatabaseConnection, asked: &sea_orm::Statement) -> Result<Vec<PgRow>, DbErr> {
        let _place = place(&self.places).await?;
        let mut lost = 0;
        loop {
            match self.attempt(db, asked).await {
                // The server was restarted, or the network failed. Repeating a read is safe.
                Err(error) if lost < MAX_LOST && is_lost(&error) => {
                    lost += 1;
                    if let Ok(mut idle) = self.idle.lock() {
                        idle.clear();
                    }
                }
                done => return done,
            }
        }
    }

    /// Runs a statement once.
    async fn execute(&self, db: &DatabaseConnection, asked: &sea_orm::Statement) -> Result<(), DbErr> {
        let _place = place(&self.places).await?;
        self.attempt(db, asked).await.map(drop)
    }

    async fn attempt(&self, db: &DatabaseConnection, asked: &sea_orm::Statement) -> Result<Vec<PgRow>, DbErr> {
        let server = db.get_postgres_connection_pool().connect_options();
        let thread = thread::current().id();
        let idle = self.idle.lock().ok().and_then(|mut idle| {
            // Those to another server than the pool's present one are of no use: it is no longer the primary.
            idle.retain(|kept| Arc::ptr_eq(&kept.server, &server));
            // Another thread's would have to wake this one for each answer.
            let own = idle.iter().rposition(|kept| kept.thread == thread);
            own.map(|own| idle.swap_remove(own)).or_else(|| idle.pop())
        });
        let mut connected = match idle {
            Some(connected) => connected,
            None => Connected { connection: self.fresh(db).await?, server, thread },
        };
        let begun = Instant::now();
        let rows = connected.connection.fetch_all(query(asked)?).await;
        (self.sent)(&asked.sql, begun.elapsed());
        let is_usable =
            rows.as_ref().err().is_none_or(|error| matches!(error, sqlx::Error::Database(_)) && !is_over(error));
        if is_usable && let Ok(mut idle) = self.idle.lock() {
            idle.push(connected);
        }
        rows.map_err(failed)
    }

    /// Takes a connection out of the pool, to be kept.
    async fn fresh(&self, db: &DatabaseConnection) -> Result<PoolConnection<Postgres>, DbErr> {
        let away = |error: sqlx::Error| DbErr::Conn(RuntimeErr::SqlxError(error.into()));
        let acquired = tokio::time::timeout(PATIENCE, db.get_postgres_connection_pool().acquire()).await;
        let mut connection = acquired.map_err(|_| away(sqlx::Error::PoolTimedOut))?.map_err(away)?;
        connection.close_on_drop();
        // PostgreSQL takes at most so many milliseconds: 24 days.
        let limit = format!("SET statement_timeout = {}", self.time.as_millis().min(i32::MAX as u128));
        connection.execute(AssertSqlSafe(limit)).await.map_err(failed)?;
        // Makes PostgreSQL check for a lost client every second and cancel the statement. Servers before version 14,
        // and those on platforms that do not support the check, refuse the setting and run the statement to its end.
        let _ = connection.execute("SET client_connection_check_interval = '1s'").await;
        Ok(connection)
    }
}

/// Why a statement failed although the statement is correct, so that it may succeed later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The connection was lost, or none could be obtained: the network failed, the server stopped, or a timeout ended
    /// the session. If a commit failed in this way, whether it took effect is unknown.
    Away,
    /// The disk that holds the database is full.
    Full,
    /// The database cannot read or write its files, or is read-only.
    Storage,
    /// Another transaction has locked what the statement needs, memory is short, or the statement took too long.
    Busy,
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Away => "the database cannot be reached",
            Self::Full => "the disk is full",
            Self::Storage => "the storage of the database failed",
            Self::Busy => "the database is busy",
        })
    }
}

/// Returns the trouble that made a statement fail; none if the statement, or the contents of the database, caused the
/// error.
pub fn trouble(error: &DbErr) -> Option<Trouble> {
    let error = match error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => return Some(Trouble::Away),
        DbErr::Query(RuntimeErr::SqlxError(error)) | DbErr::Exec(RuntimeErr::SqlxError(error)) => error,
        _ => return None,
    };
    match &**error {
        sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            Some(Trouble::Away)
        }
        sqlx::Error::Database(said) if said.try_downcast_ref::<SqliteError>().is_some() => of_sqlite(&said.code()?),
        sqlx::Error::Database(said) => of_postgres(&said.code()?),
        _ => None,
    }
}

/// Returns whether a statement failed because its connection was lost, so that another connection may carry it out.
pub fn is_lost(error: &DbErr) -> bool {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(error))
        | DbErr::Exec(RuntimeErr::SqlxError(error))
        | DbErr::Query(RuntimeErr::SqlxError(error)) => is_over(error),
        _ => false,
    }
}

/// Returns whether a statement failed because what it would have written violates a constraint, such as a unique key.
pub fn is_violation(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error else {
        return false;
    };
    matches!(&**error, sqlx::Error::Database(said) if !matches!(said.kind(), sqlx::error::ErrorKind::Other))
}

/// Returns whether PostgreSQL ended a statement because it took too long.
fn is_out_of_time(error: &DbErr) -> bool {
    let DbErr::Query(RuntimeErr::SqlxError(error)) = error else { return false };
    matches!(&**error, sqlx::Error::Database(said) if said.code().is_some_and(|code| code == "57014"))
}

/// Classifies an SQLite result code, <https://sqlite.org/rescode.html>. The lowest byte is the primary code.
fn of_sqlite(code: &str) -> Option<Trouble> {
    let code: i32 = code.parse().ok()?;
    match code & 0xff {
        // BUSY, LOCKED, NOMEM, INTERRUPT
        5 | 6 | 7 | 9 => Some(Trouble::Busy),
        // READONLY, IOERR, CANTOPEN, PROTOCOL
        8 | 10 | 14 | 15 => Some(Trouble::Storage),
        13 => Some(Trouble::Full),
        _ => None,
    }
}

/// Classifies a PostgreSQL SQLSTATE, <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_postgres(code: &str) -> Option<Trouble> {
    match code {
        "53100" => Some(Trouble::Full),
        // An I/O error; a read-only transaction (on a standby).
        "58030" | "25006" => Some(Trouble::Storage),
        // Insufficient resources, out of memory, a configured limit, a statement timeout, a lock timeout, a
        // serialization failure, a deadlock.
        "53000" | "53200" | "53400" | "57014" | "55P03" | "40001" | "40P01" => Some(Trouble::Busy),
        "53300" => Some(Trouble::Away),
        _ => ends_session(code).then_some(Trouble::Away),
    }
}

/// Returns whether PostgreSQL ends the session with this error: a shutdown, a crash, an administrator's command, the
/// timeout of an idle session or of a transaction, or a failed connection.
fn ends_session(code: &str) -> bool {
    code.starts_with("08") || ["57P01", "57P02", "57P03", "57P04", "57P05", "25P03", "25P04"].contains(&code)
}

/// Returns whether the error means that the connection is lost, rather than that the statement failed.
fn is_over(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(said) => said.code().is_some_and(|code| ends_session(&code)),
        _ => false,
    }
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Query(RuntimeErr::SqlxError(error.into()))
}

/// Binds the values of a statement. The statements of a reader contain only these kinds of values.
fn query(asked: &sea_orm::Statement) -> Result<sqlx::query::Query<'_, Postgres, sqlx::postgres::PgArguments>, DbErr> {
    let values = asked.values.iter().flat_map(|values| &values.0);
    values.into_iter().try_fold(sqlx::query(AssertSqlSafe(asked.sql.as_str())), |query, value| {
        Ok(match value {
            Value::Bool(value) => query.bind(*value),
            Value::Int(value) => query.bind(*value),
            Value::BigInt(value) => query.bind(*value),
            Value::Double(value) => query.bind(*value),
            Value::String(value) => query.bind(value.as_deref()),
            Value::ChronoDate(value) => query.bind(*value),
            Value::ChronoDateTimeUtc(value) => query.bind(*value),
            other => return Err(DbErr::Type(format!("statements do not bind values of this kind: {other:?}"))),
        })
    })
}

/// Completes the answer of a statement: `null` if its root row does not exist.
fn finished(data: Option<String>, fields: &[Finish], finisher: &dyn Finisher) -> Result<String, DbErr> {
    let data = data.unwrap_or_else(|| "null".to_owned());
    if fields.is_empty() {
        return Ok(data);
    }
    let mut answer: Json = serde_json::from_str(&data).map_err(|error| DbErr::Custom(error.to_string()))?;
    for field in fields {
        apply(&mut answer, &field.path, &|value| *value = finisher.finish(field, value));
    }
    Ok(answer.to_string())
}

fn apply(value: &mut Json, path: &[Segment], finish: &dyn Fn(&mut Json)) {
    match (path.split_first(), value) {
        (None, value) => finish(value),
        (Some((Segment::Key(key), rest)), Json::Object(members)) => {
            if let Some(member) = members.get_mut(key) {
                apply(member, rest, finish);
            }
        }
        (Some((Segment::Each, rest)), Json::Array(elements)) => {
            for element in elements {
                apply(element, rest, finish);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Trouble, of_postgres, of_sqlite};

    #[test]
    fn what_passes_by_itself_is_told_from_what_is_wrong() {
        // FULL, IOERR_WRITE, READONLY_DBMOVED, CANTOPEN, BUSY_SNAPSHOT, INTERRUPT
        let sqlite = ["13", "778", "1032", "14", "517", "9"].map(of_sqlite);
        let [full, storage, busy] = [Trouble::Full, Trouble::Storage, Trouble::Busy].map(Some);
        assert_eq!(sqlite, [full, storage, storage, storage, busy, busy]);
        // CORRUPT, CONSTRAINT_UNIQUE, ERROR, NOTADB
        assert_eq!(["11", "2067", "1", "26"].map(of_sqlite), [None; 4]);
        // A failed connection, an administrator's shutdown, a crash, timeouts of sessions and transactions, too many
        // connections
        for code in ["08006", "57P01", "57P02", "57P05", "25P03", "25P04", "53300"] {
            assert_eq!(of_postgres(code), Some(Trouble::Away), "{code}");
        }
        let postgres = ["53100", "58030", "25006", "57014", "40P01"].map(of_postgres);
        assert_eq!(postgres, [full, storage, storage, busy, busy]);
        // A violated unique key, a syntax error, damaged data
        assert_eq!(["23505", "42601", "XX001"].map(of_postgres), [None; 3]);
    }
}
