//! Quantities in progress reports.

use sea_orm::entity::prelude::*;

/// One counted thing of one report.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "quantity")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The report.
    pub progress_report_id: i64,
    /// Its place, from 1.
    pub position: i32,
    /// What is counted: 退化草原修复.
    pub label: String,
    /// How much is done, in `unit`.
    pub done: Option<f64>,
    /// How much is to be done, in `unit`.
    pub target: Option<f64>,
    /// 万亩, 座, 公里 …
    pub unit: Option<String>,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
