//! Keeps with a file that waits the level that its inspection round gets if it is new.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const ADDED: &str = "ALTER TABLE pending_import ADD COLUMN level varchar \
     CHECK (level IN ('CENTRAL', 'REGIONAL_BUREAU', 'PROVINCE', 'PREFECTURE', 'COUNTY'))";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared(ADDED).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("ALTER TABLE pending_import DROP COLUMN level").await?;
        Ok(())
    }
}
