//! The days of the audit, each under a signature, so that a missing end of a chain is found.

use sea_orm::entity::prelude::*;

/// One day.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_head")]
pub struct Model {
    /// The local date.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Date,
    /// The end of the day: it covers the entries before it that no earlier one does.
    pub until: DateTimeUtc,
    /// How many entries it covers.
    pub entries: i64,
    /// The SHA-256 over the digest before and the hashes of these entries, in hexadecimal.
    pub digest: String,
    /// The HMAC under the key of the installation, in hexadecimal; empty without one.
    pub signature: String,
    /// The id of the key that signed; empty without one, and of days that were signed before keys had ids.
    pub key_id: String,
    /// When.
    pub sealed_at: DateTimeUtc,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
