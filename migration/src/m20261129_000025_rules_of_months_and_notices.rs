//! Adds to the rules of reminders the days of the monthly account (月账), and the kind that tells offices that a public
//! notice has ended (公示期满).

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::integer_null;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::Draft;
use crate::m20261129_000018_reminder_rules as first;
use crate::m20261129_000021_monthly_account as before;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const KINDS: &[&str] = &[
    "QUARTERLY_SELF_INSPECTION",
    "HALF_YEAR_VERIFICATION",
    "YEARLY_SPOT_CHECK",
    "DUE_SOON",
    "OVERDUE",
    "ESCALATION",
    "STALE_PROGRESS",
    "MONTHLY_ACCOUNT",
    "NOTICE_ENDED",
    "CASE_DUE_SOON",
    "CASE_OVERDUE",
];

/// The columns that the table has before and after.
const COLUMNS: &str = "id, kind, region_id, is_on, days_before, again_after, office_after, leader_after, \
    listing_after, card_after, copied, working_days_only, quiet_from, quiet_until, reason, set_at, setter_id";

/// The table of rules of the given kinds, as it is before.
fn rules(kinds: &'static [&'static str]) -> Draft {
    first::rules(kinds).col(integer_null("card_after"))
}

/// Recreates the table as described, with its rows. SQLite cannot alter a CHECK constraint.
async fn recreate(manager: &SchemaManager<'_>, described: Draft) -> Result<(), DbErr> {
    let db = manager.get_connection();
    db.execute_unprepared(&format!("CREATE TABLE reminder_rule_kept AS SELECT {COLUMNS} FROM reminder_rule")).await?;
    db.execute_unprepared("DROP TABLE reminder_rule").await?;
    described.create(manager).await?;
    db.execute_unprepared(&format!("INSERT INTO reminder_rule ({COLUMNS}) SELECT {COLUMNS} FROM reminder_rule_kept"))
        .await?;
    db.execute_unprepared("DROP TABLE reminder_rule_kept").await?;
    Ok(())
}

/// Returns the statements by which PostgreSQL admits other kinds.
fn admit(kinds: &[&str]) -> [String; 2] {
    let listed = kinds.iter().map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(", ");
    [
        "ALTER TABLE reminder_rule DROP CONSTRAINT reminder_rule_kind_check".to_owned(),
        format!("ALTER TABLE reminder_rule ADD CONSTRAINT reminder_rule_kind_check CHECK (kind IN ({listed}))"),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        if db.get_database_backend() != DbBackend::Postgres {
            let described = rules(KINDS).col(integer_null("account_form_day")).col(integer_null("account_report_day"));
            return recreate(manager, described).await;
        }
        let add = "ALTER TABLE reminder_rule ADD COLUMN account_form_day integer, \
            ADD COLUMN account_report_day integer"
            .to_owned();
        for statement in admit(KINDS).into_iter().chain([add]) {
            db.execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("DELETE FROM reminder_rule WHERE kind = 'NOTICE_ENDED'").await?;
        if db.get_database_backend() != DbBackend::Postgres {
            return recreate(manager, rules(before::KINDS)).await;
        }
        let drop = "ALTER TABLE reminder_rule DROP COLUMN account_form_day, DROP COLUMN account_report_day".to_owned();
        for statement in admit(before::KINDS).into_iter().chain([drop]) {
            db.execute_unprepared(&statement).await?;
        }
        Ok(())
    }
}
