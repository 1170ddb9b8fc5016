//! Daily seals of the audit, signed if there is a key. They reveal entries missing at the end of a chain.

use sea_orm::entity::prelude::*;

/// The seal of a day.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_head")]
pub struct Model {
    /// Local date that is sealed.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Date,
    /// End of the day. The seal covers all entries before it that no earlier seal covers.
    pub until: DateTimeUtc,
    /// Number of entries that it covers.
    pub entries: i64,
    /// SHA-256 of the previous seal's digest and the hashes of the entries covered, in hexadecimal.
    pub digest: String,
    /// HMAC-SHA-256 under the installation's key, in hexadecimal; empty without a key.
    pub signature: String,
    /// Id of the signing key; empty without a key, and for days signed before keys had ids.
    pub key_id: String,
    /// When the day was sealed.
    pub sealed_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
