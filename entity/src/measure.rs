//! Measures (整改措施): what is to be done about a problem.

use sea_orm::entity::prelude::*;

use crate::assignment::{PaceOverride, Status};

/// One measure.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "measure")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The problem that it mends.
    pub problem_id: i64,
    /// The round of that problem, repeated for lists.
    pub round_id: i64,
    /// The issuing region, repeated for lists.
    pub region_id: i64,
    /// What makes it the same measure in another file: number and normalised content.
    pub identity: String,
    /// The number as printed.
    pub number: Option<String>,
    /// Its place within the problem, from 1.
    pub position: i32,
    /// The text.
    pub content: String,
    /// The deadline as printed.
    pub due_raw: String,
    /// 立行立改 or 立即启动.
    pub due_immediate: bool,
    /// The latest date of the deadline, a local date; none when it has no date.
    pub due_on: Option<Date>,
    /// 长期坚持: checks go on for good.
    pub due_ongoing: bool,
    /// What governs "overdue": `due_on`, or the end of the grace period of an immediate deadline; none when it is only ongoing.
    pub due_by: Option<Date>,
    /// 牵头单位; none where the ledger names no units.
    pub lead_unit_id: Option<i64>,
    /// 督导单位.
    pub supervising_unit_id: Option<i64>,
    /// The roll-up of its assignments, or what the ledger stated.
    pub status: Status,
    /// When the status was stated, for one that no assignment backs.
    pub status_stated_on: Option<Date>,
    /// The progress that a ledger states of a measure for which it names no unit.
    pub stated_progress: Option<String>,
    /// When the last of its assignments was completed.
    pub completed_on: Option<Date>,
    /// Where its allotted time begins, a local date.
    pub issued_on: Date,
    /// The oldest of its open assignments' last reports, a local date.
    pub reported_on: Option<Date>,
    /// Sum of what its assignments did, in their own unit of measure.
    pub quantity_done: Option<f64>,
    /// Sum of what they have to do.
    pub quantity_target: Option<f64>,
    /// A pace set by a person.
    pub pace_override: Option<PaceOverride>,
    /// Why it was set.
    pub pace_reason: Option<String>,
    /// Grows with every change.
    pub version: i32,
    /// When it entered the ledger.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
