//! Sessions of users and access tokens of integrations.

use sea_orm::entity::prelude::*;

/// A session or an access token.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "session")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Account whose rights it has.
    pub account_id: i64,
    /// Delegate who acts with the account's rights; null if there is none.
    pub actor_id: Option<i64>,
    /// Whether it is a session or a token.
    pub kind: SessionKind,
    /// Purpose of the token, or how the session was opened, such as 密码登录.
    pub name: String,
    /// SHA-256 of its secret, in hexadecimal. The secret itself is shown once and not stored.
    pub hash: String,
    /// Whether it is read-only.
    pub is_read_only: bool,
    /// Network address that it was opened from.
    pub address: Option<String>,
    /// When it was opened or created.
    pub created_at: DateTimeUtc,
    /// When it expires.
    pub expires_at: DateTimeUtc,
    /// When it was ended or revoked; null if it was not.
    pub revoked_at: Option<DateTimeUtc>,
    /// When it was last used, accurate to the minute.
    pub last_used_at: Option<DateTimeUtc>,
    /// Whether it can only be used to set up the second factor that the role requires.
    pub is_limited: bool,
    /// Whether it only opens the calendar of the account's deadlines.
    pub is_calendar: bool,
    /// Position in PostgreSQL's log up to which it has written, as bytes from the beginning; null if nothing is noted:
    /// it has not written, or the API that it wrote through reads on no standby.
    pub written_to: Option<i64>,
}

/// Whether a row is a session or a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum SessionKind {
    /// A session, opened by signing in.
    #[sea_orm(string_value = "SESSION")]
    Session,
    /// An access token, created for an integration.
    #[sea_orm(string_value = "TOKEN")]
    Token,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
