//! Indexes of the orders in which a nation's office lists checks, close-outs and assignments.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in [
            "ix_check_due_on_id ON \"check\" (due_on, id)",
            "ix_close_out_applied_at_id ON close_out (applied_at, id)",
            // The expression is that of the sort key: assignments without a deadline come last.
            "ix_assignment_due_order_id ON assignment (coalesce(due_on, '9999-12-31'), id)",
        ] {
            manager.get_connection().execute_unprepared(&format!("CREATE INDEX {index}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for index in ["ix_check_due_on_id", "ix_close_out_applied_at_id", "ix_assignment_due_order_id"] {
            manager.get_connection().execute_unprepared(&format!("DROP INDEX {index}")).await?;
        }
        Ok(())
    }
}
