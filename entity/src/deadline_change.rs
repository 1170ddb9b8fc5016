//! Extensions (延期) and corrections of deadlines. Each row keeps the deadline that it replaces, so that the first one
//! is never lost.

use sea_orm::entity::prelude::*;

/// An extension or correction of a deadline.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "deadline_change")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Measure whose deadline changes.
    pub measure_id: i64,
    /// Assignment for which it was requested; null for a change of the whole measure.
    pub assignment_id: Option<i64>,
    /// State of the request.
    pub state: DeadlineChangeState,
    /// Reason given for the request.
    pub reason: String,
    /// Text of the deadline before the change.
    pub old_raw: String,
    /// Local date of the deadline before the change.
    pub old_due_on: Option<Date>,
    /// Text of the requested deadline.
    pub new_raw: String,
    /// Local date of the requested deadline; null for a measure that becomes ongoing (长期坚持).
    pub new_due_on: Option<Date>,
    /// Account that requested it.
    pub requester_id: Option<i64>,
    /// Delegate who requested it on that account's behalf; null if there was none.
    pub requester_actor_id: Option<i64>,
    /// When it was requested.
    pub requested_at: DateTimeUtc,
    /// Account that endorsed it.
    pub endorser_id: Option<i64>,
    /// When it was endorsed.
    pub endorsed_at: Option<DateTimeUtc>,
    /// Account that decided.
    pub decider_id: Option<i64>,
    /// When it was decided.
    pub decided_at: Option<DateTimeUtc>,
    /// Text of the decision.
    pub decision: Option<String>,
}

/// State of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum DeadlineChangeState {
    /// Requested (申请).
    #[sea_orm(string_value = "REQUESTED")]
    Requested,
    /// Endorsed by the city office (市级同意).
    #[sea_orm(string_value = "ENDORSED")]
    Endorsed,
    /// Approved (批准).
    #[sea_orm(string_value = "APPROVED")]
    Approved,
    /// Rejected (不批准).
    #[sea_orm(string_value = "REJECTED")]
    Rejected,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
