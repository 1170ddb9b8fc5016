//! Receivers of messages to other systems: their address, what they are told of, and how their delivery goes.

use sea_orm::entity::prelude::*;

/// A receiver of messages about events of the ledger.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook")]
pub struct Model {
    /// Primary key. Stays the same across re-imports, backups and a move between databases.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Name by which administrators know it.
    pub name: String,
    /// Shape of its messages.
    pub kind: WebhookKind,
    /// Address to which messages are posted. The address of a robot contains its key, so it is never shown.
    pub url: String,
    /// The address as it is shown: without its query.
    pub shown_url: String,
    /// Secret that signs messages; null for a robot that expects no signature.
    pub secret: Option<String>,
    /// Secret before the last rotation, which also signs until `previous_until`; null if there is none.
    pub previous_secret: Option<String>,
    /// Moment until which the previous secret signs; null if there is none.
    pub previous_until: Option<DateTimeUtc>,
    /// Kinds of events that it is told of, with a comma before and after each; empty for all.
    pub events: String,
    /// Region to whose events, with those of the regions below, it is restricted; null for the whole ledger.
    pub region_id: Option<i64>,
    /// Whether messages are queued for it and delivered.
    pub is_enabled: bool,
    /// Number of attempts that have failed since the last success.
    pub failures: i32,
    /// When the first of them failed; null while it takes messages.
    pub failing_since: Option<DateTimeUtc>,
    /// When it was disabled automatically: it had failed for long, or said that it is gone; null if it was not.
    pub stopped_at: Option<DateTimeUtc>,
    /// Moment before which nothing is sent to it: the end of a pause after a failure, or of a full minute.
    pub resumes_at: DateTimeUtc,
    /// When it was created.
    pub created_at: DateTimeUtc,
}

/// Shape of the messages to a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "String(StringLen::None)")]
pub enum WebhookKind {
    /// Signed JSON by the specification Standard Webhooks.
    #[sea_orm(string_value = "STANDARD")]
    Standard,
    /// A robot of a group in WeCom (企业微信).
    #[sea_orm(string_value = "WECOM")]
    Wecom,
    /// A robot of a group in DingTalk (钉钉).
    #[sea_orm(string_value = "DINGTALK")]
    Dingtalk,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
