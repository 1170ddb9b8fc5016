//! Sessions of people and tokens of integrations: who may come in without a password, and until when.

use sea_orm::entity::prelude::*;

/// One session or token.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Whose rights it has.
    pub account_id: i64,
    /// Who really acts, where that is a delegate.
    pub actor_id: Option<i64>,
    /// Whether it was opened by signing in.
    pub kind: SessionKind,
    /// What it is for, or what it was opened with.
    pub name: String,
    /// The SHA-256 of its secret, in hexadecimal; the secret itself is shown once and kept nowhere.
    pub hash: String,
    /// Whether nothing may be changed with it.
    pub is_read_only: bool,
    /// The address that it was opened from.
    pub address: Option<String>,
    /// When it was opened.
    pub created_at: DateTimeUtc,
    /// When it ends by itself.
    pub expires_at: DateTimeUtc,
    /// When it was ended.
    pub revoked_at: Option<DateTimeUtc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTimeUtc>,
    /// Whether it only serves to set up the second factor that the role demands.
    pub is_limited: bool,
}

/// How a session came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum SessionKind {
    /// Opened by signing in
    #[sea_orm(string_value = "SESSION")]
    Session,
    /// Made for an integration
    #[sea_orm(string_value = "TOKEN")]
    Token,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
