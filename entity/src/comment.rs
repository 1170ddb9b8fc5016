//! Comments (批示、意见) on measures.

use sea_orm::entity::prelude::*;

/// One comment.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "comment")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What it is on.
    pub measure_id: i64,
    /// Who wrote it.
    pub author_id: Option<i64>,
    /// The text.
    pub text: String,
    /// When.
    pub written_at: DateTimeUtc,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
