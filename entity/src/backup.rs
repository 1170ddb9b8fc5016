//! Notes of the backups that were made of a database. They belong to the database, not to the ledger in it, so no
//! backup contains them.

use sea_orm::entity::prelude::*;

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "backup")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The moment that it shows the ledger of; unique.
    pub made_at: DateTimeUtc,
    /// Name of its file, without folders; `-` for one that was written to the standard output.
    pub file_name: String,
    /// Size of the file in bytes.
    pub byte_count: i64,
    /// Number of rows of all tables.
    pub row_count: i64,
    /// Whether the files of evidence are in it.
    pub has_files: bool,
    /// When it was verified last; null if it never was.
    pub verified_at: Option<DateTimeUtc>,
    /// Number of faults that the verification found; null if it was never verified.
    pub fault_count: Option<i32>,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
