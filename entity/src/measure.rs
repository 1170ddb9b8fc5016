//! Measures (整改措施): what is to be done about a problem.

use sea_orm::entity::prelude::*;

use crate::assignment::{PaceOverride, StatedPace, Status};

/// A measure.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "measure")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Problem that it addresses.
    pub problem_id: i64,
    /// Round of the problem; stored here so that lists need no join.
    pub round_id: i64,
    /// Issuing region; stored here so that lists need no join.
    pub region_id: i64,
    /// Key that identifies the measure across files: number and normalised content.
    pub identity: String,
    /// Number as printed (`12-02`); null if it has none.
    pub number: Option<String>,
    /// Position within the problem, from 1.
    pub position: i32,
    /// Text of the measure.
    pub content: String,
    /// Deadline as printed.
    pub due_raw: String,
    /// Whether the deadline is immediate (立行立改, 立即启动).
    pub due_immediate: bool,
    /// Latest local date of its answers' deadlines; null if it has no date.
    pub due_on: Option<Date>,
    /// Whether the deadline is ongoing (长期坚持), so that checks continue indefinitely.
    pub due_ongoing: bool,
    /// Local date after which it is overdue: `due_on`, or the end of the grace period of an immediate deadline. Null if
    /// the deadline is only ongoing.
    pub due_by: Option<Date>,
    /// Latest local date of the deadline in the plan, from which extensions of single answers deviate; null if it has
    /// no date.
    pub plan_due_on: Option<Date>,
    /// Local date after which answers without an extension are overdue; see `due_by`.
    pub plan_due_by: Option<Date>,
    /// Lead unit (牵头单位); null if the ledger names none.
    pub lead_unit_id: Option<i64>,
    /// Supervising unit (督导单位).
    pub supervising_unit_id: Option<i64>,
    /// Workflow status: the roll-up of its assignments, or what the ledger stated if it has none.
    pub status: Status,
    /// Local date on which the ledger stated the status; null if the status follows from assignments.
    pub status_stated_on: Option<Date>,
    /// Progress that the ledger states for a measure for which it names no unit.
    pub stated_progress: Option<String>,
    /// Local date on which the last of its assignments was completed; null until all are.
    pub completed_on: Option<Date>,
    /// Whether it was completed by that date, as a ledger states, rather than on it.
    pub is_completed_by: bool,
    /// Pace that the last ledger states: `DONE`, `ON_SCHEDULE` or `BEHIND`; null if it states none.
    pub stated_pace: Option<StatedPace>,
    /// Local date of the ledger that states the pace.
    pub stated_pace_on: Option<Date>,
    /// Local date on which its allotted time begins.
    pub issued_on: Date,
    /// Local date of the oldest among the last reports of its open assignments; null if one of them has no report.
    pub reported_on: Option<Date>,
    /// Sum of the quantities done by its assignments, in their unit of measure.
    pub quantity_done: Option<f64>,
    /// Sum of the quantities to be done by its assignments.
    pub quantity_target: Option<f64>,
    /// Pace set by a person, which overrides the computed one.
    pub pace_override: Option<PaceOverride>,
    /// Why the pace was set.
    pub pace_reason: Option<String>,
    /// What the measure costs (投资), in yuan; null if unknown.
    pub budget: Option<i64>,
    /// Task of the problem that the measure belongs to; null if the ledger has no such level.
    pub task_id: Option<i64>,
    /// Unit that accepts the work (验收单位).
    pub accepting_unit_id: Option<i64>,
    /// Outcome of the work (整改成果).
    pub outcome: Option<String>,
    /// What the ledger says about close-out (销号情况), as printed.
    pub stated_close_out: Option<String>,
    /// Remark (备注).
    pub remark: Option<String>,
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
