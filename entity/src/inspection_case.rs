//! Complaint cases (交办案件) that are handed over during an inspection. Who complained is not stored.

use sea_orm::entity::prelude::*;

/// One case, as one region has to mend it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "inspection_case")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The round during which it came.
    pub round_id: i64,
    /// The region that has to mend it.
    pub region_id: i64,
    /// The number as printed: D3SX202505280018.
    pub number: String,
    /// How the complaint came.
    pub channel: Channel,
    /// 重点: whether it is a key case.
    pub is_key: bool,
    /// What is complained of; never by whom.
    pub summary: String,
    /// 主办单位: who answers it.
    pub lead_unit_id: i64,
    /// When it was handed over, a local date.
    pub handed_over_on: Date,
    /// By when it is to be resolved, a local date.
    pub due_on: Date,
    /// How far it is.
    pub state: CaseState,
    /// What was found of the complaint when it was last resolved.
    pub finding: Option<Finding>,
    /// When it was resolved (已办结), a local date.
    pub resolved_on: Option<Date>,
    /// Who resolved it, who does not verify it.
    pub resolver_id: Option<i64>,
    /// Who really resolved it, where that was the resolver's delegate.
    pub resolver_actor_id: Option<i64>,
    /// When it was closed (销号), a local date.
    pub closed_on: Option<Date>,
    /// Grows with every change.
    pub version: i32,
    /// When it entered the ledger.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

/// How a complaint came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Channel {
    /// 来信
    #[sea_orm(string_value = "LETTER")]
    Letter,
    /// 来电
    #[sea_orm(string_value = "CALL")]
    Call,
}

/// How far a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum CaseState {
    /// 交办
    #[sea_orm(string_value = "HANDED_OVER")]
    HandedOver,
    /// 办理中
    #[sea_orm(string_value = "IN_PROGRESS")]
    InProgress,
    /// 阶段性办结
    #[sea_orm(string_value = "PARTLY_RESOLVED")]
    PartlyResolved,
    /// 已办结
    #[sea_orm(string_value = "RESOLVED")]
    Resolved,
    /// 验收
    #[sea_orm(string_value = "ACCEPTED")]
    Accepted,
    /// 销号
    #[sea_orm(string_value = "CLOSED")]
    Closed,
}

/// Whether what was complained of is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Finding {
    /// 属实
    #[sea_orm(string_value = "TRUE")]
    True,
    /// 部分属实
    #[sea_orm(string_value = "PARTLY_TRUE")]
    PartlyTrue,
    /// 不属实
    #[sea_orm(string_value = "UNTRUE")]
    Untrue,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
