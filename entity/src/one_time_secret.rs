//! Secrets that work once: the set-up code of an installation, links of invitations and for new passwords, recovery codes.

use sea_orm::entity::prelude::*;

/// One secret.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "one_time_secret")]
pub struct Model {
    /// The key.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The account that it is for; none for the set-up code.
    pub account_id: Option<i64>,
    /// What it is good for.
    pub purpose: Purpose,
    /// The SHA-256 of the secret, in hexadecimal; the secret itself is kept nowhere.
    pub hash: String,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it ends by itself; none for recovery codes, which last until they are used or replaced.
    pub expires_at: Option<DateTimeUtc>,
}

/// What a secret is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Purpose {
    /// Making the first account
    #[sea_orm(string_value = "SET_UP")]
    SetUp,
    /// Setting the first password of a new account
    #[sea_orm(string_value = "INVITATION")]
    Invitation,
    /// Setting a new password in place of a forgotten one
    #[sea_orm(string_value = "PASSWORD_RESET")]
    PasswordReset,
    /// Signing in without the second factor, once
    #[sea_orm(string_value = "RECOVERY")]
    Recovery,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
