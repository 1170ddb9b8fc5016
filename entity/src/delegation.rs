//! Delegations: an account that acts on behalf of another during an absence.

use sea_orm::entity::prelude::*;

/// A delegation.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "delegation")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Account that is represented.
    pub account_id: i64,
    /// Account that acts on its behalf.
    pub delegate_id: i64,
    /// Reason for the delegation.
    pub reason: String,
    /// When it begins.
    pub begins_at: DateTimeUtc,
    /// When it ends.
    pub ends_at: DateTimeUtc,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it was ended early; null if it was not.
    pub revoked_at: Option<DateTimeUtc>,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
