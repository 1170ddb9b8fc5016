//! Who acts for whom while somebody is away.

use sea_orm::entity::prelude::*;

/// One delegation.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "delegation")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Who is away.
    pub account_id: i64,
    /// Who acts.
    pub delegate_id: i64,
    /// Why.
    pub reason: String,
    /// From when.
    pub begins_at: DateTimeUtc,
    /// Until when.
    pub ends_at: DateTimeUtc,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was ended early.
    pub revoked_at: Option<DateTimeUtc>,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
