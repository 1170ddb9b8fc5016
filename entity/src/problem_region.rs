//! Which regions a problem concerns: its own, every answering one, and all above them.

use sea_orm::entity::prelude::*;

/// One problem in one region's list.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "problem_region")]
pub struct Model {
    /// The region.
    #[sea_orm(primary_key, auto_increment = false)]
    pub region_id: i64,
    /// The problem's deadline, `9999-12-31` for none: the list's order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub due_order: Date,
    /// The problem.
    #[sea_orm(primary_key, auto_increment = false)]
    pub problem_id: i64,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
