//! What jobs work with: the database, the clock, the settings of reminders, and the mail.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use ledger::record::audit::{By, Key};
use ledger::record::retention::Retention;
use ledger::reminder::Timing;
use ledger::work::Acting;
use sea_orm::{DatabaseConnection, DbErr};

use crate::mail::Writer;
use crate::mail::post::Post;
use crate::webhook::Webhooks;

/// How long the database may take to answer one question, which is more than it lets a statement take.
pub const SILENCE: Duration = Duration::from_mins(6);

/// What every job works with, put together by the program from its settings.
pub struct Context {
    /// The ledger's database.
    pub db: DatabaseConnection,
    /// The ledger's time zone: a job's day is a local day there.
    pub zone: Tz,
    /// How many days before and after a deadline reminders are due.
    pub timing: Timing,
    /// The number of days that an immediate deadline without a date allows.
    pub grace_days: i64,
    /// How long sessions and mails are kept.
    pub retention: Retention,
    /// Writes mails from templates.
    pub writer: Writer,
    /// Sends mails.
    pub post: Arc<Post>,
    /// The Maildir of mails that came back, if there is one.
    pub bounce_mailbox: Option<PathBuf>,
    /// Sends messages to other systems.
    pub webhooks: Webhooks,
    /// The key that signs each day of the audit; without one, days are sealed unsigned.
    pub audit_key: Option<Key>,
    /// The address that each day's seal is mailed to; empty: none.
    pub audit_head_mail: String,
    /// How long one job of a tick may take until it is ended: [`PATIENCE`](crate::PATIENCE).
    pub patience: Duration,
    /// How long the database may take to answer one question: [`SILENCE`].
    pub silence: Duration,
    /// Distinguishes this process from others that deliver mail at the same time.
    pub token: String,
    /// Tells the time.
    pub clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// Whether the process is stopping: nothing new is begun then.
    pub stopping: Arc<dyn Fn() -> bool + Send + Sync>,
}

impl Context {
    /// The present moment.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// Waits for an answer of the database, at most [`Context::silence`]. A server that is lost together with its
    /// machine never answers, and its connections are not closed.
    pub(crate) fn answered<T, E: From<DbErr>>(
        &self,
        question: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, E>> {
        self.answered_within(self.silence, question)
    }

    /// Waits for an answer of the database like [`Context::answered`], and at most as long as `most`.
    pub(crate) fn answered_within<T, E: From<DbErr>>(
        &self,
        most: Duration,
        question: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, E>> {
        // Questions are large, and would be part of each future that asks them.
        let answer = tokio::time::timeout(self.silence.min(most), Box::pin(question));
        async { answer.await.map_err(|_| DbErr::Custom("the database does not answer".to_owned()))? }
    }

    /// The context of acts that the program does in its own name.
    pub(crate) fn acting<'a>(&'a self, by: &'a By, now: DateTime<Utc>) -> Acting<'a> {
        Acting { db: &self.db, by, now, zone: self.zone, grace_days: self.grace_days, reader: None }
    }
}
