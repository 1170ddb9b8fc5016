//! Adds what regions answered themselves, completions that are known only by a day, and the pace that a ledger states.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns added: table, name and type.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("assignment", "is_completed_by", "boolean NOT NULL DEFAULT FALSE"),
    ("assignment", "stated_pace", "varchar"),
    ("assignment", "stated_pace_on", "date"),
    ("measure", "is_completed_by", "boolean NOT NULL DEFAULT FALSE"),
    ("measure", "stated_pace", "varchar"),
    ("measure", "stated_pace_on", "date"),
    ("problem", "is_completed_by", "boolean NOT NULL DEFAULT FALSE"),
    ("problem", "stated_pace", "varchar"),
    ("problem", "stated_pace_on", "date"),
    ("measure_region", "own_status", "varchar"),
    ("measure_region", "own_completed_on", "date"),
    ("measure_region", "own_is_completed_by", "boolean NOT NULL DEFAULT FALSE"),
    ("problem_region", "own_status", "varchar"),
    ("problem_region", "own_completed_on", "date"),
    ("problem_region", "own_is_completed_by", "boolean NOT NULL DEFAULT FALSE"),
    ("figure", "unknown", "bigint NOT NULL DEFAULT 0"),
    ("figure_delta", "unknown", "bigint NOT NULL DEFAULT 0"),
];

/// Indexes on the rows for which a ledger states a pace: few, where units report by themselves.
const INDEXES: &[(&str, &str)] = &[
    ("ix_measure_stated_pace", "measure (stated_pace) WHERE stated_pace IS NOT NULL"),
    ("ix_assignment_stated_pace", "assignment (stated_pace) WHERE stated_pace IS NOT NULL"),
];

/// Marks the completions that ledgers stated: those that nobody reported and that no close-out dates. Then the stored
/// figures are dropped; the program counts them anew when it starts.
const FILLED: &[&str] = &[
    "UPDATE assignment SET is_completed_by = TRUE WHERE completed_on IS NOT NULL \
     AND NOT EXISTS (SELECT 1 FROM progress_report p WHERE p.assignment_id = assignment.id AND p.author_id IS NOT NULL) \
     AND NOT EXISTS (SELECT 1 FROM close_out c WHERE c.assignment_id = assignment.id)",
    "UPDATE measure SET is_completed_by = TRUE WHERE completed_on IS NOT NULL AND (status_stated_on IS NOT NULL \
     OR EXISTS (SELECT 1 FROM assignment a WHERE a.measure_id = measure.id AND a.is_completed_by \
     AND a.completed_on = measure.completed_on))",
    "UPDATE problem SET is_completed_by = TRUE WHERE completed_on IS NOT NULL AND (status_stated_on IS NOT NULL \
     OR EXISTS (SELECT 1 FROM measure m WHERE m.problem_id = problem.id AND m.is_completed_by \
     AND m.completed_on = problem.completed_on))",
    "DELETE FROM figure",
    "DELETE FROM figure_delta",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for (table, name, kind) in COLUMNS {
            db.execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN {name} {kind}")).await?;
        }
        for (name, what) in INDEXES {
            db.execute_unprepared(&format!("CREATE INDEX {name} ON {what}")).await?;
        }
        for statement in FILLED {
            db.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for (name, _) in INDEXES {
            db.execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        for (table, name, _) in COLUMNS.iter().rev() {
            db.execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN {name}")).await?;
        }
        Ok(())
    }
}
