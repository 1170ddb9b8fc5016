//! What changed in the ledger, in the order of its numbers.

use sea_orm::entity::prelude::*;

/// One change.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "change")]
pub struct Model {
    /// The key; numbers are handed out in order and may become visible out of it.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What happened.
    pub kind: ChangeKind,
    /// When.
    pub at: DateTimeUtc,
    /// The problem that it happened to, or below which.
    pub problem_id: i64,
    /// The measure, where it was one.
    pub measure_id: Option<i64>,
    /// The assignment, where it was one.
    pub assignment_id: Option<i64>,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum ChangeKind {
    /// An imported ledger wrote the problem or something below it
    #[sea_orm(string_value = "IMPORTED")]
    Imported,
    /// Progress was reported on the assignment
    #[sea_orm(string_value = "PROGRESS_REPORTED")]
    ProgressReported,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
