//! Who somebody is to a provider of sign-ins (OpenID Connect).

use sea_orm::entity::prelude::*;

/// One subject of a provider, bound to an account.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "identity")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The account that it signs in to.
    pub account_id: i64,
    /// The provider, by the address that its tokens bear.
    pub issuer: String,
    /// Whom the provider means; it stays the same when the address changes.
    pub subject: String,
    /// When it was bound.
    pub bound_at: DateTimeUtc,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
