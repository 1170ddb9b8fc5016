//! Adds when a mail came back after a server had accepted it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let is_postgres = db.get_database_backend() == DbBackend::Postgres;
        let moment = if is_postgres { "timestamp with time zone" } else { "timestamp_with_timezone_text" };
        db.execute_unprepared(&format!("ALTER TABLE mail ADD COLUMN bounced_at {moment}")).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("ALTER TABLE mail DROP COLUMN bounced_at").await?;
        Ok(())
    }
}
