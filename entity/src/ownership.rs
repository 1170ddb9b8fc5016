//! Ownership of problems: whether a region is principal (主责) or shares a problem with others (共性).

use sea_orm::entity::prelude::*;

/// The ownership of a problem by a region.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ownership")]
pub struct Model {
    /// Problem that is owned.
    #[sea_orm(primary_key, auto_increment = false)]
    pub problem_id: i64,
    /// Region that owns it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub region_id: i64,
    /// Kind of ownership.
    pub kind: OwnershipKind,
}

/// Kind of ownership of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum OwnershipKind {
    /// The region is principal (主责).
    #[sea_orm(string_value = "PRINCIPAL")]
    Principal,
    /// The region shares the problem with others (共性).
    #[sea_orm(string_value = "SHARED")]
    Shared,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
