//! Which regions a case is listed in: its own and all above it.

use sea_orm::entity::prelude::*;

/// One case in one region's list.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "case_region")]
pub struct Model {
    /// The region.
    #[sea_orm(primary_key, auto_increment = false)]
    pub region_id: i64,
    /// The case's deadline: the list's order.
    #[sea_orm(primary_key, auto_increment = false)]
    pub due_order: Date,
    /// The case.
    #[sea_orm(primary_key, auto_increment = false)]
    pub case_id: i64,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
