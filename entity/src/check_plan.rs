//! How often a measure is checked, where it differs from the default plan.

use sea_orm::entity::prelude::*;

use crate::check::CheckKind;

/// One deviation from the default plan.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "check_plan")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The measure.
    pub measure_id: i64,
    /// Which check.
    pub kind: CheckKind,
    /// How often.
    pub every: Every,
}

/// How often a check falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Every {
    /// Not at all
    #[sea_orm(string_value = "NEVER")]
    Never,
    /// At the end of every quarter
    #[sea_orm(string_value = "QUARTER")]
    Quarter,
    /// At the end of every half-year
    #[sea_orm(string_value = "HALF_YEAR")]
    HalfYear,
    /// At the end of every year
    #[sea_orm(string_value = "YEAR")]
    Year,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
