//! The schema's history. Each file is one frozen step that never imports live entities; `up` brings a database to the
//! newest step, alone, whatever number of replicas start at once.

mod draft;
mod m20261121_000001_ledger;
mod m20261122_000001_change;
mod m20261122_000002_figure;
mod m20261122_000003_assignment_order;
mod m20261122_000004_people;
mod m20261122_000005_work;
mod m20261122_000006_keeping;
mod m20261122_000007_case;
mod m20261122_000008_identity;
mod m20261122_000009_supervision_check;
mod m20261122_000010_proposal;
mod m20261122_000011_case_reminder;
mod m20261122_000012_objection;
mod m20261122_000013_removal;
mod m20261128_000001_people;
mod m20261128_000002_audit_seal;
mod m20261128_000003_heartbeat;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

/// The key of PostgreSQL's advisory lock under which migrations run; any constant of our own will do.
const LOCK: i64 = 0x7265_6374_6966_7901;

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261121_000001_ledger::Migration),
            Box::new(m20261122_000001_change::Migration),
            Box::new(m20261122_000002_figure::Migration),
            Box::new(m20261122_000003_assignment_order::Migration),
            Box::new(m20261122_000004_people::Migration),
            Box::new(m20261122_000005_work::Migration),
            Box::new(m20261122_000006_keeping::Migration),
            Box::new(m20261122_000007_case::Migration),
            Box::new(m20261122_000008_identity::Migration),
            Box::new(m20261122_000009_supervision_check::Migration),
            Box::new(m20261122_000010_proposal::Migration),
            Box::new(m20261122_000011_case_reminder::Migration),
            Box::new(m20261122_000012_objection::Migration),
            Box::new(m20261122_000013_removal::Migration),
            Box::new(m20261128_000001_people::Migration),
            Box::new(m20261128_000002_audit_seal::Migration),
            Box::new(m20261128_000003_heartbeat::Migration),
        ]
    }
}

/// Applies every pending step in one transaction and returns their names; an empty list means "already up to date".
/// On PostgreSQL an advisory lock makes a second starter wait; on SQLite the write lock does.
pub async fn up(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = db.begin_with_options(options).await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    }
    let pending = pending_names(&Migrator::get_pending_migrations(&transaction).await?);
    if !pending.is_empty() {
        Migrator::up(&transaction, None).await?;
    }
    transaction.commit().await?;
    Ok(pending)
}

fn pending_names(migrations: &[sea_orm_migration::Migration]) -> Vec<String> {
    migrations.iter().map(|migration| migration.name().to_owned()).collect()
}
