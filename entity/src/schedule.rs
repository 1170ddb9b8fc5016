//! Schedules: when each job is due.

use sea_orm::entity::prelude::*;

/// One job's schedule.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "schedule")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The job's stable name.
    pub name: String,
    /// Six fields, seconds first.
    pub cron: String,
    /// The IANA zone that the pattern is read in.
    pub time_zone: String,
    /// Whether the job runs at all.
    pub enabled: bool,
    /// What becomes of occurrences missed while nobody was up.
    pub misfire: Misfire,
    /// The last occurrence dealt with: enumeration goes on from here.
    pub last_occurrence: DateTimeUtc,
}

/// What becomes of occurrences missed while nobody was up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Misfire {
    /// Each is run, of the latest fifty
    #[sea_orm(string_value = "ALL")]
    All,
    /// Only the latest is run
    #[sea_orm(string_value = "LATEST")]
    Latest,
    /// None is run
    #[sea_orm(string_value = "SKIP")]
    Skip,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
