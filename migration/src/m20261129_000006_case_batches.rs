//! Adds to complaint cases the batch (批次), how they are to be handled (办理类型), and the earlier case that they repeat
//! (重复件).

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns added to `inspection_case`: name and type.
const COLUMNS: &[(&str, &str)] = &[
    ("batch", "varchar"),
    ("handling", "varchar CHECK (handling IS NULL OR handling IN ('IMMEDIATE', 'LONG_TERM'))"),
    ("repeat_of_id", "bigint REFERENCES inspection_case (id) ON DELETE SET NULL CHECK (repeat_of_id <> id)"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for (name, kind) in COLUMNS {
            db.execute_unprepared(&format!("ALTER TABLE inspection_case ADD COLUMN {name} {kind}")).await?;
        }
        db.execute_unprepared("CREATE INDEX ix_inspection_case_repeat_of_id ON inspection_case (repeat_of_id)").await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("DROP INDEX ix_inspection_case_repeat_of_id").await?;
        for (name, _) in COLUMNS.iter().rev() {
            db.execute_unprepared(&format!("ALTER TABLE inspection_case DROP COLUMN {name}")).await?;
        }
        Ok(())
    }
}
