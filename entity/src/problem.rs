//! Problems (反馈问题) that an inspection found.

use sea_orm::entity::prelude::*;

use crate::assignment::{StatedPace, Status};

/// A problem.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "problem")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Round in which it was found.
    pub round_id: i64,
    /// Issuing region.
    pub region_id: i64,
    /// Key that identifies the problem across files: its number, or else its normalised title.
    pub identity: String,
    /// Number as printed; null if it has none. Numbers have gaps.
    pub number: Option<String>,
    /// Position in the ledger, from 1.
    pub position: i32,
    /// First sentence of the text.
    pub title: String,
    /// Rest of the text; null if there is none.
    pub description: Option<String>,
    /// Goal (整改目标).
    pub goal: Option<String>,
    /// Kind of problem (问题类型).
    pub category: Option<String>,
    /// Inspection that found the problem (问题来源), as printed.
    pub source: Option<String>,
    /// Problem of an earlier round at which this one looks back (回头看); null if there is none.
    pub looks_back_at_id: Option<i64>,
    /// Deadline as printed.
    pub due_raw: String,
    /// Whether the deadline is immediate (立行立改, 立即启动).
    pub due_immediate: bool,
    /// Latest local date in the deadline; null if it has no date.
    pub due_on: Option<Date>,
    /// Whether the deadline is ongoing (长期坚持), so that checks continue indefinitely.
    pub due_ongoing: bool,
    /// Local date after which it is overdue: `due_on`, or the end of the grace period of an immediate deadline. Null if
    /// the deadline is only ongoing.
    pub due_by: Option<Date>,
    /// Rating as printed, such as 全面完成，长期坚持.
    pub rated_progress: Option<String>,
    /// Workflow status: the roll-up of its measures, or what the ledger stated if they have no assignments.
    pub status: Status,
    /// Local date on which the ledger stated the status; null if the status follows from assignments.
    pub status_stated_on: Option<Date>,
    /// Local date on which the last of its measures was completed; null until all are.
    pub completed_on: Option<Date>,
    /// Whether it was completed by that date, as a ledger states, rather than on it.
    pub is_completed_by: bool,
    /// Pace that the last ledger states: `DONE`, `ON_SCHEDULE` or `BEHIND`; null if it states none.
    pub stated_pace: Option<StatedPace>,
    /// Local date of the ledger that states the pace.
    pub stated_pace_on: Option<Date>,
    /// Local date on which its allotted time begins.
    pub issued_on: Date,
    /// Version number, incremented with every change.
    pub version: i32,
    /// When the row was created.
    pub created_at: DateTimeUtc,
    /// When the row was last changed.
    pub updated_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
