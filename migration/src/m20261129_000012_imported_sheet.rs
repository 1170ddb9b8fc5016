//! Adds how imported sheets are laid out, so that exports repeat it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, text, timestamp_with_time_zone};

use crate::draft::Draft;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sheet = Draft::with_id("imported_sheet").belongs_to("round_id", "inspection_round");
        let sheet = sheet.belongs_to("region_id", "region").col(text("form"));
        let sheet = sheet.col(boolean("is_read_again")).col(timestamp_with_time_zone("imported_at"));
        sheet.unique(&["round_id", "region_id"]).create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("imported_sheet").to_owned()).await
    }
}
