//! Notes of backups that were made of this database, and what each run of a job did.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, boolean, integer_null, string, timestamp_with_time_zone};
use sea_orm_migration::schema::{text_null, timestamp_with_time_zone_null};

use crate::draft::Draft;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let backups = Draft::with_id("backup").col(timestamp_with_time_zone("made_at")).col(string("file_name"));
        let backups = backups.col(big_integer("byte_count")).col(big_integer("row_count")).col(boolean("has_files"));
        let backups = backups.col(timestamp_with_time_zone_null("verified_at")).col(integer_null("fault_count"));
        backups.unique(&["made_at"]).create(manager).await?;
        let column = Table::alter().table("job_run").add_column(text_null("summary")).to_owned();
        manager.alter_table(column).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("ALTER TABLE job_run DROP COLUMN summary").await?;
        manager.drop_table(Table::drop().table("backup").to_owned()).await
    }
}
