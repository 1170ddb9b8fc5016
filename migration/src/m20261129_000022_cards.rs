//! Adds yellow and red cards (黄牌、红牌) to the kinds of supervision, why the system proposed supervision, and after how
//! many days it proposes a yellow card.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::timestamp_with_time_zone_null;
use sea_orm_migration::schema::{date_null, string_null, text, text_null, timestamp_with_time_zone};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::{Draft, code, code_null};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const KINDS: &[&str] = &["URGE", "SUPERVISE", "YELLOW_CARD", "LIST", "RED_CARD", "SUMMON"];
const OLD_KINDS: &[&str] = &["URGE", "SUPERVISE", "LIST", "SUMMON"];
const CAUSES: &[&str] = &["OVERDUE", "STALE", "TWO_YELLOW_CARDS", "LISTED"];

/// The columns that the table has before and after.
const COLUMNS: &str = "id, measure_id, assignment_id, kind, state, issuer_id, recipient_id, reason, answer_by, \
    issued_at, lifter_id, lifted_at, lift_reason, document_number, meeting_at, place, contact";

/// The table of supervision with the given kinds.
fn supervision(kinds: &'static [&'static str]) -> Draft {
    Draft::with_id("supervision_action")
        .belongs_to("measure_id", "measure")
        .may_belong_to("assignment_id", "assignment")
        .col(code("kind", kinds))
        .col(code("state", &["PROPOSED", "ISSUED", "LIFTED", "DISMISSED"]))
        .may_refer_to("issuer_id", "account")
        .may_refer_to("recipient_id", "unit")
        .col(text("reason"))
        .col(date_null("answer_by"))
        .col(timestamp_with_time_zone("issued_at"))
        .may_refer_to("lifter_id", "account")
        .col(timestamp_with_time_zone_null("lifted_at"))
        .col(text_null("lift_reason"))
        .col(string_null("document_number"))
        .col(timestamp_with_time_zone_null("meeting_at"))
        .col(string_null("place"))
        .col(string_null("contact"))
        .index(&["measure_id", "id"])
        .index(&["assignment_id"])
        .index(&["recipient_id"])
        .index(&["state", "id"])
}

/// Recreates the table as described, with its rows. SQLite cannot alter a CHECK constraint.
async fn recreate(manager: &SchemaManager<'_>, described: Draft) -> Result<(), DbErr> {
    let db = manager.get_connection();
    db.execute_unprepared(&format!("CREATE TABLE supervision_kept AS SELECT {COLUMNS} FROM supervision_action"))
        .await?;
    db.execute_unprepared("DROP TABLE supervision_action").await?;
    described.create(manager).await?;
    db.execute_unprepared(&format!(
        "INSERT INTO supervision_action ({COLUMNS}) SELECT {COLUMNS} FROM supervision_kept"
    ))
    .await?;
    db.execute_unprepared("DROP TABLE supervision_kept").await?;
    Ok(())
}

fn listed(codes: &[&str]) -> String {
    codes.iter().map(|code| format!("'{code}'")).collect::<Vec<_>>().join(", ")
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("ALTER TABLE reminder_rule ADD COLUMN card_after integer").await?;
        if db.get_database_backend() == DbBackend::Postgres {
            for statement in [
                "ALTER TABLE supervision_action DROP CONSTRAINT supervision_action_kind_check".to_owned(),
                format!(
                    "ALTER TABLE supervision_action ADD CONSTRAINT supervision_action_kind_check \
                     CHECK (kind IN ({}))",
                    listed(KINDS)
                ),
                format!(
                    "ALTER TABLE supervision_action ADD COLUMN cause varchar \
                     CHECK (cause IS NULL OR cause IN ({}))",
                    listed(CAUSES)
                ),
                "CREATE INDEX ix_supervision_action_kind_id ON supervision_action (kind, id)".to_owned(),
            ] {
                db.execute_unprepared(&statement).await?;
            }
            return Ok(());
        }
        let described = supervision(KINDS).col(code_null("cause", CAUSES)).index(&["kind", "id"]);
        recreate(manager, described).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("ALTER TABLE reminder_rule DROP COLUMN card_after").await?;
        db.execute_unprepared("DELETE FROM supervision_action WHERE kind IN ('YELLOW_CARD', 'RED_CARD')").await?;
        if db.get_database_backend() == DbBackend::Postgres {
            for statement in [
                "DROP INDEX ix_supervision_action_kind_id".to_owned(),
                "ALTER TABLE supervision_action DROP COLUMN cause".to_owned(),
                "ALTER TABLE supervision_action DROP CONSTRAINT supervision_action_kind_check".to_owned(),
                format!(
                    "ALTER TABLE supervision_action ADD CONSTRAINT supervision_action_kind_check \
                     CHECK (kind IN ({}))",
                    listed(OLD_KINDS)
                ),
            ] {
                db.execute_unprepared(&statement).await?;
            }
            return Ok(());
        }
        recreate(manager, supervision(OLD_KINDS)).await
    }
}
