//! Domains (领域) of problems. A problem can have several.

use sea_orm::entity::prelude::*;

/// A domain of a problem.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "problem_domain")]
pub struct Model {
    /// Problem that the domain belongs to.
    #[sea_orm(primary_key, auto_increment = false)]
    pub problem_id: i64,
    /// Name of the domain, such as 水, 大气 or 矿山.
    #[sea_orm(primary_key, auto_increment = false)]
    pub domain: String,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
