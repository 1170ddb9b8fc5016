//! Transactions. A transaction that writes takes SQLite's write lock when it begins: one that reads first and writes
//! later would fail if another has written in between.
//!
//! A database may end a transaction on its own. SQLite rolls back when the disk is full, when reading or writing fails,
//! or when the file is damaged. PostgreSQL ignores everything after a failed statement and answers COMMIT with
//! ROLLBACK, which the driver takes for success. [`Transaction`] therefore remembers a failure and refuses everything
//! that follows it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use futures_util::TryStreamExt;
use sea_orm::prelude::async_trait;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    ExecResult, FromQueryResult, Iterable, QueryResult, SqliteTransactionMode, Statement, StreamTrait,
    TransactionOptions, TransactionTrait,
};

use planner::is_lost;
pub use planner::{Trouble, trouble};

use crate::record::queue::Queue;

/// The most values of one statement that inserts: SQLite takes 32,766, PostgreSQL 65,535.
const MAX_VALUES: usize = 32_000;
/// The most rows of one INSERT. More would make it no faster, and a prepared statement keeps memory for each.
const MAX_TOGETHER: usize = 500;

/// The most connections that are found lost, one after the other, when a transaction begins.
const MAX_LOST: usize = 32;

/// Counts how the values of indexes are spread, by which SQLite chooses between them. PostgreSQL counts on its own.
///
/// SQLite reads at most a thousand rows of each index, so that this takes a fraction of a second on any ledger. Other
/// connections load the counts when the schema changes, so a table is made and dropped.
pub async fn count_indexes<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    if db.get_database_backend() == DbBackend::Sqlite {
        let counting = "PRAGMA analysis_limit = 1000; ANALYZE; \
            DROP TABLE IF EXISTS index_count; CREATE TABLE index_count (id integer); DROP TABLE index_count";
        db.execute_unprepared(counting).await?;
    }
    Ok(())
}

tokio::task_local! {
    /// The transaction that the acts of a batch share.
    static SHARED: Arc<Open>;
}

/// Begins a transaction that will write; within a batch of acts, joins that of the batch.
pub async fn begin(db: &DatabaseConnection) -> Result<Transaction, DbErr> {
    if let Ok(open) = SHARED.try_with(Arc::clone) {
        return Ok(Transaction { open, is_part: true });
    }
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    begin_with(db, TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() }).await
}

/// Returns whether a batch of acts shares its transaction.
pub(crate) fn is_shared() -> bool {
    SHARED.try_with(|_| ()).is_ok()
}

/// Begins a transaction that only reads, and that keeps no one from writing.
pub async fn begin_to_read(db: &DatabaseConnection) -> Result<Transaction, DbErr> {
    begin_with(db, TransactionOptions::default()).await
}

/// Begins a transaction in a task of its own.
///
/// The driver rolls back a transaction that is dropped after it has begun. If its caller is dropped while the
/// transaction is still beginning, however, the driver would leave it open on its connection. The task runs to its end
/// in either case.
///
/// A connection that was lost since its last use, because the server was started anew, is replaced by another.
pub(crate) async fn begin_with(db: &DatabaseConnection, options: TransactionOptions) -> Result<Transaction, DbErr> {
    let db = db.clone();
    let begun = tokio::spawn(async move {
        let mut lost = 0;
        loop {
            match db.begin_with_options(options).await {
                Err(error) if lost < MAX_LOST && is_lost(&error) => lost += 1,
                begun => return begun,
            }
        }
    });
    let open = begun.await.map_err(|failure| DbErr::Custom(failure.to_string()))??;
    let open = Open { inner: open, failure: OnceLock::new(), woken: Mutex::new(Vec::new()) };
    Ok(Transaction { open: Arc::new(open), is_part: false })
}

/// Checks that the database can write: writes so much to a table of no other use that the database has to allocate
/// space on its disk, and commits.
///
/// The rows replace those of the last check, so the table does not grow. On PostgreSQL the check fails if it waits
/// longer than 500 ms for a lock, or 60 s for a statement.
pub async fn try_to_write(db: &DatabaseConnection) -> Result<(), DbErr> {
    let transaction = begin(db).await?;
    transaction
        .execute_unprepared(match db.get_database_backend() {
            // TRUNCATE gives the table a new file, which has to grow.
            DbBackend::Postgres => {
                "SET LOCAL lock_timeout = '500ms'; SET LOCAL statement_timeout = '60s'; TRUNCATE heartbeat; \
                 INSERT INTO heartbeat (id, filler) SELECT n, repeat('.', 1000) FROM generate_series(1, 64) n"
            }
            _ => {
                "INSERT INTO heartbeat (id, filler) VALUES (1, hex(randomblob(32768))) \
                 ON CONFLICT (id) DO UPDATE SET filler = excluded.filler"
            }
        })
        .await?;
    transaction.commit().await
}

/// Inserts rows, in batches that stay below both databases' limits on values per statement; no statement if there are
/// no rows.
pub async fn insert_all<A>(db: &Transaction, rows: impl IntoIterator<Item = A>) -> Result<(), DbErr>
where
    A: ActiveModelTrait + Send,
{
    let rows: Vec<A> = rows.into_iter().collect();
    let columns = <A::Entity as EntityTrait>::Column::iter().count();
    let most = MAX_TOGETHER.min(MAX_VALUES / columns);
    let mut rows = rows.into_iter();
    loop {
        let batch: Vec<A> = rows.by_ref().take(most).collect();
        if batch.is_empty() {
            return Ok(());
        }
        <A::Entity as EntityTrait>::insert_many(batch).exec_without_returning(db).await?;
    }
}

/// A transaction that commits only if every one of its statements has succeeded.
///
/// After a statement fails, or its caller stops waiting for it, every further statement and the commit fail with the
/// same error, and nothing is written. Dropping the transaction rolls it back.
#[derive(Debug)]
pub struct Transaction {
    open: Arc<Open>,
    /// Whether another transaction holds the same one open and commits it ([`Transaction::share`]).
    is_part: bool,
}

/// What a transaction and its parts share.
#[derive(Debug)]
struct Open {
    inner: DatabaseTransaction,
    /// The first failure, after which nothing may be committed.
    failure: OnceLock<DbErr>,
    /// The queues whose workers are woken once it is committed.
    woken: Mutex<Vec<&'static Queue>>,
}

impl Transaction {
    /// Runs an act within this transaction: what it begins is part of this transaction, and what it commits is written
    /// when this transaction commits. What an act has written that fails is only undone by rolling back.
    pub(crate) async fn share<T>(&self, act: impl Future<Output = T>) -> T {
        SHARED.scope(self.open.clone(), act).await
    }

    /// Returns whether a statement has failed, so that nothing more can be done.
    pub(crate) fn has_failed(&self) -> bool {
        self.open.failure.get().is_some()
    }

    /// Commits. An error means that nothing was written, unless the connection was lost during the commit itself.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.check()?;
        if self.is_part {
            return Ok(());
        }
        let unfinished = |_| DbErr::Custom("a part of the transaction has not ended".to_owned());
        let Open { inner, woken, .. } = Arc::try_unwrap(self.open).map_err(unfinished)?;
        inner.commit().await?;
        for queue in woken.into_inner().unwrap_or_else(PoisonError::into_inner) {
            queue.queued.notify_one();
        }
        Ok(())
    }

    /// Lets the statements that follow take as long as they need, for work whose time grows with the ledger.
    pub async fn without_time_limit(&self) -> Result<(), DbErr> {
        if ConnectionTrait::get_database_backend(self) == DbBackend::Postgres {
            self.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        }
        Ok(())
    }

    /// Wakes the workers of a queue in this process once the transaction is committed.
    pub(crate) fn wake(&self, queue: &'static Queue) {
        self.open.woken.lock().unwrap_or_else(PoisonError::into_inner).push(queue);
    }

    /// Hands each row of a statement to `take`, so that the rows are never all in memory.
    pub(crate) async fn each<R: FromQueryResult>(
        &self,
        statement: Statement,
        mut take: impl FnMut(R) + Send,
    ) -> Result<(), DbErr> {
        self.run(async {
            let mut rows = self.open.inner.stream_raw(statement).await?;
            while let Some(row) = rows.try_next().await? {
                take(R::from_query_result(&row, "")?);
            }
            Ok(())
        })
        .await
    }

    /// Rolls back, and waits until that is done. A part makes the whole fail.
    pub async fn rollback(self) -> Result<(), DbErr> {
        if self.is_part {
            let _ = self.open.failure.set(DbErr::Custom("a part of the transaction was rolled back".to_owned()));
            return Ok(());
        }
        match Arc::try_unwrap(self.open) {
            Ok(open) => open.inner.rollback().await,
            // Dropped by the last part, it is rolled back.
            Err(_) => Ok(()),
        }
    }

    /// Fails with the first failure, if there was one.
    fn check(&self) -> Result<(), DbErr> {
        self.open.failure.get().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    /// Runs a statement, and remembers if it fails or is abandoned.
    async fn run<T>(&self, statement: impl Future<Output = Result<T, DbErr>> + Send) -> Result<T, DbErr> {
        self.check()?;
        let abandoned = Abandoned(&self.open.failure);
        let answer = statement.await;
        if let Err(failure) = &answer {
            // Only the first failure is kept: it is the cause of those that follow.
            let _ = self.open.failure.set(failure.clone());
        }
        std::mem::forget(abandoned);
        answer
    }
}

/// Marks the transaction as failed when dropped, that is, when a statement was abandoned before its outcome was known.
struct Abandoned<'a>(&'a OnceLock<DbErr>);

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        let _ = self.0.set(DbErr::Custom("a statement of the transaction was abandoned".to_owned()));
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Transaction {
    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(&self.open.inner)
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.run(self.open.inner.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.run(self.open.inner.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(self.open.inner.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(self.open.inner.query_all_raw(statement)).await
    }
}
