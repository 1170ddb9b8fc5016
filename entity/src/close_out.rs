//! Close-out cycles (销号): application, verification, public notice (公示) and decision. A closed cycle is not changed
//! any more, except by the relapse that reopens it.

use sea_orm::entity::prelude::*;

/// A close-out cycle.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "close_out")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Assignment to be closed.
    pub assignment_id: i64,
    /// Number of the cycle, from 1. After a relapse, a new cycle begins.
    pub cycle: i32,
    /// State of the cycle.
    pub state: CloseOutState,
    /// Text of the application.
    pub application: String,
    /// Account that applied.
    pub applicant_id: Option<i64>,
    /// Delegate who applied on that account's behalf; null if there was none.
    pub applicant_actor_id: Option<i64>,
    /// When it was applied for.
    pub applied_at: DateTimeUtc,
    /// Opinion of the level above on the application.
    pub opinion: Option<String>,
    /// Account that verified or returned it.
    pub verifier_id: Option<i64>,
    /// When it was verified or returned.
    pub verified_at: Option<DateTimeUtc>,
    /// Text of the public notice.
    pub notice: Option<String>,
    /// Office that receives objections; never a person.
    pub contact: Option<String>,
    /// First local date of the notice.
    pub notice_from: Option<Date>,
    /// Last local date of the notice, a working day.
    pub notice_until: Option<Date>,
    /// Account that published the notice.
    pub publisher_id: Option<i64>,
    /// Decision of the closing authority.
    pub decision: Option<String>,
    /// Account that closed the assignment.
    pub closer_id: Option<i64>,
    /// Local date on which the assignment was closed.
    pub closed_on: Option<Date>,
    /// Number of the document that closes it (销号文号).
    pub document_number: Option<String>,
    /// Description of the relapse (反弹).
    pub relapse: Option<String>,
    /// When the assignment was reopened.
    pub reopened_at: Option<DateTimeUtc>,
    /// Account that made the notice public.
    pub discloser_id: Option<i64>,
    /// Since when the notice is public; null if it is not.
    pub disclosed_at: Option<DateTimeUtc>,
}

/// State of a close-out cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum CloseOutState {
    /// Applied for (提请销号).
    #[sea_orm(string_value = "APPLIED")]
    Applied,
    /// Returned by the level above (退回).
    #[sea_orm(string_value = "RETURNED")]
    Returned,
    /// Verified by the level above (核查通过).
    #[sea_orm(string_value = "VERIFIED")]
    Verified,
    /// On public notice (公示中).
    #[sea_orm(string_value = "PUBLICISED")]
    Publicised,
    /// An objection was upheld (异议成立).
    #[sea_orm(string_value = "OBJECTED")]
    Objected,
    /// Closed (销号).
    #[sea_orm(string_value = "CLOSED")]
    Closed,
    /// Reopened after a relapse (反弹).
    #[sea_orm(string_value = "REOPENED")]
    Reopened,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
