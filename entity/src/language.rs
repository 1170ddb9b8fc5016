//! The languages in which accounts and units receive mail.

use sea_orm::entity::prelude::*;

/// Language of mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum Language {
    /// Simplified Chinese (简体中文).
    #[sea_orm(string_value = "ZH")]
    Zh,
    /// English.
    #[sea_orm(string_value = "EN")]
    En,
}
