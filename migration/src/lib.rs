//! Database migrations. Each file is one step, which is never changed after release and never imports the live
//! entities. `up` migrates a database to the newest step. If several replicas start at once, only one of them does so.

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
mod m20261129_000001_words;
mod m20261129_000002_link_key;
mod m20261129_000003_sameness;
mod m20261129_000004_work_lists;
mod m20261129_000005_sheets;
mod m20261129_000006_case_batches;
mod m20261129_000007_results;
mod m20261129_000008_own_answers;
mod m20261129_000009_pending_import;
mod m20261129_000010_published_figure;
mod m20261129_000011_townships;
mod m20261129_000012_imported_sheet;
mod m20261129_000013_kept_decisions;
mod m20261129_000014_delivery;
mod m20261129_000015_answer_deadlines;
mod m20261129_000016_job_failures;
mod m20261129_000017_import_level;
mod m20261129_000018_reminder_rules;
mod m20261129_000019_own_mail;
mod m20261129_000020_job_names;
mod m20261129_000021_monthly_account;
mod m20261129_000022_cards;
mod m20261129_000023_webhooks;
mod m20261129_000024_holidays_of_regions;
mod m20261129_000025_rules_of_months_and_notices;
mod m20261129_000026_bounced_mail;
mod m20261129_000028_saved_views;
mod m20261129_000029_search_index;
mod m20261129_000030_name_order;
mod m20261129_000031_backups;
mod m20261130_000032_search_counts;
mod m20261130_000033_mail_item_indexes;
mod m20261130_000034_mail_trace;
mod m20261130_000035_session_writes;
mod m20261201_000036_audit_apart;
mod m20261201_000037_orders;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, EntityTrait, QueryOrder,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use sea_orm_migration::seaql_migrations;

/// Key of the PostgreSQL advisory lock under which migrations run. An arbitrary constant.
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
            Box::new(m20261129_000001_words::Migration),
            Box::new(m20261129_000002_link_key::Migration),
            Box::new(m20261129_000003_sameness::Migration),
            Box::new(m20261129_000004_work_lists::Migration),
            Box::new(m20261129_000005_sheets::Migration),
            Box::new(m20261129_000006_case_batches::Migration),
            Box::new(m20261129_000007_results::Migration),
            Box::new(m20261129_000008_own_answers::Migration),
            Box::new(m20261129_000009_pending_import::Migration),
            Box::new(m20261129_000010_published_figure::Migration),
            Box::new(m20261129_000011_townships::Migration),
            Box::new(m20261129_000012_imported_sheet::Migration),
            Box::new(m20261129_000013_kept_decisions::Migration),
            Box::new(m20261129_000014_delivery::Migration),
            Box::new(m20261129_000015_answer_deadlines::Migration),
            Box::new(m20261129_000016_job_failures::Migration),
            Box::new(m20261129_000017_import_level::Migration),
            Box::new(m20261129_000018_reminder_rules::Migration),
            Box::new(m20261129_000019_own_mail::Migration),
            Box::new(m20261129_000020_job_names::Migration),
            Box::new(m20261129_000021_monthly_account::Migration),
            Box::new(m20261129_000022_cards::Migration),
            Box::new(m20261129_000023_webhooks::Migration),
            Box::new(m20261129_000024_holidays_of_regions::Migration),
            Box::new(m20261129_000025_rules_of_months_and_notices::Migration),
            Box::new(m20261129_000026_bounced_mail::Migration),
            Box::new(m20261129_000028_saved_views::Migration),
            Box::new(m20261129_000029_search_index::Migration),
            Box::new(m20261129_000030_name_order::Migration),
            Box::new(m20261129_000031_backups::Migration),
            Box::new(m20261130_000032_search_counts::Migration),
            Box::new(m20261130_000033_mail_item_indexes::Migration),
            Box::new(m20261130_000034_mail_trace::Migration),
            Box::new(m20261130_000035_session_writes::Migration),
            Box::new(m20261201_000036_audit_apart::Migration),
            Box::new(m20261201_000037_orders::Migration),
        ]
    }
}

/// How a database compares with the steps of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// No step was ever applied.
    Empty,
    /// Some steps are pending.
    Older,
    /// All steps were applied.
    Current,
    /// Steps were applied that this version does not know; their names.
    Newer(Vec<String>),
}

/// Compares a database with the steps of this version, without changing it.
pub async fn state(db: &DatabaseConnection) -> Result<State, DbErr> {
    if !SchemaManager::new(db).has_table("seaql_migrations").await? {
        return Ok(State::Empty);
    }
    let applied = versions(db).await?;
    let known: Vec<String> = names().collect();
    let unknown: Vec<String> = applied.iter().filter(|step| !known.contains(step)).cloned().collect();
    Ok(if !unknown.is_empty() {
        State::Newer(unknown)
    } else if applied.is_empty() {
        State::Empty
    } else if known.iter().all(|step| applied.contains(step)) {
        State::Current
    } else {
        State::Older
    })
}

/// Applies all pending steps in one transaction and returns their names; empty if the database was up to date.
/// Concurrent calls wait for each other: on PostgreSQL for an advisory lock, on SQLite for the write lock. Neither the
/// wait nor a step has a time limit.
pub async fn up(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let transaction = begin(db).await?;
    let pending = pending_names(&Migrator::get_pending_migrations(&transaction).await?);
    if !pending.is_empty() {
        Migrator::up(&transaction, None).await?;
    }
    transaction.commit().await?;
    Ok(pending)
}

/// Begins a transaction that migrates, when no other does.
async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = db.begin_with_options(options).await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction
            .execute_unprepared(&format!("SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock({LOCK})"))
            .await?;
    }
    Ok(transaction)
}

/// Returns the names of the steps that were applied, in their order.
pub async fn applied<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    let applied = versions(db).await?;
    Ok(names().filter(|step| applied.contains(step)).collect())
}

/// Returns the names of the steps that a database says were applied to it, known or not.
async fn versions<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    let rows = seaql_migrations::Entity::find().order_by_asc(seaql_migrations::Column::Version).all(db).await?;
    Ok(rows.into_iter().map(|row| row.version).collect())
}

/// Gives a database in which there is nothing yet the schema of another, which was migrated by these steps. Returns
/// false, and does nothing, if they are not the first steps of this version.
pub async fn to(db: &DatabaseConnection, steps: &[String]) -> Result<bool, DbErr> {
    if steps.is_empty() || !names().take(steps.len()).eq(steps.iter().cloned()) {
        return Ok(false);
    }
    // On one connection: the others of SQLite do not see at once that a table was replaced.
    let transaction = begin(db).await?;
    let has_some = SchemaManager::new(&transaction).has_table("seaql_migrations").await?;
    let there = if has_some { applied(&transaction).await?.len() } else { 0 };
    let number = |steps: usize| steps.try_into().unwrap_or(u32::MAX);
    if there < steps.len() {
        Migrator::up(&transaction, Some(number(steps.len() - there))).await?;
    } else if there > steps.len() {
        Migrator::down(&transaction, Some(number(there - steps.len()))).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// Returns the names of all steps of this version, in their order.
fn names() -> impl Iterator<Item = String> {
    Migrator::migrations().into_iter().map(|step| step.name().to_owned())
}

/// Takes back the last steps. The program never does so; the stories make an older database with it.
pub async fn down(db: &DatabaseConnection, steps: u32) -> Result<(), DbErr> {
    Migrator::down(db, Some(steps)).await
}

fn pending_names(migrations: &[sea_orm_migration::Migration]) -> Vec<String> {
    migrations.iter().map(|migration| migration.name().to_owned()).collect()
}
