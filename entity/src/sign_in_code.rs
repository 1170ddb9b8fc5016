//! Codes with which a page fetches the session that it sent somebody to a provider for: each works once, within a minute.

use sea_orm::entity::prelude::*;

/// One code.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "sign_in_code")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Who signed in.
    pub identity_id: i64,
    /// The SHA-256 of the code, in hexadecimal; the code itself is kept nowhere.
    pub hash: String,
    /// The SHA-256 of what only the page knows that began, in hexadecimal.
    pub challenge: String,
    /// When it ends.
    pub expires_at: DateTimeUtc,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
