//! Adds removals to the change feed, one row for each region that could see the removed object.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const KINDS: &str = "'IMPORTED', 'PROGRESS_REPORTED', 'ASSIGNED', 'ACCEPTED', 'DECLINED', \
    'NOT_APPLICABLE_PROPOSED', 'NOT_APPLICABLE_CONFIRMED', 'NOT_APPLICABLE_REJECTED', 'CLOSE_OUT_APPLIED', 'VERIFIED', \
    'RETURNED', 'PUBLICISED', 'OBJECTED', 'OBJECTION_DECIDED', 'CLOSED', 'REOPENED', 'CHECKED', 'EVIDENCE_ADDED', \
    'EXTENSION_REQUESTED', 'EXTENSION_DECIDED', 'SUPERVISED', 'SUPERVISION_LIFTED', 'COMMENTED', 'DISCLOSED', 'EDITED', \
    'HANDED_OVER', 'RESOLVED', 'HELD_TO_ACCOUNT', 'SUPERVISION_PROPOSED', 'SUPERVISION_DISMISSED'";

/// Condition that a change is about exactly one of a problem, a case, or an object removed from a region.
const OF_ONE: &str = "(CASE WHEN problem_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN case_id IS NULL THEN 0 ELSE 1 END) \
    + (CASE WHEN region_id IS NULL OR removed IS NULL THEN 0 ELSE 1 END) = 1";
const OF_ONE_BEFORE: &str = "(problem_id IS NULL) <> (case_id IS NULL)";

/// Recreates the table, because SQLite cannot alter constraints.
async fn remake(db: &SchemaManagerConnection<'_>, kinds: &str, more: &str, of_one: &str) -> Result<(), DbErr> {
    let statements = [
        format!(
            "CREATE TABLE change_new (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, \
             kind varchar NOT NULL CHECK (kind IN ({kinds})), at timestamp_with_timezone_text NOT NULL, \
             problem_id bigint REFERENCES problem (id) ON DELETE CASCADE, \
             measure_id bigint REFERENCES measure (id) ON DELETE CASCADE, \
             assignment_id bigint REFERENCES assignment (id) ON DELETE CASCADE, \
             case_id bigint REFERENCES inspection_case (id) ON DELETE CASCADE, {more} CHECK ({of_one}))"
        ),
        "INSERT INTO change_new (id, kind, at, problem_id, measure_id, assignment_id, case_id) \
         SELECT id, kind, at, problem_id, measure_id, assignment_id, case_id FROM change"
            .to_owned(),
        "DROP TABLE change".to_owned(),
        "ALTER TABLE change_new RENAME TO change".to_owned(),
        "CREATE INDEX ix_change_problem_id ON change (problem_id)".to_owned(),
        "CREATE INDEX ix_change_measure_id ON change (measure_id)".to_owned(),
        "CREATE INDEX ix_change_assignment_id ON change (assignment_id)".to_owned(),
        "CREATE INDEX ix_change_case_id ON change (case_id)".to_owned(),
    ];
    for statement in statements {
        db.execute_unprepared(&statement).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let kinds = format!("{KINDS}, 'REMOVED'");
        if db.get_database_backend() == DbBackend::Postgres {
            let widened = format!(
                "ALTER TABLE change DROP CONSTRAINT change_kind_check, DROP CONSTRAINT change_of_one_check, \
                 ADD COLUMN removed varchar, ADD COLUMN region_id bigint REFERENCES region (id) ON DELETE CASCADE, \
                 ADD CONSTRAINT change_kind_check CHECK (kind IN ({kinds})), \
                 ADD CONSTRAINT change_of_one_check CHECK ({OF_ONE})"
            );
            db.execute_unprepared(&widened).await?;
        } else {
            let more = "removed varchar, region_id bigint REFERENCES region (id) ON DELETE CASCADE,";
            remake(db, &kinds, more, OF_ONE).await?;
        }
        db.execute_unprepared("CREATE INDEX ix_change_region_id ON change (region_id)").await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("DELETE FROM change WHERE kind = 'REMOVED'").await?;
        if db.get_database_backend() != DbBackend::Postgres {
            return remake(db, KINDS, "", OF_ONE_BEFORE).await;
        }
        let narrowed = format!(
            "ALTER TABLE change DROP CONSTRAINT change_kind_check, DROP CONSTRAINT change_of_one_check, \
             DROP COLUMN removed, DROP COLUMN region_id, \
             ADD CONSTRAINT change_kind_check CHECK (kind IN ({KINDS})), \
             ADD CONSTRAINT change_of_one_check CHECK ({OF_ONE_BEFORE})"
        );
        db.execute_unprepared(&narrowed).await?;
        Ok(())
    }
}
