//! Gives every assignment a deadline of its own, and keeps the deadline of the plan beside the latest one of a measure.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns added: table, name and type.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("assignment", "due_on", "date"),
    ("assignment", "due_by", "date"),
    ("measure", "plan_due_on", "date"),
    ("measure", "plan_due_by", "date"),
    ("measure_region", "own_due_by", "date"),
];

/// Extensions that were granted before moved the deadline of all answers to a measure: that stays as it was granted.
const FILLED: &[&str] = &[
    "UPDATE measure SET plan_due_on = due_on, plan_due_by = due_by",
    "UPDATE assignment SET due_on = (SELECT m.due_on FROM measure m WHERE m.id = assignment.measure_id), \
     due_by = (SELECT m.due_by FROM measure m WHERE m.id = assignment.measure_id)",
];

const INDEX: &str = "ix_assignment_due_by";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for (table, name, kind) in COLUMNS {
            db.execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN {name} {kind}")).await?;
        }
        for statement in FILLED {
            db.execute_unprepared(statement).await?;
        }
        // Reminders and filters ask for what falls due in a range of days.
        db.execute_unprepared(&format!("CREATE INDEX {INDEX} ON assignment (due_by)")).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&format!("DROP INDEX {INDEX}")).await?;
        for (table, name, _) in COLUMNS.iter().rev() {
            db.execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN {name}")).await?;
        }
        Ok(())
    }
}
