//! Digests that the holders of addresses have switched off.

use sea_orm::entity::prelude::*;

/// A kind of digest that an address does not want.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "muted_mail")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Mail address of a person. Personal data.
    pub address: String,
    /// Kind of digest, such as `due-soon`.
    pub kind: String,
    /// When it was switched off.
    pub muted_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
