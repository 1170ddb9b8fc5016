//! Secrets that can be used once: set-up codes of an installation, links for invitations and new passwords, and
//! recovery codes.

use sea_orm::entity::prelude::*;

/// A secret.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_secret")]
pub struct Model {
    /// Primary key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Account that it is for; null for a set-up code.
    pub account_id: Option<i64>,
    /// Purpose of the secret.
    pub purpose: Purpose,
    /// SHA-256 of the secret, in hexadecimal. The secret itself is not stored.
    pub hash: String,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it expires; null for recovery codes, which are valid until used or replaced.
    pub expires_at: Option<DateTimeUtc>,
}

/// Purpose of a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Purpose {
    /// Creating the first account.
    #[sea_orm(string_value = "SET_UP")]
    SetUp,
    /// Setting the first password of a new account.
    #[sea_orm(string_value = "INVITATION")]
    Invitation,
    /// Setting a new password in place of a forgotten one.
    #[sea_orm(string_value = "PASSWORD_RESET")]
    PasswordReset,
    /// Signing in once without the second factor.
    #[sea_orm(string_value = "RECOVERY")]
    Recovery,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
