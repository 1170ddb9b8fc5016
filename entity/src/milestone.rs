//! Milestones of deadlines that name several dates.

use sea_orm::entity::prelude::*;

/// One dated step of a problem's or a measure's deadline.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "milestone")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The problem, if it is one's.
    pub problem_id: Option<i64>,
    /// The measure, if it is one's.
    pub measure_id: Option<i64>,
    /// Its place, from 1.
    pub position: i32,
    /// What is due then: 5A级、4A级景区.
    pub label: String,
    /// The date, local.
    pub due_on: Date,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
