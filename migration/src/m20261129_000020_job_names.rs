//! Gives three reminders the names that administrators know from their handbooks: `half-year-verification`,
//! `yearly-spot-check` and `stale-progress`; and their rules the same names.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::m20261129_000018_reminder_rules::rules;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Old and new names of the jobs, and of the kinds of their rules.
const RENAMED: &[(&str, &str, &str, &str)] = &[
    ("verification", "half-year-verification", "VERIFICATION", "HALF_YEAR_VERIFICATION"),
    ("spot-check", "yearly-spot-check", "SPOT_CHECK", "YEARLY_SPOT_CHECK"),
    ("progress-stale", "stale-progress", "PROGRESS_STALE", "STALE_PROGRESS"),
];

pub(crate) const KINDS: &[&str] = &[
    "QUARTERLY_SELF_INSPECTION",
    "HALF_YEAR_VERIFICATION",
    "YEARLY_SPOT_CHECK",
    "DUE_SOON",
    "OVERDUE",
    "ESCALATION",
    "STALE_PROGRESS",
    "CASE_DUE_SOON",
    "CASE_OVERDUE",
];

const OLD_KINDS: &[&str] = &[
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

/// The name of a rule's kind after the migration, or before it.
fn renamed(is_back: bool) -> String {
    let cases = RENAMED.iter().map(|(_, _, old, new)| {
        let (from, to) = if is_back { (new, old) } else { (old, new) };
        format!(" WHEN '{from}' THEN '{to}'")
    });
    format!("CASE kind{} ELSE kind END", cases.collect::<String>())
}

/// Recreates the rules with other kinds; `kind` is the SQL expression of the kind of a row that is kept. SQLite cannot
/// alter a CHECK constraint.
pub(crate) async fn admit(
    manager: &SchemaManager<'_>,
    kinds: &'static [&'static str],
    kind: &str,
) -> Result<(), DbErr> {
    let db = manager.get_connection();
    if db.get_database_backend() == DbBackend::Postgres {
        let listed = kinds.iter().map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(", ");
        for statement in [
            "ALTER TABLE reminder_rule DROP CONSTRAINT reminder_rule_kind_check".to_owned(),
            format!("UPDATE reminder_rule SET kind = {kind}"),
            format!("ALTER TABLE reminder_rule ADD CONSTRAINT reminder_rule_kind_check CHECK (kind IN ({listed}))"),
        ] {
            db.execute_unprepared(&statement).await?;
        }
        return Ok(());
    }
    db.execute_unprepared(&format!(
        "CREATE TABLE reminder_rule_kept AS SELECT id, {kind} AS kind, region_id, is_on, days_before, again_after, \
         office_after, leader_after, listing_after, copied, working_days_only, quiet_from, quiet_until, reason, set_at, \
         setter_id FROM reminder_rule"
    ))
    .await?;
    db.execute_unprepared("DROP TABLE reminder_rule").await?;
    rules(kinds).create(manager).await?;
    db.execute_unprepared(
        "INSERT INTO reminder_rule (id, kind, region_id, is_on, days_before, again_after, office_after, leader_after, \
         listing_after, copied, working_days_only, quiet_from, quiet_until, reason, set_at, setter_id) \
         SELECT id, kind, region_id, is_on, days_before, again_after, office_after, leader_after, listing_after, \
         copied, working_days_only, quiet_from, quiet_until, reason, set_at, setter_id FROM reminder_rule_kept",
    )
    .await?;
    db.execute_unprepared("DROP TABLE reminder_rule_kept").await?;
    Ok(())
}

/// Renames the jobs, their mails and what people have muted.
async fn rename(manager: &SchemaManager<'_>, is_back: bool) -> Result<(), DbErr> {
    let db = manager.get_connection();
    for (old, new, _, _) in RENAMED {
        let (from, to) = if is_back { (new, old) } else { (old, new) };
        for statement in [
            format!("UPDATE schedule SET name = '{to}' WHERE name = '{from}'"),
            format!("UPDATE mail SET cause = replace(cause, '{from}:', '{to}:') WHERE cause LIKE '{from}:%'"),
            format!("UPDATE mail SET kind = '{to}' WHERE kind = '{from}'"),
            format!("UPDATE muted_mail SET kind = '{to}' WHERE kind = '{from}'"),
        ] {
            db.execute_unprepared(&statement).await?;
        }
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        admit(manager, KINDS, &renamed(false)).await?;
        rename(manager, false).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        rename(manager, true).await?;
        admit(manager, OLD_KINDS, &renamed(true)).await
    }
}
