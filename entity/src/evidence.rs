//! Evidence (佐证材料): files that prove what is reported.

use sea_orm::entity::prelude::*;

/// One file.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "evidence")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// What it proves.
    pub assignment_id: i64,
    /// Who uploaded it.
    pub uploader_id: Option<i64>,
    /// The name as uploaded, without folders.
    pub name: String,
    /// What its content is, by its first bytes.
    pub media_type: String,
    /// How many bytes.
    pub size: i64,
    /// The SHA-256 of its content, in hexadecimal.
    pub sha256: String,
    /// Where the storage keeps it.
    pub place: String,
    /// When.
    pub uploaded_at: DateTimeUtc,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
