//! Problems (反馈问题): what an inspection found.

use sea_orm::entity::prelude::*;

use crate::assignment::Status;

/// One problem, owned by the region that issued it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "problem")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The round that found it.
    pub round_id: i64,
    /// The issuing region.
    pub region_id: i64,
    /// What makes it the same problem in another file: its number, else its normalised title.
    pub identity: String,
    /// The number as printed; numbers have gaps.
    pub number: Option<String>,
    /// Its place in the ledger, from 1.
    pub position: i32,
    /// The first sentence.
    pub title: String,
    /// The rest of the text.
    pub description: Option<String>,
    /// 整改目标.
    pub goal: Option<String>,
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
    /// The rating as printed: 全面完成，长期坚持.
    pub rated_progress: Option<String>,
    /// The roll-up of its measures, or what the ledger stated.
    pub status: Status,
    /// When the status was stated, for one that no assignment backs.
    pub status_stated_on: Option<Date>,
    /// When the last of its measures was completed.
    pub completed_on: Option<Date>,
    /// Where its allotted time begins, a local date.
    pub issued_on: Date,
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
