//! Milestones: the dated steps of a deadline that names several dates.

use sea_orm::entity::prelude::*;

/// A milestone of the deadline of a problem or a measure.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "milestone")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Problem, if it is the deadline of one.
    pub problem_id: Option<i64>,
    /// Measure, if it is the deadline of one.
    pub measure_id: Option<i64>,
    /// Position within the deadline, from 1.
    pub position: i32,
    /// What is due, such as 5A级、4A级景区.
    pub label: String,
    /// Local date on which it is due.
    pub due_on: Date,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
