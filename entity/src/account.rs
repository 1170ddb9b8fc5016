//! Users of the system (填报人).

use sea_orm::entity::prelude::*;

/// One user.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The unit that the user works for.
    pub unit_id: Option<i64>,
    /// The name shown to colleagues; personal data.
    pub name: String,
    /// The sign-in address; personal data.
    pub email: String,
    /// When the account was made.
    pub created_at: DateTimeUtc,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
