//! Adds the imports that wait for decisions: the uploaded file, what was decided, and how it was read.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, binary, boolean, date_null, string, string_null, text, text_null, timestamp_with_time_zone,
};

use crate::draft::{Draft, code};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let pending = Draft::with_id("pending_import").may_belong_to("account_id", "account");
        let pending = pending.col(string("file_name")).col(binary("content")).col(string("round"));
        let pending = pending.col(string("region")).col(string_null("issued_by")).col(date_null("as_of"));
        let pending = pending.col(boolean("creates_units")).col(text("decisions"));
        let pending = pending.col(code("state", &["READING", "READ", "RUNNING", "DONE", "FAILED"]));
        let pending = pending.col(big_integer("processed")).col(big_integer("total")).col(text_null("report"));
        let pending = pending.col(timestamp_with_time_zone("created_at")).col(timestamp_with_time_zone("updated_at"));
        pending.create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("pending_import").to_owned()).await
    }
}
