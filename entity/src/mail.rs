//! The outbox: mails to be sent and sent mails. Each has a unique cause, so that none is queued twice.

use sea_orm::entity::prelude::*;

/// A digest or a notice to one address.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mail")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Unique key of the cause: `overdue:address:day` for a digest.
    pub cause: String,
    /// Name of the reminder or notice.
    pub kind: String,
    /// Mail address of the recipient.
    pub recipient: String,
    /// Unit of the recipient.
    pub unit_id: Option<i64>,
    /// Case that a notice is about; such a notice has no items.
    pub case_id: Option<i64>,
    /// Local date that the digest is about.
    pub local_day: Date,
    /// Subject as last rendered.
    pub subject: String,
    /// Why it was queued or cancelled; shown to administrators.
    pub reason: String,
    /// What the act that queued it kept for its template: a JSON object.
    pub facts: String,
    /// State of delivery.
    pub state: MailState,
    /// Number of delivery attempts so far.
    pub attempts: i32,
    /// Which waiting mails are sent first.
    pub priority: Priority,
    /// Time from which a sender may claim it: while it is queued, the next attempt; while it is being sent, the end of
    /// the sender's lease.
    pub next_attempt_at: DateTimeUtc,
    /// When it was held back until the next working day or the end of quiet hours; null if it was not.
    pub held_at: Option<DateTimeUtc>,
    /// Fencing token of the run that claimed it last.
    pub lease: Option<String>,
    /// When a mail server accepted it.
    pub sent_at: Option<DateTimeUtc>,
    /// Last error of the mail server or the network; of a mail that came back, the reason.
    pub last_error: Option<String>,
    /// When a notification that it could not be delivered was read, after a server had accepted it.
    pub bounced_at: Option<DateTimeUtc>,
    /// When it was queued.
    pub created_at: DateTimeUtc,
    /// When the holder of the address first acknowledged it or one of its items.
    pub acknowledged_at: Option<DateTimeUtc>,
    /// The trace of the act or job that caused it (W3C `traceparent`), if traces are collected.
    pub trace: Option<String>,
}

/// State of delivery of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum MailState {
    /// Waiting for its next attempt.
    #[sea_orm(string_value = "QUEUED")]
    Queued,
    /// Claimed by a process that is sending it.
    #[sea_orm(string_value = "SENDING")]
    Sending,
    /// Accepted by the mail server.
    #[sea_orm(string_value = "SENT")]
    Sent,
    /// Failed permanently; it can be requeued.
    #[sea_orm(string_value = "FAILED")]
    Failed,
    /// Cancelled because nothing in it was still open when it was due.
    #[sea_orm(string_value = "CANCELLED")]
    Cancelled,
}

/// Which waiting mails are sent first. The numbers are the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "i32", db_type = "Integer")]
pub enum Priority {
    /// A notice about one event, before all digests.
    #[sea_orm(num_value = 0)]
    AtOnce,
    /// A digest.
    #[sea_orm(num_value = 1)]
    Digest,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
