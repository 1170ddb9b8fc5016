//! Evidence (佐证材料): files that prove the reported progress.

use sea_orm::entity::prelude::*;

/// An evidence file.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "evidence")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Assignment that it belongs to.
    pub assignment_id: i64,
    /// Account that uploaded it.
    pub uploader_id: Option<i64>,
    /// File name as uploaded, without directories.
    pub name: String,
    /// Media type, detected from the first bytes: `application/pdf`.
    pub media_type: String,
    /// Size in bytes.
    pub size: i64,
    /// SHA-256 of the content, in hexadecimal.
    pub sha256: String,
    /// Place in the storage.
    pub place: String,
    /// When it was uploaded.
    pub uploaded_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
