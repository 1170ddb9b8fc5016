//! Adds checks by supervising units (督导检查).

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const KINDS: &str = "'SELF_INSPECTION', 'VERIFICATION', 'SPOT_CHECK', 'SUPERVISION'";
const OLD_KINDS: &str = "'SELF_INSPECTION', 'VERIFICATION', 'SPOT_CHECK'";

/// Restricts checks to the given kinds. SQLite cannot alter a CHECK constraint, so the table is recreated.
async fn admit(manager: &SchemaManager<'_>, kinds: &str) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let statements = if db.get_database_backend() == DbBackend::Postgres {
        vec![
            "ALTER TABLE \"check\" DROP CONSTRAINT check_kind_check".to_owned(),
            format!("ALTER TABLE \"check\" ADD CONSTRAINT check_kind_check CHECK (kind IN ({kinds}))"),
        ]
    } else {
        vec![
            format!(
                "CREATE TABLE check_wide (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, \
                 assignment_id integer NOT NULL REFERENCES assignment (id) ON DELETE CASCADE, \
                 kind varchar NOT NULL CHECK (kind IN ({kinds})), period varchar NOT NULL, due_on date_text NOT NULL, \
                 result varchar NOT NULL CHECK (result IN ('PASSED', 'FAILED')), findings text, \
                 checked_on date_text NOT NULL, checker_id integer REFERENCES unit (id) ON DELETE RESTRICT)"
            ),
            "INSERT INTO check_wide SELECT id, assignment_id, kind, period, due_on, result, findings, checked_on, \
             checker_id FROM \"check\""
                .to_owned(),
            "DROP TABLE \"check\"".to_owned(),
            "ALTER TABLE check_wide RENAME TO \"check\"".to_owned(),
            "CREATE UNIQUE INDEX ix_check_assignment_id_kind_period ON \"check\" (assignment_id, kind, period)"
                .to_owned(),
            "CREATE INDEX ix_check_kind_period_assignment_id ON \"check\" (kind, period, assignment_id)".to_owned(),
            "CREATE INDEX ix_check_checker_id ON \"check\" (checker_id)".to_owned(),
        ]
    };
    for statement in statements {
        db.execute_unprepared(&statement).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        admit(manager, KINDS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DELETE FROM \"check\" WHERE kind = 'SUPERVISION'").await?;
        admit(manager, OLD_KINDS).await
    }
}
