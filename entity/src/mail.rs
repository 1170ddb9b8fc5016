//! The outbox: mails with the cause that makes each of them single.

use sea_orm::entity::prelude::*;

/// One digest to one address.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mail")]
pub struct Model {
    /// The key; it survives re-import, backup and the move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Why it exists, unique: `overdue:address:day`.
    pub cause: String,
    /// The reminder's name.
    pub kind: String,
    /// The address.
    pub recipient: String,
    /// The unit addressed.
    pub unit_id: Option<i64>,
    /// The case that a notice is about, which has no items then.
    pub case_id: Option<i64>,
    /// The day that the digest speaks of, a local date.
    pub local_day: Date,
    /// The subject as last rendered.
    pub subject: String,
    /// Why it was queued, or cancelled, for administrators.
    pub reason: String,
    /// Where it is on its way.
    pub state: MailState,
    /// How often delivery was tried.
    pub attempts: i32,
    /// Not before.
    pub next_attempt_at: DateTimeUtc,
    /// The fencing token of whoever is sending it.
    pub lease: Option<String>,
    /// When that claim expires.
    pub leased_until: Option<DateTimeUtc>,
    /// When a server took it.
    pub sent_at: Option<DateTimeUtc>,
    /// What the server or the network last said.
    pub last_error: Option<String>,
    /// When it was queued.
    pub created_at: DateTimeUtc,
}

/// Where a mail is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum MailState {
    /// Waiting for its next attempt
    #[sea_orm(string_value = "QUEUED")]
    Queued,
    /// Claimed by a sender
    #[sea_orm(string_value = "SENDING")]
    Sending,
    /// Taken by the mail server
    #[sea_orm(string_value = "SENT")]
    Sent,
    /// Refused for good; can be requeued
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// Nothing was left to say when it was due
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
}

/// Tables are joined where they are read; no relation is declared here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
