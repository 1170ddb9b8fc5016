//! Quantities in progress reports.

use sea_orm::entity::prelude::*;

/// A quantity reported with a progress report.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "quantity")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Progress report that it belongs to.
    pub progress_report_id: i64,
    /// Position within the report, from 1.
    pub position: i32,
    /// What is counted, such as 退化草原修复.
    pub label: String,
    /// Amount done so far, in `unit`.
    pub done: Option<f64>,
    /// Amount to be done in all, in `unit`.
    pub target: Option<f64>,
    /// Unit of measure, such as 万亩, 座 or 公里.
    pub unit: Option<String>,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
