//! Adds the day on which an objection was received, which may be before the day on which it is recorded. Also withdraws
//! notices from the public that an objection or a relapse has invalidated.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let day = if db.get_database_backend() == DbBackend::Postgres { "date" } else { "date_text" };
        db.execute_unprepared(&format!("ALTER TABLE objection ADD COLUMN received_on {day}")).await?;
        let fell = "UPDATE close_out SET disclosed_at = NULL WHERE state NOT IN ('PUBLICISED', 'CLOSED')";
        db.execute_unprepared(fell).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("ALTER TABLE objection DROP COLUMN received_on").await?;
        Ok(())
    }
}
