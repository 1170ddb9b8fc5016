//! Messages to other systems: those that wait, and the log of those that were delivered or failed.

use sea_orm::entity::prelude::*;

/// A message about one event to one receiver.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_delivery")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Receiver of the message.
    pub webhook_id: i64,
    /// Unique key of the cause: event, object, act and receiver.
    pub cause: String,
    /// Kind of the event.
    pub event: String,
    /// What happened, as it was when it happened: a JSON object.
    pub payload: String,
    /// State of delivery.
    pub state: DeliveryState,
    /// Number of delivery attempts so far.
    pub attempts: i32,
    /// Time from which it may be claimed: while it is queued, the next attempt; while it is being sent, the end of the
    /// sender's lease.
    pub next_attempt_at: DateTimeUtc,
    /// Fencing token of the run that claimed it last.
    pub lease: Option<String>,
    /// When it was last tried.
    pub attempted_at: Option<DateTimeUtc>,
    /// When the receiver accepted it.
    pub delivered_at: Option<DateTimeUtc>,
    /// HTTP status of the last answer; null if there was none.
    pub status: Option<i32>,
    /// Beginning of the last answer, with telephone and identity card numbers masked.
    pub answer: Option<String>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was queued.
    pub created_at: DateTimeUtc,
}

/// State of delivery of a message to another system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum DeliveryState {
    /// Waits for its next attempt.
    #[sea_orm(string_value = "QUEUED")]
    Queued,
    /// Claimed by a sender.
    #[sea_orm(string_value = "SENDING")]
    Sending,
    /// Accepted by the receiver.
    #[sea_orm(string_value = "DELIVERED")]
    Delivered,
    /// Given up after all attempts.
    #[sea_orm(string_value = "FAILED")]
    Failed,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
