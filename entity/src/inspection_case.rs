//! Complaint cases (交办案件) handed over during an inspection. The complainant is not stored.

use sea_orm::entity::prelude::*;

/// A complaint case as handed over to one region.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "inspection_case")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Round during which the complaint came in.
    pub round_id: i64,
    /// Region that has to handle it.
    pub region_id: i64,
    /// Number as printed (`D3SX202505280018`).
    pub number: String,
    /// Batch in which the inspection handed it over (批次), as printed: 第三批 or 12; null if it is not known.
    pub batch: Option<String>,
    /// How the complaint was made.
    pub channel: Channel,
    /// Whether it is a key case (重点).
    pub is_key: bool,
    /// How soon it has to be handled (办理类型); null if it is not stated.
    pub handling: Option<Handling>,
    /// Earlier case of the same round that this one repeats (重复件); null if it repeats none.
    pub repeat_of_id: Option<i64>,
    /// What the complaint is about; never who complained.
    pub summary: String,
    /// Lead unit (主办单位), which answers it.
    pub lead_unit_id: i64,
    /// Local date on which it was handed over (交办).
    pub handed_over_on: Date,
    /// Local date by which it has to be resolved.
    pub due_on: Date,
    /// State of the case.
    pub state: CaseState,
    /// Whether the complaint was found to be true when it was last resolved; null before.
    pub finding: Option<Finding>,
    /// Local date on which it was resolved (已办结); null if it is not.
    pub resolved_on: Option<Date>,
    /// Account that resolved it, and therefore may not verify it.
    pub resolver_id: Option<i64>,
    /// Delegate who resolved it on that account's behalf; null if there was none.
    pub resolver_actor_id: Option<i64>,
    /// Local date on which it was closed (销号); null if it is not.
    pub closed_on: Option<Date>,
    /// Version number, incremented with every change.
    pub version: i32,
    /// When the row was created.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

/// How a complaint was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Channel {
    /// By letter (来信).
    #[sea_orm(string_value = "LETTER")]
    Letter,
    /// By phone (来电).
    #[sea_orm(string_value = "CALL")]
    Call,
}

/// How soon a case has to be handled (办理类型).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Handling {
    /// Rectified at once (立行立改).
    #[sea_orm(string_value = "IMMEDIATE")]
    Immediate,
    /// Rectified over a longer time (长期整改).
    #[sea_orm(string_value = "LONG_TERM")]
    LongTerm,
}

/// State of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum CaseState {
    /// Handed over (交办).
    #[sea_orm(string_value = "HANDED_OVER")]
    HandedOver,
    /// In progress (办理中).
    #[sea_orm(string_value = "IN_PROGRESS")]
    InProgress,
    /// Partly resolved (阶段性办结).
    #[sea_orm(string_value = "PARTLY_RESOLVED")]
    PartlyResolved,
    /// Resolved (已办结).
    #[sea_orm(string_value = "RESOLVED")]
    Resolved,
    /// Verified (验收).
    #[sea_orm(string_value = "ACCEPTED")]
    Accepted,
    /// Closed (销号).
    #[sea_orm(string_value = "CLOSED")]
    Closed,
}

/// Whether a complaint was found to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Finding {
    /// True (属实).
    #[sea_orm(string_value = "TRUE")]
    True,
    /// Partly true (部分属实).
    #[sea_orm(string_value = "PARTLY_TRUE")]
    PartlyTrue,
    /// Untrue (不属实).
    #[sea_orm(string_value = "UNTRUE")]
    Untrue,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
