//! Whether the mail server takes mail: one row while it does not, no row while it does.

use sea_orm::entity::prelude::*;

/// An outage of the mail server, during which no mail is sent.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_outage")]
pub struct Model {
    /// Primary key, always 1.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Host and port of the server, or the folder that mails are written to.
    pub server: String,
    /// When the outage began.
    pub since: DateTimeUtc,
    /// What the server or the network said last, without secrets.
    pub reason: String,
    /// Number of probes so far.
    pub probes: i32,
    /// When the server is probed next.
    pub probe_at: DateTimeUtc,
}

/// No relations are declared; queries write their own joins.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
