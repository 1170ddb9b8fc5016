//! Stored counts of the problems and measures that concern a region.

use sea_orm::entity::prelude::*;

/// A count.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "region_tally")]
pub struct Model {
    /// Region that the rows concern.
    #[sea_orm(primary_key, auto_increment = false)]
    pub region_id: i64,
    /// Kind of rows counted.
    #[sea_orm(primary_key, auto_increment = false)]
    pub noun: TallyNoun,
    /// Number of rows.
    pub amount: i64,
}

/// Kind of rows that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum TallyNoun {
    /// Problems.
    #[sea_orm(string_value = "PROBLEM")]
    Problem,
    /// Measures.
    #[sea_orm(string_value = "MEASURE")]
    Measure,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
