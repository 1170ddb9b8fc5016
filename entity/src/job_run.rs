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
    /// How often it was tried; 0 if it was skipped at once.
    pub attempts: i32,
    /// Kind of failure; null unless it failed.
    pub failure_kind: Option<FailureKind>,
    /// Why it failed or was skipped.
    pub error: Option<String>,
    /// What it did, in Chinese; null unless it succeeded.
    pub summary: Option<String>,
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

/// Kind of failure of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum FailureKind {
    /// The database failed.
    #[sea_orm(string_value = "DATABASE")]
    Database,
    /// A file or the file storage failed.
    #[sea_orm(string_value = "STORAGE")]
    Storage,
    /// The run took too long and was ended.
    #[sea_orm(string_value = "TIMED_OUT")]
    TimedOut,
    /// The run was recorded before its time, under a clock that was ahead.
    #[sea_orm(string_value = "CLOCK")]
    Clock,
    /// Any other failure, such as a panic.
    #[sea_orm(string_value = "OTHER")]
    Other,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
