//! Runs of jobs. The unique key on schedule and occurrence ensures that no occurrence runs twice.

use sea_orm::entity::prelude::*;

/// The run of a job for one occurrence of its schedule.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "job_run")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Schedule of the job.
    pub schedule_id: i64,
    /// When it was due.
    pub occurrence: DateTimeUtc,
    /// When it started.
    pub started_at: DateTimeUtc,
    /// When it ended; null while it is running.
    pub finished_at: Option<DateTimeUtc>,
    /// State of the run.
    pub state: RunState,
    /// Number of mails that it queued.
    pub mails_queued: i32,
    /// Why it failed or was skipped.
    pub error: Option<String>,
}

/// State of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum RunState {
    /// Still running.
    #[sea_orm(string_value = "RUNNING")]
    Running,
    /// Ended successfully.
    #[sea_orm(string_value = "SUCCEEDED")]
    Succeeded,
    /// Failed; `error` says why.
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// Skipped by the misfire policy.
    #[sea_orm(string_value = "SKIPPED")]
    Skipped,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
