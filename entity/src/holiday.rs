//! Exceptions to the week: holidays, and weekend days that are worked (调休).

use sea_orm::entity::prelude::*;

/// An exceptional day.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "holiday")]
pub struct Model {
    /// Local date of the day.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Date,
    /// Whether it is a working day: a weekend day worked in exchange for a holiday.
    pub is_working: bool,
    /// Name of the holiday, such as 国庆节.
    pub name: String,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
