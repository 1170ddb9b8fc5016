//! Runs of jobs: one row per occurrence, which is how none runs twice.

use sea_orm::entity::prelude::*;

/// One occurrence of one schedule.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job_run")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The schedule.
    pub schedule_id: i64,
    /// The moment it was due.
    pub occurrence: DateTimeUtc,
    /// When it was run.
    pub started_at: DateTimeUtc,
    /// When it ended.
    pub finished_at: Option<DateTimeUtc>,
    /// How it ended.
    pub state: RunState,
    /// How many mails it wrote to the outbox.
    pub mails_queued: i32,
    /// Why it failed or was skipped.
    pub error: Option<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum RunState {
    /// Not yet ended
    #[sea_orm(string_value = "RUNNING")]
    Running,
    /// It did its work
    #[sea_orm(string_value = "SUCCEEDED")]
    Succeeded,
    /// It gave up, see `error`
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// Left out by the misfire policy
    #[sea_orm(string_value = "SKIPPED")]
    Skipped,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
