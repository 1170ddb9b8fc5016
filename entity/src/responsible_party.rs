//! Responsible parties (责任单位): a unit, or a selector that stands for many.

use sea_orm::entity::prelude::*;

/// One party of one measure.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "responsible_party")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The measure.
    pub measure_id: i64,
    /// Its place in the printed list, from 1.
    pub position: i32,
    /// The words as printed.
    pub raw: String,
    /// The unit, unless it is a selector.
    pub unit_id: Option<i64>,
    /// Whom it stands for, unless it is a unit.
    pub selector: Option<Selector>,
    /// The region whose counties or departments the selector means.
    pub region_id: Option<i64>,
}

/// Whom a responsible party stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Selector {
    /// 各县（区）: the government of every county below the region
    #[sea_orm(string_value = "ALL_COUNTIES")]
    AllCounties,
    /// 市直各相关部门: every department of the region
    #[sea_orm(string_value = "ALL_DEPARTMENTS")]
    AllDepartments,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
