//! Exceptions to the week: holidays, and weekend days that are worked (调休), of the whole country or of a region.

use sea_orm::entity::prelude::*;

/// An exceptional day.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "holiday")]
pub struct Model {
    /// Primary key. Stays the same across backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Region in which it holds, with the regions below; null for the whole country.
    pub region_id: Option<i64>,
    /// Local date of the day. There is one row for each region and day.
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
