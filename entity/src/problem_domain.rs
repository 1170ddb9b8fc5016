//! Domains (领域) of problems: several tags each.

use sea_orm::entity::prelude::*;

/// One tag of one problem.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "problem_domain")]
pub struct Model {
    /// The problem.
    #[sea_orm(primary_key, auto_increment = false)]
    pub problem_id: i64,
    /// The tag: 水, 大气, 矿山 …
    #[sea_orm(primary_key, auto_increment = false)]
    pub domain: String,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
