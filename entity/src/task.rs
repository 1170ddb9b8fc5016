//! Tasks (整改任务): an optional level between a problem and its measures.

use sea_orm::entity::prelude::*;

/// A task of a problem.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "task")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Problem that the task belongs to.
    pub problem_id: i64,
    /// Key that identifies the task within its problem across files.
    pub identity: String,
    /// Number as printed.
    pub number: Option<String>,
    /// Position within the problem, from 1.
    pub position: i32,
    /// Text.
    pub content: String,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
