//! Addresses to which no mail is sent.

use sea_orm::entity::prelude::*;

/// An address to which no mail is sent.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "suppression")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Mail address in lower case; unique.
    pub address: String,
    /// Why nothing is sent to it.
    pub reason: SuppressionReason,
    /// What the mail server or a person said about it.
    pub detail: Option<String>,
    /// Account that entered it; null if a program did.
    pub account_id: Option<i64>,
    /// When it was entered.
    pub created_at: DateTimeUtc,
}

/// Why no mail is sent to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum SuppressionReason {
    /// A mail came back for good: there is no such mailbox.
    #[sea_orm(string_value = "HARD_BOUNCE")]
    HardBounce,
    /// The recipient reported a mail as unwanted.
    #[sea_orm(string_value = "COMPLAINT")]
    Complaint,
    /// An administrator entered it.
    #[sea_orm(string_value = "BY_HAND")]
    ByHand,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
