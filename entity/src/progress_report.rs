//! Progress reports (整改进展): append-only.

use sea_orm::entity::prelude::*;

/// One report on one assignment.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "progress_report")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What is reported on.
    pub assignment_id: i64,
    /// The month that it reports on: 2023-04.
    pub period: String,
    /// The report.
    pub text: String,
    /// The status word it was printed with.
    pub stated: Option<String>,
    /// Who wrote it; none when it was imported.
    pub author_id: Option<i64>,
    /// When it was submitted.
    pub submitted_at: DateTimeUtc,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
