//! Extensions (延期) and corrections of deadlines: each keeps the deadline that it replaces, so that the first is never lost.

use sea_orm::entity::prelude::*;

/// One request.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "deadline_change")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Whose deadline.
    pub measure_id: i64,
    /// The answer for whose sake it is asked for.
    pub assignment_id: Option<i64>,
    /// How far it is.
    pub state: DeadlineChangeState,
    /// Why.
    pub reason: String,
    /// The deadline as it was, in words.
    pub old_raw: String,
    /// Its date.
    pub old_due_on: Option<Date>,
    /// The deadline asked for, in words.
    pub new_raw: String,
    /// Its date; none where it is to go on for good.
    pub new_due_on: Option<Date>,
    /// Who asked.
    pub requester_id: Option<i64>,
    /// Who really asked, where that was the requester's delegate.
    pub requester_actor_id: Option<i64>,
    /// When.
    pub requested_at: DateTimeUtc,
    /// Who supported it.
    pub endorser_id: Option<i64>,
    /// When.
    pub endorsed_at: Option<DateTimeUtc>,
    /// Who decided.
    pub decider_id: Option<i64>,
    /// When.
    pub decided_at: Option<DateTimeUtc>,
    /// What was said.
    pub decision: Option<String>,
}

/// How far a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum DeadlineChangeState {
    /// 申请
    #[sea_orm(string_value = "REQUESTED")]
    Requested,
    /// 市级同意
    #[sea_orm(string_value = "ENDORSED")]
    Endorsed,
    /// 批准
    #[sea_orm(string_value = "APPROVED")]
    Approved,
    /// 不批准
    #[sea_orm(string_value = "REJECTED")]
    Rejected,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
