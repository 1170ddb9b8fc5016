//! Adds proposals of listing (挂牌督办) to the change feed: the system proposes, and a person issues or dismisses.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const KINDS: &str = "'IMPORTED', 'PROGRESS_REPORTED', 'ASSIGNED', 'ACCEPTED', 'DECLINED', \
    'NOT_APPLICABLE_PROPOSED', 'NOT_APPLICABLE_CONFIRMED', 'NOT_APPLICABLE_REJECTED', 'CLOSE_OUT_APPLIED', 'VERIFIED', \
    'RETURNED', 'PUBLICISED', 'OBJECTED', 'OBJECTION_DECIDED', 'CLOSED', 'REOPENED', 'CHECKED', 'EVIDENCE_ADDED', \
    'EXTENSION_REQUESTED', 'EXTENSION_DECIDED', 'SUPERVISED', 'SUPERVISION_LIFTED', 'COMMENTED', 'DISCLOSED', 'EDITED', \
    'HANDED_OVER', 'RESOLVED', 'HELD_TO_ACCOUNT'";
const MORE: &str = ", 'SUPERVISION_PROPOSED', 'SUPERVISION_DISMISSED'";

/// Restricts changes to the given kinds. SQLite cannot alter a CHECK constraint, so the table is recreated.
async fn admit(manager: &SchemaManager<'_>, kinds: &str) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let statements = if db.get_database_backend() == DbBackend::Postgres {
        vec![
            "ALTER TABLE change DROP CONSTRAINT change_kind_check".to_owned(),
            format!("ALTER TABLE change ADD CONSTRAINT change_kind_check CHECK (kind IN ({kinds}))"),
        ]
    } else {
        vec![
            format!(
                "CREATE TABLE change_wide (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, \
                 kind varchar NOT NULL CHECK (kind IN ({kinds})), at timestamp_with_timezone_text NOT NULL, \
                 problem_id bigint REFERENCES problem (id) ON DELETE CASCADE, \
                 measure_id bigint REFERENCES measure (id) ON DELETE CASCADE, \
                 assignment_id bigint REFERENCES assignment (id) ON DELETE CASCADE, \
                 case_id bigint REFERENCES inspection_case (id) ON DELETE CASCADE, \
                 CHECK ((problem_id IS NULL) <> (case_id IS NULL)))"
            ),
            "INSERT INTO change_wide (id, kind, at, problem_id, measure_id, assignment_id, case_id) \
             SELECT id, kind, at, problem_id, measure_id, assignment_id, case_id FROM change"
                .to_owned(),
            "DROP TABLE change".to_owned(),
            "ALTER TABLE change_wide RENAME TO change".to_owned(),
            "CREATE INDEX ix_change_problem_id ON change (problem_id)".to_owned(),
            "CREATE INDEX ix_change_measure_id ON change (measure_id)".to_owned(),
            "CREATE INDEX ix_change_assignment_id ON change (assignment_id)".to_owned(),
            "CREATE INDEX ix_change_case_id ON change (case_id)".to_owned(),
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
        admit(manager, &format!("{KINDS}{MORE}")).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let undo = "DELETE FROM change WHERE kind IN ('SUPERVISION_PROPOSED', 'SUPERVISION_DISMISSED')";
        manager.get_connection().execute_unprepared(undo).await?;
        admit(manager, KINDS).await
    }
}
