//! Assignments (责任分解): what one body answers for one measure.

use sea_orm::entity::prelude::*;

/// One answer.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "assignment")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The measure.
    pub measure_id: i64,
    /// The answering body; a county's government also answers for its party committee.
    pub unit_id: i64,
    /// The region of that body, repeated for lists.
    pub region_id: i64,
    /// The workflow state.
    pub status: Status,
    /// 完成, a local date; a fact of its own beside 销号.
    pub completed_on: Option<Date>,
    /// The local date of the last report.
    pub reported_on: Option<Date>,
    /// What was done by the last report.
    pub quantity_done: Option<f64>,
    /// What is to be done.
    pub quantity_target: Option<f64>,
    /// A pace set by a person.
    pub pace_override: Option<PaceOverride>,
    /// Why it was set.
    pub pace_reason: Option<String>,
    /// Grows with every change; a stale one is refused.
    pub version: i32,
    /// When it was assigned.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
    /// 签收: when the answering body took it on.
    pub accepted_at: Option<DateTimeUtc>,
    /// 退回: when it said that it is not the one to answer.
    pub declined_at: Option<DateTimeUtc>,
    /// Why it said so.
    pub decline_reason: Option<String>,
    /// Who last declined it, or proposed that it does not concern the unit (不涉及).
    pub proposer_id: Option<i64>,
    /// Who really did so, where that was the proposer's delegate.
    pub proposer_actor_id: Option<i64>,
}

/// The workflow of an assignment, and its roll-up on measures and problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Status {
    /// Nothing reported yet
    #[sea_orm(string_value = "ASSIGNED")]
    Assigned,
    /// At work
    #[sea_orm(string_value = "IN_PROGRESS")]
    InProgress,
    /// 不涉及, said by the unit and not yet confirmed
    #[sea_orm(string_value = "NOT_APPLICABLE_PROPOSED")]
    NotApplicableProposed,
    /// 不涉及, confirmed by the level above
    #[sea_orm(string_value = "NOT_APPLICABLE")]
    NotApplicable,
    /// 提请销号
    #[sea_orm(string_value = "SUBMITTED")]
    Submitted,
    /// 核查通过
    #[sea_orm(string_value = "VERIFIED")]
    Verified,
    /// 退回
    #[sea_orm(string_value = "RETURNED")]
    Returned,
    /// 公示中
    #[sea_orm(string_value = "PUBLICISED")]
    Publicised,
    /// 销号
    #[sea_orm(string_value = "CLOSED")]
    Closed,
    /// 销号, checks go on
    #[sea_orm(string_value = "CLOSED_ONGOING")]
    ClosedOngoing,
    /// 反弹
    #[sea_orm(string_value = "REOPENED")]
    Reopened,
}

/// A pace set by a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum PaceOverride {
    /// 超前
    #[sea_orm(string_value = "AHEAD")]
    Ahead,
    /// 达到序时进度
    #[sea_orm(string_value = "ON_SCHEDULE")]
    OnSchedule,
    /// 未达序时进度
    #[sea_orm(string_value = "BEHIND")]
    Behind,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
