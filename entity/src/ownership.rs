//! Whether a region owns a problem or shares it with others (主责、共性).

use sea_orm::entity::prelude::*;

/// How one region stands to one problem.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ownership")]
pub struct Model {
    /// The problem.
    #[sea_orm(primary_key, auto_increment = false)]
    pub problem_id: i64,
    /// The region.
    #[sea_orm(primary_key, auto_increment = false)]
    pub region_id: i64,
    /// How it stands to it.
    pub kind: OwnershipKind,
}

/// How a region stands to a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum OwnershipKind {
    /// 主责
    #[sea_orm(string_value = "PRINCIPAL")]
    Principal,
    /// 共性
    #[sea_orm(string_value = "SHARED")]
    Shared,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
