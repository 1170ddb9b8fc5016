//! The regions that a measure concerns: the issuing region, the answering regions, and all their ancestors.

use sea_orm::entity::prelude::*;

use crate::assignment::Status;

/// An entry of a measure in the list of a region.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "measure_region")]
pub struct Model {
    /// Region in whose list the entry is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub region_id: i64,
    /// Deadline of the measure, or `9999-12-31` if it has none. The list is sorted by it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub due_order: Date,
    /// Measure listed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub measure_id: i64,
    /// Workflow status by the answers of the region; null if it is judged as a whole.
    pub own_status: Option<Status>,
    /// Local date of completion by the answers of the region.
    pub own_completed_on: Option<Date>,
    /// Whether the answers were completed by that date rather than on it.
    pub own_is_completed_by: bool,
    /// Local date after which the answers of the region are overdue; null if it is that of the measure.
    pub own_due_by: Option<Date>,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
