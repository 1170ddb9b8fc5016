//! Adds the indexes of work lists: what is open, by its state.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const INDEXES: &[(&str, &str)] = &[
    ("ix_close_out_state_assignment_id", "close_out (state, assignment_id)"),
    ("ix_supervision_action_state_id", "supervision_action (state, id)"),
    ("ix_deadline_change_state_id", "deadline_change (state, id)"),
    ("ix_inspection_case_state_id", "inspection_case (state, id)"),
    ("ix_objection_open", "objection (close_out_id) WHERE decided_at IS NULL"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, what) in INDEXES {
            manager.get_connection().execute_unprepared(&format!("CREATE INDEX {name} ON {what}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in INDEXES {
            manager.get_connection().execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        Ok(())
    }
}
