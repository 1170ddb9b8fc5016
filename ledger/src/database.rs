//! Transactions. Those that write take SQLite's write lock at once: a transaction that reads first and writes later would
//! fail when another has written in between.

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use crate::Result;

/// Begins a transaction that will write.
pub async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let sqlite_transaction_mode = Some(SqliteTransactionMode::Immediate);
    begin_with(db, TransactionOptions { sqlite_transaction_mode, ..TransactionOptions::default() }).await
}

/// Begins a transaction, in a task of its own: the driver rolls back what has begun when it is dropped, but leaves a
/// transaction open on its connection that nobody waits for while it begins.
pub(crate) async fn begin_with(db: &DatabaseConnection, options: TransactionOptions) -> Result<DatabaseTransaction> {
    let db = db.clone();
    let begun = tokio::spawn(async move { db.begin_with_options(options).await }).await;
    Ok(begun.map_err(|failure| DbErr::Custom(failure.to_string()))??)
}
