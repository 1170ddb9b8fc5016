//! The regions in whose lists a complaint case appears: its own and all its ancestors.

use sea_orm::entity::prelude::*;

/// An entry of a case in the list of a region.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "case_region")]
pub struct Model {
    /// Region in whose list the entry is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub region_id: i64,
    /// Deadline of the case. The list is sorted by it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub due_order: Date,
    /// Case listed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub case_id: i64,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
