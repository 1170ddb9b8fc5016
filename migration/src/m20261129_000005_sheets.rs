//! Adds what the sheets of offices have: tasks between problems and measures, leaders, the words of a month's account,
//! and the decisions of people about imports.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{integer, string, string_null, text, timestamp_with_time_zone};
use sea_orm_migration::sea_orm::ConnectionTrait;

use crate::draft::{Draft, code};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns added: table, name and type.
const COLUMNS: &[(&str, &str, &str)] = &[
    ("problem", "category", "varchar"),
    ("problem", "source", "varchar"),
    ("measure", "task_id", "bigint REFERENCES task (id)"),
    ("measure", "accepting_unit_id", "bigint REFERENCES unit (id)"),
    ("measure", "outcome", "text"),
    ("measure", "stated_close_out", "varchar"),
    ("measure", "remark", "text"),
    ("progress_report", "difficulties", "text"),
    ("progress_report", "next_steps", "text"),
    ("close_out", "document_number", "varchar"),
];

const INDEXES: &[(&str, &str)] =
    &[("ix_measure_task_id", "measure (task_id)"), ("ix_measure_accepting_unit_id", "measure (accepting_unit_id)")];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let task = Draft::with_id("task").belongs_to("problem_id", "problem").col(string("identity"));
        let task = task.col(string_null("number")).col(integer("position")).col(text("content"));
        task.unique(&["problem_id", "identity"]).create(manager).await?;
        let leader = Draft::with_id("leader").belongs_to("measure_id", "measure");
        let leader = leader.col(code("post", &["LEAD", "CASE", "RESPONSIBLE", "PERSON"])).col(string("name"));
        leader.unique(&["measure_id", "post"]).create(manager).await?;
        let decision = Draft::with_id("import_decision").belongs_to("region_id", "region").col(string("topic"));
        let decision = decision.col(text("context")).col(text("printed")).col(text("decided"));
        let decision = decision.col(timestamp_with_time_zone("decided_at"));
        decision.unique(&["region_id", "topic", "context", "printed"]).create(manager).await?;
        let db = manager.get_connection();
        for (table, name, kind) in COLUMNS {
            db.execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN {name} {kind}")).await?;
        }
        for (name, what) in INDEXES {
            db.execute_unprepared(&format!("CREATE INDEX {name} ON {what}")).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for (name, _) in INDEXES {
            db.execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        for (table, name, _) in COLUMNS.iter().rev() {
            db.execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN {name}")).await?;
        }
        for table in ["import_decision", "leader", "task"] {
            db.execute_unprepared(&format!("DROP TABLE {table}")).await?;
        }
        Ok(())
    }
}
