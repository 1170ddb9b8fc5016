//! Responsible parties (责任单位) as printed: a unit, or a selector for several units.

use sea_orm::entity::prelude::*;

/// A responsible party of a measure.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "responsible_party")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Measure that the party is responsible for.
    pub measure_id: i64,
    /// Position in the printed list, from 1.
    pub position: i32,
    /// Text as printed.
    pub raw: String,
    /// Unit; null if the party is a selector.
    pub unit_id: Option<i64>,
    /// Selector; null if the party is a unit.
    pub selector: Option<Selector>,
    /// Region whose counties or departments the selector means; null if the party is a unit.
    pub region_id: Option<i64>,
}

/// A selector for several units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Selector {
    /// The government of every county below the region (各县（区）).
    #[sea_orm(string_value = "ALL_COUNTIES")]
    AllCounties,
    /// Every department of the region (市直各相关部门).
    #[sea_orm(string_value = "ALL_DEPARTMENTS")]
    AllDepartments,
    /// The government of every township below the region (各乡镇).
    #[sea_orm(string_value = "ALL_TOWNSHIPS")]
    AllTownships,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
