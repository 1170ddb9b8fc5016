//! Assisting units (协办单位) of complaint cases.

use sea_orm::entity::prelude::*;

/// A unit that assists with a case.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "case_unit")]
pub struct Model {
    /// Case that the unit assists with.
    #[sea_orm(primary_key, auto_increment = false)]
    pub case_id: i64,
    /// Assisting unit.
    #[sea_orm(primary_key, auto_increment = false)]
    pub unit_id: i64,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
