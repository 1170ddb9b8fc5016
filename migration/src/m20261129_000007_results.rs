//! Adds what follows an inspection: the document, time, place and contact of supervision.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns added: table, name, type on PostgreSQL and type on SQLite.
const COLUMNS: &[(&str, &str, &str, &str)] = &[
    ("supervision_action", "document_number", "varchar", "varchar"),
    ("supervision_action", "meeting_at", "timestamp with time zone", "timestamp_with_timezone_text"),
    ("supervision_action", "place", "varchar", "varchar"),
    ("supervision_action", "contact", "varchar", "varchar"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let is_postgres = manager.get_database_backend() == DbBackend::Postgres;
        for (table, name, on_postgres, on_sqlite) in COLUMNS {
            let kind = if is_postgres { on_postgres } else { on_sqlite };
            db.execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN {name} {kind}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for (table, name, ..) in COLUMNS.iter().rev() {
            db.execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN {name}")).await?;
        }
        Ok(())
    }
}
