//! Assignments (责任分解): what a unit has to answer for a measure.

use sea_orm::entity::prelude::*;

/// An assignment.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "assignment")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Measure that is assigned.
    pub measure_id: i64,
    /// Answering unit. The government of a county also answers for its party committee.
    pub unit_id: i64,
    /// Region of the unit; stored here so that lists need no join.
    pub region_id: i64,
    /// Workflow status.
    pub status: Status,
    /// Latest local date of its own deadline: that of the plan, or of the extension (延期) granted to it; null if there
    /// is none.
    pub due_on: Option<Date>,
    /// Local date after which it is overdue: `due_on`, or the end of the grace period of an immediate deadline. Null if
    /// the deadline is only ongoing.
    pub due_by: Option<Date>,
    /// Local date of completion (完成); null if not completed. Independent of close-out (销号).
    pub completed_on: Option<Date>,
    /// Whether it was completed by that date, as a ledger states, rather than on it.
    pub is_completed_by: bool,
    /// Pace that the last ledger states; null if it states none.
    pub stated_pace: Option<StatedPace>,
    /// Local date of the ledger that states the pace.
    pub stated_pace_on: Option<Date>,
    /// Local date of the last progress report; null if there is none.
    pub reported_on: Option<Date>,
    /// Quantity done according to the last report.
    pub quantity_done: Option<f64>,
    /// Quantity to be done.
    pub quantity_target: Option<f64>,
    /// Pace set by a person, which overrides the computed one.
    pub pace_override: Option<PaceOverride>,
    /// Why the pace was set.
    pub pace_reason: Option<String>,
    /// Version number, incremented with every change. A change based on an older version is rejected.
    pub version: i32,
    /// When it was assigned.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
    /// When the unit accepted it (签收); null if it has not.
    pub accepted_at: Option<DateTimeUtc>,
    /// When the unit declined it as not its own (退回); null if it has not.
    pub declined_at: Option<DateTimeUtc>,
    /// Why the unit declined it.
    pub decline_reason: Option<String>,
    /// Account that last declined it, or proposed that the measure does not apply to the unit (不涉及).
    pub proposer_id: Option<i64>,
    /// Delegate who did so on that account's behalf; null if there was none.
    pub proposer_actor_id: Option<i64>,
}

/// Workflow status of an assignment, and its roll-up on measures and problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Status {
    /// Assigned; nothing reported yet.
    #[sea_orm(string_value = "ASSIGNED")]
    Assigned,
    /// In progress: progress has been reported.
    #[sea_orm(string_value = "IN_PROGRESS")]
    InProgress,
    /// Proposed by the unit as not applicable (不涉及); not yet confirmed.
    #[sea_orm(string_value = "NOT_APPLICABLE_PROPOSED")]
    NotApplicableProposed,
    /// Not applicable (不涉及), as confirmed by the level above.
    #[sea_orm(string_value = "NOT_APPLICABLE")]
    NotApplicable,
    /// Close-out applied for (提请销号).
    #[sea_orm(string_value = "SUBMITTED")]
    Submitted,
    /// Verified by the level above (核查通过).
    #[sea_orm(string_value = "VERIFIED")]
    Verified,
    /// Returned by the level above (退回).
    #[sea_orm(string_value = "RETURNED")]
    Returned,
    /// On public notice (公示中).
    #[sea_orm(string_value = "PUBLICISED")]
    Publicised,
    /// Closed (销号).
    #[sea_orm(string_value = "CLOSED")]
    Closed,
    /// Closed (销号), while checks continue.
    #[sea_orm(string_value = "CLOSED_ONGOING")]
    ClosedOngoing,
    /// Reopened after a relapse (反弹).
    #[sea_orm(string_value = "REOPENED")]
    Reopened,
}

/// Pace that a ledger states, from the least to the most advanced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum StatedPace {
    /// Behind schedule (未达序时进度).
    #[sea_orm(string_value = "BEHIND")]
    Behind,
    /// Behind schedule, as the office has told the one above it (未达序时进度，已报备).
    #[sea_orm(string_value = "BEHIND_AND_REPORTED")]
    BehindAndReported,
    /// On schedule (达到序时进度).
    #[sea_orm(string_value = "ON_SCHEDULE")]
    OnSchedule,
    /// Completed (已整改到位).
    #[sea_orm(string_value = "DONE")]
    Done,
}

/// Pace that a person can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum PaceOverride {
    /// Ahead of schedule (超前).
    #[sea_orm(string_value = "AHEAD")]
    Ahead,
    /// On schedule (达到序时进度).
    #[sea_orm(string_value = "ON_SCHEDULE")]
    OnSchedule,
    /// Behind schedule (未达序时进度).
    #[sea_orm(string_value = "BEHIND")]
    Behind,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
