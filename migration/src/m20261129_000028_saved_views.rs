//! Views of lists that people keep for themselves: a name, the list, its filter, its order and its columns.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{string, text_null, timestamp_with_time_zone};

use crate::draft::Draft;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let views = Draft::with_id("saved_view").belongs_to("account_id", "account").col(string("name"));
        let views = views.col(string("list")).col(text_null("filter_json")).col(text_null("order_json"));
        let views = views.col(text_null("columns")).col(timestamp_with_time_zone("saved_at"));
        views.unique(&["account_id", "name"]).create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("saved_view").to_owned()).await
    }
}
