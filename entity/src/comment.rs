//! Comments (批示、意见) on measures.

use sea_orm::entity::prelude::*;

/// A comment.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "comment")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Measure that it is on.
    pub measure_id: i64,
    /// Account that wrote it.
    pub author_id: Option<i64>,
    /// Text of the comment.
    pub text: String,
    /// When it was written.
    pub written_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
