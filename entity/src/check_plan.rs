//! Check plans: how often a measure is checked, where that differs from the default.

use sea_orm::entity::prelude::*;

use crate::check::CheckKind;

/// The frequency of one kind of check of a measure.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "check_plan")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Measure that is checked.
    pub measure_id: i64,
    /// Kind of check.
    pub kind: CheckKind,
    /// Frequency of the check.
    pub every: Every,
}

/// Frequency of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Every {
    /// Never due.
    #[sea_orm(string_value = "NEVER")]
    Never,
    /// Due at the end of every quarter.
    #[sea_orm(string_value = "QUARTER")]
    Quarter,
    /// Due at the end of every half-year.
    #[sea_orm(string_value = "HALF_YEAR")]
    HalfYear,
    /// Due at the end of every year.
    #[sea_orm(string_value = "YEAR")]
    Year,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
