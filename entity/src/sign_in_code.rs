//! Codes with which a web page fetches its session after the user has signed in at an identity provider. Each works
//! once, within a minute.

use sea_orm::entity::prelude::*;

/// A code.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_code")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Identity that signed in.
    pub identity_id: i64,
    /// SHA-256 of the code, in hexadecimal. The code itself is not stored.
    pub hash: String,
    /// SHA-256 of a secret that only the page that started the sign-in knows, in hexadecimal.
    pub challenge: String,
    /// When the code expires.
    pub expires_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
