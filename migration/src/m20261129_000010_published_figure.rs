//! Adds the numbers that a published report states about a round (公布数), with their source.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, date, integer, string, string_null, text_null, timestamp_with_time_zone, timestamp_with_time_zone_null,
};

use crate::draft::{Draft, code};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TOPICS: &[&str] = &["TOTAL", "COMPLETED", "CLOSED", "ON_SCHEDULE", "BEHIND", "RANK", "CONSEQUENCE", "OTHER"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let figure = Draft::with_id("published_figure")
            .refers_to("round_id", "inspection_round")
            .refers_to("region_id", "region")
            .col(code("counted", &["PROBLEMS", "MEASURES", "PEOPLE", "CASES"]))
            .col(code("topic", TOPICS))
            .col(string_null("label"))
            .col(big_integer("amount").check(Expr::col("amount").gte(0)).to_owned())
            .col(date("as_of"))
            .col(string("source"))
            .may_refer_to("recorder_id", "account")
            .col(timestamp_with_time_zone("recorded_at"))
            .col(timestamp_with_time_zone_null("withdrawn_at"))
            .col(text_null("withdraw_reason"))
            .col(integer("version"))
            .col(timestamp_with_time_zone("updated_at"))
            .index(&["round_id", "id"])
            .index(&["region_id"])
            .index(&["recorder_id"]);
        figure.create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("published_figure").to_owned()).await
    }
}
