//! Adds the languages of accounts and units, the facts of mails and the budgets of measures. Drops the CHECK constraint
//! on the kinds of changes, so that a new kind needs no migration.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, text};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::code_null;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const LANGUAGES: &[&str] = &["ZH", "EN"];

/// Returns the columns added, each with its table.
fn columns() -> Vec<(&'static str, ColumnDef)> {
    vec![
        ("account", code_null("language", LANGUAGES)),
        ("unit", code_null("language", LANGUAGES)),
        ("mail", text("facts").default("{}").to_owned()),
        ("measure", big_integer_null("budget")),
    ]
}

/// Recreates the table with its columns in the same order, because SQLite cannot drop a CHECK constraint.
const REMAKE: &[&str] = &[
    "CREATE TABLE change_new (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, kind varchar NOT NULL, \
     at timestamp_with_timezone_text NOT NULL, problem_id bigint REFERENCES problem (id) ON DELETE CASCADE, \
     measure_id bigint REFERENCES measure (id) ON DELETE CASCADE, \
     assignment_id bigint REFERENCES assignment (id) ON DELETE CASCADE, \
     case_id bigint REFERENCES inspection_case (id) ON DELETE CASCADE, removed varchar, \
     region_id bigint REFERENCES region (id) ON DELETE CASCADE, \
     CHECK ((CASE WHEN problem_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN case_id IS NULL THEN 0 ELSE 1 END) \
     + (CASE WHEN region_id IS NULL OR removed IS NULL THEN 0 ELSE 1 END) = 1))",
    "INSERT INTO change_new (id, kind, at, problem_id, measure_id, assignment_id, case_id, removed, region_id) \
     SELECT id, kind, at, problem_id, measure_id, assignment_id, case_id, removed, region_id FROM change",
    "DROP TABLE change",
    "ALTER TABLE change_new RENAME TO change",
    "CREATE INDEX ix_change_problem_id ON change (problem_id)",
    "CREATE INDEX ix_change_measure_id ON change (measure_id)",
    "CREATE INDEX ix_change_assignment_id ON change (assignment_id)",
    "CREATE INDEX ix_change_case_id ON change (case_id)",
    "CREATE INDEX ix_change_region_id ON change (region_id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in columns() {
            // SQLite cannot add several columns in one statement.
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        let db = manager.get_connection();
        if db.get_database_backend() == DbBackend::Postgres {
            db.execute_unprepared("ALTER TABLE change DROP CONSTRAINT change_kind_check").await?;
            return Ok(());
        }
        for statement in REMAKE {
            db.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    /// Does not restore the CHECK constraint, because rows of newer kinds may exist.
    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in columns().iter().rev() {
            let name = column.get_column_name();
            manager.alter_table(Table::alter().table(*table).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
