//! The regions that a problem concerns: the issuing region, the answering regions, and all their ancestors.

use sea_orm::entity::prelude::*;

use crate::assignment::Status;

/// An entry of a problem in the list of a region.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "problem_region")]
pub struct Model {
    /// Region in whose list the entry is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub region_id: i64,
    /// Deadline of the problem, or `9999-12-31` if it has none. The list is sorted by it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub due_order: Date,
    /// Problem listed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub problem_id: i64,
    /// Workflow status by the answers of the region; null if it is judged as a whole.
    pub own_status: Option<Status>,
    /// Local date of completion by the answers of the region.
    pub own_completed_on: Option<Date>,
    /// Whether the answers were completed by that date rather than on it.
    pub own_is_completed_by: bool,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
