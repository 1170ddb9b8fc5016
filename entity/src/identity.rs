//! Identities at an identity provider (OpenID Connect), each bound to an account.

use sea_orm::entity::prelude::*;

/// An identity: a subject of a provider, bound to an account.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "identity")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Account that it signs in to.
    pub account_id: i64,
    /// Address of the provider, as its tokens contain it (`iss`).
    pub issuer: String,
    /// Id of the user at the provider (`sub`), which stays the same when the user's mail address changes.
    pub subject: String,
    /// When it was bound to the account.
    pub bound_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
