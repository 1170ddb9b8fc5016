//! Progress reports (整改进展). Rows are only added; a correction is a new report.

use sea_orm::entity::prelude::*;

/// A progress report on an assignment.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "progress_report")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Assignment that is reported on.
    pub assignment_id: i64,
    /// Month that it is about: `2023-04`.
    pub period: String,
    /// Text of the report.
    pub text: String,
    /// Status word that the report was printed with, if any, such as 已办结.
    pub stated: Option<String>,
    /// Account that wrote it; null if it was imported.
    pub author_id: Option<i64>,
    /// Difficulties (存在的困难和问题).
    pub difficulties: Option<String>,
    /// Next steps (下一步打算).
    pub next_steps: Option<String>,
    /// When it was submitted.
    pub submitted_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
