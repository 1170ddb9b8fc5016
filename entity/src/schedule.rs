//! Schedules: when each job runs.

use sea_orm::entity::prelude::*;

/// The schedule of a job.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "schedule")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Name of the job, which never changes: `due-soon`.
    pub name: String,
    /// Cron pattern with five fields, or six with seconds first.
    pub cron: String,
    /// IANA name of the time zone in which the pattern is evaluated.
    pub time_zone: String,
    /// Whether the job runs.
    pub enabled: bool,
    /// Misfire policy: what to do about occurrences missed while no scheduler was running.
    pub misfire: Misfire,
    /// Last occurrence that has been handled; the next ones are computed from here.
    pub last_occurrence: DateTimeUtc,
    /// Number of attempts that have failed since the last success.
    pub failures: i32,
    /// When the first of them ended; null while the job succeeds.
    pub failing_since: Option<DateTimeUtc>,
    /// When the job is tried again; null while it succeeds.
    pub retry_at: Option<DateTimeUtc>,
    /// When the job last succeeded; null before it first does.
    pub succeeded_at: Option<DateTimeUtc>,
}

/// Misfire policy: what to do about occurrences missed while no scheduler was running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Misfire {
    /// Runs every missed occurrence, at most the latest fifty.
    #[sea_orm(string_value = "ALL")]
    All,
    /// Runs only the latest missed occurrence.
    #[sea_orm(string_value = "LATEST")]
    Latest,
    /// Runs no missed occurrence.
    #[sea_orm(string_value = "SKIP")]
    Skip,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
