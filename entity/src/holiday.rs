//! Days on which the rule of the week does not hold.

use sea_orm::entity::prelude::*;

/// One day.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "holiday")]
pub struct Model {
    /// The local date.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Date,
    /// Whether it is worked: a weekend made up for a holiday.
    pub is_working: bool,
    /// What it is: 国庆节.
    pub name: String,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
