//! Lets items of digests be about complaint cases (交办案件) instead of measures.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Condition that an item is about either a measure or a case.
const OF_ONE: &str = "(measure_id IS NULL) <> (case_id IS NULL)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let statements = if db.get_database_backend() == DbBackend::Postgres {
            vec![
                "ALTER TABLE mail_item ALTER COLUMN measure_id DROP NOT NULL".to_owned(),
                "ALTER TABLE mail_item ADD COLUMN case_id bigint REFERENCES inspection_case (id) ON DELETE CASCADE"
                    .to_owned(),
                format!("ALTER TABLE mail_item ADD CONSTRAINT mail_item_of_one_check CHECK ({OF_ONE})"),
            ]
        } else {
            // SQLite cannot drop a NOT NULL constraint, so the table is recreated.
            vec![
                format!(
                    "CREATE TABLE mail_item_wide (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, \
                     mail_id bigint NOT NULL REFERENCES mail (id) ON DELETE CASCADE, \
                     measure_id bigint REFERENCES measure (id) ON DELETE CASCADE, \
                     assignment_id bigint REFERENCES assignment (id) ON DELETE CASCADE, due_on date_text, \
                     case_id bigint REFERENCES inspection_case (id) ON DELETE CASCADE, CHECK ({OF_ONE}))"
                ),
                "INSERT INTO mail_item_wide (id, mail_id, measure_id, assignment_id, due_on) \
                 SELECT id, mail_id, measure_id, assignment_id, due_on FROM mail_item"
                    .to_owned(),
                "DROP TABLE mail_item".to_owned(),
                "ALTER TABLE mail_item_wide RENAME TO mail_item".to_owned(),
                "CREATE INDEX ix_mail_item_mail_id_id ON mail_item (mail_id, id)".to_owned(),
                "CREATE INDEX ix_mail_item_assignment_id ON mail_item (assignment_id)".to_owned(),
                "CREATE INDEX ix_mail_item_measure_id_mail_id ON mail_item (measure_id, mail_id)".to_owned(),
            ]
        };
        let index = "CREATE INDEX ix_mail_item_case_id_mail_id ON mail_item (case_id, mail_id)".to_owned();
        for statement in statements.into_iter().chain([index]) {
            db.execute_unprepared(&statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("DELETE FROM mail_item WHERE case_id IS NOT NULL").await?;
        // SQLite cannot drop the column and its constraint; they stay, and the column is empty.
        if db.get_database_backend() == DbBackend::Postgres {
            for statement in [
                "ALTER TABLE mail_item DROP CONSTRAINT mail_item_of_one_check",
                "ALTER TABLE mail_item DROP COLUMN case_id",
                "ALTER TABLE mail_item ALTER COLUMN measure_id SET NOT NULL",
            ] {
                db.execute_unprepared(statement).await?;
            }
        }
        Ok(())
    }
}
