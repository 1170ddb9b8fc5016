//! How long what names people is kept once it is of no use: sessions that are over, and mails that have gone or never will.
//! The audit is kept: it is what the ledger is believed by.

use chrono::{DateTime, TimeDelta, Utc};
use entity::mail::{self, MailState};
use entity::{one_time_secret, session, sign_in_code};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveEnum, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter};

use crate::Result;

/// For how many days rows are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Sessions and tokens, after they ended.
    pub session_days: i64,
    /// Mails, after they were queued.
    pub mail_days: i64,
}

/// How many rows were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Purged {
    /// Sessions and tokens.
    pub sessions: u64,
    /// Mails.
    pub mails: u64,
}

/// Mails about items of which none is open any more: those of open ones are the memory by which nobody is told twice.
const SETTLED: &str = "NOT EXISTS (SELECT 1 FROM mail_item i JOIN measure m ON m.id = i.measure_id \
        LEFT JOIN assignment a ON a.id = i.assignment_id WHERE i.mail_id = mail.id \
        AND coalesce(a.status, m.status, 'ASSIGNED') NOT IN ('CLOSED', 'CLOSED_ONGOING', 'NOT_APPLICABLE')) \
    AND NOT EXISTS (SELECT 1 FROM mail_item i JOIN inspection_case c ON c.id = i.case_id \
        WHERE i.mail_id = mail.id AND c.state <> 'CLOSED')";

/// Deletes what has been kept for long enough.
pub async fn purge<C: ConnectionTrait>(db: &C, keep: Retention, now: DateTime<Utc>) -> Result<Purged> {
    let before = |days: i64| now - TimeDelta::days(days);
    let over = before(keep.session_days);
    let ended = Condition::any().add(session::Column::ExpiresAt.lt(over)).add(session::Column::RevokedAt.lt(over));
    let sessions = session::Entity::delete_many().filter(ended).exec(db).await?.rows_affected;
    // Recovery codes have no end and stay.
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
    Ok(Purged { sessions, mails })
}
