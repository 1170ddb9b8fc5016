//! Adds the rules of reminders (提醒规则) as people set them, by kind and region, with their history; and to mails when
//! they were held back by a rule.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean_null, integer_null, string, string_null, time_null, timestamp_with_time_zone};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::{Draft, code};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const KINDS: &[&str] = &[
    "QUARTERLY_SELF_INSPECTION",
    "VERIFICATION",
    "SPOT_CHECK",
    "DUE_SOON",
    "OVERDUE",
    "ESCALATION",
    "PROGRESS_STALE",
    "CASE_DUE_SOON",
    "CASE_OVERDUE",
];

/// The table of rules of the given kinds.
pub(crate) fn rules(kinds: &'static [&'static str]) -> Draft {
    Draft::with_id("reminder_rule")
        .col(code("kind", kinds))
        .may_belong_to("region_id", "region")
        .col(boolean_null("is_on"))
        .col(string_null("days_before"))
        .col(integer_null("again_after"))
        .col(integer_null("office_after"))
        .col(integer_null("leader_after"))
        .col(integer_null("listing_after"))
        .col(string_null("copied"))
        .col(boolean_null("working_days_only"))
        .col(time_null("quiet_from"))
        .col(time_null("quiet_until"))
        .col(string("reason"))
        .col(timestamp_with_time_zone("set_at"))
        .may_refer_to("setter_id", "account")
        .index(&["kind", "region_id", "id"])
        .index(&["region_id"])
        .index(&["setter_id"])
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        rules(KINDS).create(manager).await?;
        let db = manager.get_connection();
        let is_postgres = db.get_database_backend() == DbBackend::Postgres;
        let moment = if is_postgres { "timestamp with time zone" } else { "timestamp_with_timezone_text" };
        db.execute_unprepared(&format!("ALTER TABLE mail ADD COLUMN held_at {moment}")).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("ALTER TABLE mail DROP COLUMN held_at").await?;
        manager.drop_table(Table::drop().table("reminder_rule").to_owned()).await
    }
}
