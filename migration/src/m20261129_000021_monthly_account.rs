//! Adds the rules of the monthly account (月账), lets items of digests be about the figures of a region, and finds the
//! reports of a month.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::m20261129_000020_job_names as before;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

pub(crate) const KINDS: &[&str] = &[
    "QUARTERLY_SELF_INSPECTION",
    "HALF_YEAR_VERIFICATION",
    "YEARLY_SPOT_CHECK",
    "DUE_SOON",
    "OVERDUE",
    "ESCALATION",
    "STALE_PROGRESS",
    "MONTHLY_ACCOUNT",
    "CASE_DUE_SOON",
    "CASE_OVERDUE",
];

/// Condition that an item is about one of a measure, a case and a region.
const OF_ONE: &str = "(CASE WHEN measure_id IS NULL THEN 0 ELSE 1 END + CASE WHEN case_id IS NULL THEN 0 ELSE 1 END \
    + CASE WHEN region_id IS NULL THEN 0 ELSE 1 END) = 1";
/// The condition without regions.
const OF_TWO: &str = "(measure_id IS NULL) <> (case_id IS NULL)";

/// The index by which the reports of a month are found.
const INDEX: &str = "ix_progress_report_assignment_id_period";

/// Recreates the items of mails on SQLite, which cannot alter a CHECK constraint. `region` declares the column of the
/// region, and is blank without it.
async fn recreate(db: &impl ConnectionTrait, region: &str, check: &str) -> Result<(), DbErr> {
    let columns = "id, mail_id, measure_id, assignment_id, due_on, case_id, acknowledged_at";
    for statement in [
        format!(
            "CREATE TABLE mail_item_kept (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, \
             mail_id bigint NOT NULL REFERENCES mail (id) ON DELETE CASCADE, \
             measure_id bigint REFERENCES measure (id) ON DELETE CASCADE, \
             assignment_id bigint REFERENCES assignment (id) ON DELETE CASCADE, due_on date_text, \
             case_id bigint REFERENCES inspection_case (id) ON DELETE CASCADE, \
             acknowledged_at timestamp_with_timezone_text, {region}CHECK ({check}))"
        ),
        format!("INSERT INTO mail_item_kept ({columns}) SELECT {columns} FROM mail_item"),
        "DROP TABLE mail_item".to_owned(),
        "ALTER TABLE mail_item_kept RENAME TO mail_item".to_owned(),
        "CREATE INDEX ix_mail_item_mail_id_id ON mail_item (mail_id, id)".to_owned(),
        "CREATE INDEX ix_mail_item_assignment_id ON mail_item (assignment_id)".to_owned(),
        "CREATE INDEX ix_mail_item_measure_id_mail_id ON mail_item (measure_id, mail_id)".to_owned(),
        "CREATE INDEX ix_mail_item_case_id_mail_id ON mail_item (case_id, mail_id)".to_owned(),
    ] {
        db.execute_unprepared(&statement).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        before::admit(manager, KINDS, "kind").await?;
        let db = manager.get_connection();
        let region = "region_id bigint REFERENCES region (id) ON DELETE CASCADE";
        if db.get_database_backend() == DbBackend::Postgres {
            for statement in [
                format!("ALTER TABLE mail_item ADD COLUMN {region}"),
                "ALTER TABLE mail_item DROP CONSTRAINT mail_item_of_one_check".to_owned(),
                format!("ALTER TABLE mail_item ADD CONSTRAINT mail_item_of_one_check CHECK ({OF_ONE})"),
            ] {
                db.execute_unprepared(&statement).await?;
            }
        } else {
            recreate(db, &format!("{region}, "), OF_ONE).await?;
        }
        db.execute_unprepared("CREATE INDEX ix_mail_item_region_id ON mail_item (region_id)").await?;
        db.execute_unprepared(&format!("CREATE INDEX {INDEX} ON progress_report (assignment_id, period)")).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared(&format!("DROP INDEX {INDEX}")).await?;
        db.execute_unprepared("DROP INDEX ix_mail_item_region_id").await?;
        db.execute_unprepared("DELETE FROM mail_item WHERE region_id IS NOT NULL").await?;
        if db.get_database_backend() == DbBackend::Postgres {
            for statement in [
                "ALTER TABLE mail_item DROP CONSTRAINT mail_item_of_one_check".to_owned(),
                "ALTER TABLE mail_item DROP COLUMN region_id".to_owned(),
                format!("ALTER TABLE mail_item ADD CONSTRAINT mail_item_of_one_check CHECK ({OF_TWO})"),
            ] {
                db.execute_unprepared(&statement).await?;
            }
        } else {
            recreate(db, "", OF_TWO).await?;
        }
        db.execute_unprepared("DELETE FROM reminder_rule WHERE kind = 'MONTHLY_ACCOUNT'").await?;
        before::admit(manager, before::KINDS, "kind").await
    }
}
