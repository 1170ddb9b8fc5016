//! The local dates from which a key signs the days of the audit: one row for each key.

use sea_orm::entity::prelude::*;

/// The start of signing with a key.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_signing")]
pub struct Model {
    /// Sequence number, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// First local date that must be signed with the key.
    pub day: Date,
    /// Id of the key. The key itself is not stored.
    pub key_id: String,
    /// HMAC-SHA-256 under this key of the day, the key's id and the signature of the previous row, in hexadecimal.
    pub signature: String,
    /// When the row was written.
    pub noted_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
