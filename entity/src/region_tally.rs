//! Kept counts of what concerns a region.

use sea_orm::entity::prelude::*;

/// One count.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "region_tally")]
pub struct Model {
    /// The region.
    #[sea_orm(primary_key, auto_increment = false)]
    pub region_id: i64,
    /// What is counted.
    #[sea_orm(primary_key, auto_increment = false)]
    pub noun: TallyNoun,
    /// How many.
    pub amount: i64,
}

/// What a tally counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum TallyNoun {
    /// Problems
    #[sea_orm(string_value = "PROBLEM")]
    Problem,
    /// Measures
    #[sea_orm(string_value = "MEASURE")]
    Measure,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
