//! An index of the audit entries that belong to no problem and no case. They are few, and administrators list them.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let apart = "CREATE INDEX ix_audit_entry_apart ON audit_entry (at, id) \
            WHERE problem_id IS NULL AND case_id IS NULL";
        manager.get_connection().execute_unprepared(apart).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP INDEX ix_audit_entry_apart").await?;
        Ok(())
    }
}
