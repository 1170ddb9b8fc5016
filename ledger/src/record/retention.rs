//! Retention: deletes personal data that is no longer needed, namely sessions that have ended, and mails that were sent
//! or never will be; and with them the log of messages to other systems. The audit is not deleted, because it is the
//! evidence for the contents of the ledger.

use chrono::{DateTime, TimeDelta, Utc};
use entity::mail::{self, MailState};
use entity::webhook_delivery::{self, DeliveryState};
use entity::{one_time_secret, session, sign_in_code, webhook};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveEnum, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};

use crate::Result;
use crate::record::database;

/// How long rows are kept, in days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// How long sessions and tokens are kept after they ended.
    pub session_days: i64,
    /// How long mails and messages to other systems are kept after they were queued.
    pub mail_days: i64,
}

/// How many rows were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// The number of sessions and tokens.
    pub sessions: u64,
    /// The number of mails.
    pub mails: u64,
}

/// The SQL condition that no item of a mail is open any more. Mails about open items are the history that keeps
/// reminders from being sent twice.
const SETTLED: &str = "NOT EXISTS (SELECT 1 FROM mail_item i JOIN measure m ON m.id = i.measure_id \
        LEFT JOIN assignment a ON a.id = i.assignment_id WHERE i.mail_id = mail.id \
        AND coalesce(a.status, m.status, 'ASSIGNED') NOT IN ('CLOSED', 'CLOSED_ONGOING', 'NOT_APPLICABLE')) \
    AND NOT EXISTS (SELECT 1 FROM mail_item i JOIN inspection_case c ON c.id = i.case_id \
        WHERE i.mail_id = mail.id AND c.state <> 'CLOSED')";

/// Deletes sessions, mails and messages to other systems that have been kept for long enough, and all expired one-time
/// secrets, sign-in codes and secrets of receivers. Counts the indexes anew, which a night has changed most.
pub async fn purge<C: ConnectionTrait>(db: &C, keep: Retention, now: DateTime<Utc>) -> Result<Purged> {
    database::count_indexes(db).await?;
    let before = |days: i64| now - TimeDelta::days(days);
    let over = before(keep.session_days);
    let ended = Condition::any().add(session::Column::ExpiresAt.lt(over)).add(session::Column::RevokedAt.lt(over));
    let sessions = session::Entity::delete_many().filter(ended).exec(db).await?.rows_affected;
    // Recovery codes do not expire, so they stay.
    one_time_secret::Entity::delete_many().filter(one_time_secret::Column::ExpiresAt.lt(now)).exec(db).await?;
    sign_in_code::Entity::delete_many().filter(sign_in_code::Column::ExpiresAt.lt(now)).exec(db).await?;
    let done = [MailState::Sent, MailState::Failed, MailState::Cancelled].map(|state| state.to_value());
    let mails = mail::Entity::delete_many()
        .filter(mail::Column::State.is_in(done))
        .filter(mail::Column::CreatedAt.lt(before(keep.mail_days)))
        .filter(Expr::cust(SETTLED))
        .exec(db)
        .await?
        .rows_affected;
    // What waits for a receiver that is disabled may wait for ever.
    let is_over = Condition::any()
        .add(webhook_delivery::Column::State.is_in([DeliveryState::Delivered, DeliveryState::Failed]))
        .add(Expr::cust("webhook_id IN (SELECT w.id FROM webhook w WHERE NOT w.is_enabled)"));
    webhook_delivery::Entity::delete_many()
        .filter(is_over)
        .filter(webhook_delivery::Column::CreatedAt.lt(before(keep.mail_days)))
        .exec(db)
        .await?;
    // A secret that signs no more is not kept.
    webhook::Entity::update_many()
        .set(webhook::ActiveModel { previous_secret: Set(None), previous_until: Set(None), ..Default::default() })
        .filter(webhook::Column::PreviousUntil.lt(now))
        .exec(db)
        .await?;
    Ok(Purged { sessions, mails })
}
