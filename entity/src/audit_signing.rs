//! The days from which the days of the audit are signed, one row for each key that took over.

use sea_orm::entity::prelude::*;

/// One beginning.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_signing")]
pub struct Model {
    /// Which of them it is, from 1.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i32,
    /// The first local date that has to be signed with the key.
    pub day: Date,
    /// The id of the key; never the key.
    pub key_id: String,
    /// The HMAC, under this key, of the day, the key's id and the signature of the row before, in hexadecimal.
    pub signature: String,
    /// When it was noted.
    pub noted_at: DateTimeUtc,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
