//! Numbers that published reports state about an inspection round (公布数), with their source.

use sea_orm::entity::prelude::*;

/// A number that a report states.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "published_figure")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Round that the report is about.
    pub round_id: i64,
    /// Region that the number speaks of, with all regions below it.
    pub region_id: i64,
    /// What is counted.
    pub counted: Counted,
    /// Which of them are counted.
    pub topic: Topic,
    /// Words of the report for them, as printed, such as 县处级.
    pub label: Option<String>,
    /// Number that the report states, at least 0.
    pub amount: i64,
    /// Local date until which the report counts.
    pub as_of: Date,
    /// Title of the report, with its number or the page.
    pub source: String,
    /// Account that recorded it.
    pub recorder_id: Option<i64>,
    /// When it was recorded.
    pub recorded_at: DateTimeUtc,
    /// When the record was withdrawn; null if it is valid.
    pub withdrawn_at: Option<DateTimeUtc>,
    /// Why it was withdrawn.
    pub withdraw_reason: Option<String>,
    /// Version number, incremented with every change.
    pub version: i32,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

/// What a published figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Counted {
    /// Problems (反馈问题).
    #[sea_orm(string_value = "PROBLEMS")]
    Problems,
    /// Measures (整改措施).
    #[sea_orm(string_value = "MEASURES")]
    Measures,
    /// People who were held to account (问责人数).
    #[sea_orm(string_value = "PEOPLE")]
    People,
    /// Complaint cases (交办案件).
    #[sea_orm(string_value = "CASES")]
    Cases,
}

/// Which of what is counted a published figure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Topic {
    /// All of them (总数).
    #[sea_orm(string_value = "TOTAL")]
    Total,
    /// Those that are completed (已完成).
    #[sea_orm(string_value = "COMPLETED")]
    Completed,
    /// Those that are closed (已销号).
    #[sea_orm(string_value = "CLOSED")]
    Closed,
    /// Those that are on schedule (达到序时进度).
    #[sea_orm(string_value = "ON_SCHEDULE")]
    OnSchedule,
    /// Those that are behind schedule (未达序时进度).
    #[sea_orm(string_value = "BEHIND")]
    Behind,
    /// People of the rank that the label names (职级).
    #[sea_orm(string_value = "RANK")]
    Rank,
    /// People with the consequence that the label names (追责方式).
    #[sea_orm(string_value = "CONSEQUENCE")]
    Consequence,
    /// Those that the label describes (其他).
    #[sea_orm(string_value = "OTHER")]
    Other,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
