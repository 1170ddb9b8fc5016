//! The outbox: mails to be sent.
//!
//! A mail is queued in the transaction that causes it, under a unique cause, so that no cause is queued twice. A sender
//! then claims it under a lease and sends it. A mail that fails is retried after growing pauses and finally parked as
//! failed, where an administrator sees it.

use std::collections::HashSet;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::mail::MailState;
use entity::{account, mail, mail_item, unit_address};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, TryInsertResult,
};

use crate::Result;
use crate::record::database;
use crate::record::database::Transaction;
use crate::reminder::Plan;
use crate::rule::calendar;

/// How long a sender may take for one mail before another may claim it.
pub const LEASE: TimeDelta = TimeDelta::minutes(5);
/// The number of attempts after which a mail is parked.
pub const MAX_ATTEMPTS: i32 = 12;

/// Queues the digests of a day, and returns how many were new. A digest that is queued already is not queued again.
pub async fn enqueue(db: &Transaction, kind: &str, plan: &Plan, day: NaiveDate, now: DateTime<Utc>) -> Result<usize> {
    let mut queued = 0;
    for digest in &plan.digests {
        let row = mail::ActiveModel {
            cause: Set(format!("{kind}:{}:{day}", digest.recipient)),
            unit_id: Set(Some(digest.unit)),
            reason: Set(format!("{kind} {day}: {}", digest.items.len())),
            ..queued_row(kind, &digest.recipient, day, now)
        };
        let inserted = mail::Entity::insert(row).on_conflict_do_nothing_on([mail::Column::Cause]).exec(db).await?;
        let TryInsertResult::Inserted(inserted) = inserted else { continue };
        let items = digest.items.iter().map(|item| mail_item::ActiveModel {
            mail_id: Set(inserted.last_insert_id),
            measure_id: Set(item.matter.measure()),
            case_id: Set(item.matter.case()),
            assignment_id: Set(item.assignment),
            due_on: Set(Some(item.due_on)),
            ..Default::default()
        });
        database::insert_all(db, items).await?;
        queued += 1;
    }
    Ok(queued)
}

/// Returns the row of a mail to be sent as soon as possible. Its subject is set when the mail is written.
fn queued_row(kind: &str, recipient: &str, day: NaiveDate, now: DateTime<Utc>) -> mail::ActiveModel {
    mail::ActiveModel {
        kind: Set(kind.to_owned()),
        recipient: Set(recipient.to_owned()),
        local_day: Set(day),
        subject: Set(String::new()),
        facts: Set("{}".to_owned()),
        state: Set(MailState::Queued),
        attempts: Set(0),
        next_attempt_at: Set(now),
        created_at: Set(now),
        ..Default::default()
    }
}

/// A mail about one event, sent at once.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The unique cause: a second notice with the same cause is not queued.
    pub cause: String,
    /// The kind of notice, which determines its wording.
    pub kind: &'static str,
    /// The mail address.
    pub recipient: String,
    /// The key of the unit to which the address belongs, if any.
    pub unit: Option<i64>,
    /// What happened, for the template of the kind: a JSON object of facts, never of sentences. Its member `reason` is
    /// the reason that a user gave.
    pub facts: serde_json::Value,
    /// The keys of the measures that it is about, each with the key of the assignment if it is about one.
    pub items: Vec<(i64, Option<i64>)>,
    /// The key of the complaint case that it is about, if any.
    pub case: Option<i64>,
}

/// Returns the mail addresses of units, and of the account that submitted what a notice is about, with their units.
/// Skips a disabled account.
///
/// Each address occurs once: with the first of its units in the order of `units`.
pub async fn recipients<C: ConnectionTrait>(
    db: &C,
    units: &[i64],
    submitter: Option<i64>,
) -> Result<Vec<(String, Option<i64>)>> {
    let addresses =
        unit_address::Entity::find().filter(unit_address::Column::UnitId.is_in(units.iter().copied())).all(db).await?;
    let mut found: Vec<(String, Option<i64>)> =
        addresses.into_iter().map(|row| (row.address, Some(row.unit_id))).collect();
    if let Some(submitter) = submitter
        && let Some(account) = account::Entity::find_by_id(submitter).one(db).await?
        && !account.is_disabled
    {
        found.push((account.email, account.unit_id));
    }
    let place = |unit: Option<i64>| units.iter().position(|one| Some(*one) == unit).unwrap_or(usize::MAX);
    found.sort_by_cached_key(|(address, unit)| (place(*unit), address.clone()));
    let mut seen = HashSet::new();
    found.retain(|(address, _)| seen.insert(address.clone()));
    Ok(found)
}

/// Checks whether no mail may go to an address: it belongs to an account that is disabled or expired, and to no unit.
pub async fn is_dead<C: ConnectionTrait>(db: &C, address: &str, zone: Tz, now: DateTime<Utc>) -> Result<bool> {
    let Some(found) = account::Entity::find().filter(account::Column::Email.eq(address)).one(db).await? else {
        return Ok(false);
    };
    let is_over = found.valid_until.is_some_and(|day| day < calendar::local_day(now, zone));
    if !found.is_disabled && !is_over {
        return Ok(false);
    }
    let of_unit = unit_address::Entity::find().filter(unit_address::Column::Address.eq(address)).one(db).await?;
    Ok(of_unit.is_none())
}

/// Queues a mail about an event in the transaction of the act that caused it, unless its cause is queued already.
pub async fn notify(db: &Transaction, notice: &Notice, (day, now): (NaiveDate, DateTime<Utc>)) -> Result<()> {
    // The outbox shows the reason that a user gave.
    let reason = notice.facts.get("reason").and_then(serde_json::Value::as_str).unwrap_or_default();
    let row = mail::ActiveModel {
        cause: Set(notice.cause.clone()),
        unit_id: Set(notice.unit),
        case_id: Set(notice.case),
        reason: Set(reason.to_owned()),
        facts: Set(notice.facts.to_string()),
        ..queued_row(notice.kind, &notice.recipient, day, now)
    };
    let inserted = mail::Entity::insert(row).on_conflict_do_nothing_on([mail::Column::Cause]).exec(db).await?;
    let TryInsertResult::Inserted(inserted) = inserted else { return Ok(()) };
    let items = notice.items.iter().map(|(measure, assignment)| mail_item::ActiveModel {
        mail_id: Set(inserted.last_insert_id),
        measure_id: Set(Some(*measure)),
        assignment_id: Set(*assignment),
        due_on: Set(None),
        ..Default::default()
    });
    Ok(database::insert_all(db, items).await?)
}

/// Removes the address of a person and what a mail says of them from the mails that match a condition, and cancels
/// those that are still to be sent. `address` stands in place of the address. Returns the number of mails.
pub(crate) async fn forget(db: &Transaction, of_person: Condition, address: &str) -> Result<usize> {
    let mails = mail::Entity::find().filter(of_person).all(db).await?;
    let count = mails.len();
    for found in mails {
        let waits = matches!(found.state, MailState::Queued | MailState::Failed);
        let change = mail::ActiveModel {
            id: Set(found.id),
            // Still unique, but without the address.
            cause: Set(format!("erased:{}", found.id)),
            reason: Set(found.reason.replace(&found.recipient, address)),
            facts: Set("{}".to_owned()),
            recipient: Set(address.to_owned()),
            state: Set(if waits { MailState::Cancelled } else { found.state }),
            last_error: Set(None),
            ..Default::default()
        };
        mail::Entity::update(change).exec(db).await?;
    }
    Ok(count)
}

/// A mail that this sender has claimed. The sender can record its outcome as long as no other has claimed it since.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The mail.
    pub mail: mail::Model,
    lease: String,
}

/// Claims the next mail that is queued for `due_by` or earlier, or whose lease has expired by `now`. Returns `None` if
/// there is no such mail.
///
/// `token` distinguishes this sender's claims from all others. Mails in `tried` are left for another run.
pub async fn claim(
    db: &DatabaseConnection,
    due_by: DateTime<Utc>,
    now: DateTime<Utc>,
    token: &str,
    tried: &[i64],
) -> Result<Option<Claimed>> {
    let transaction = database::begin(db).await?;
    let due = Condition::any()
        .add(
            Condition::all()
                .add(mail::Column::State.eq(MailState::Queued))
                .add(mail::Column::NextAttemptAt.lte(due_by)),
        )
        .add(Condition::all().add(mail::Column::State.eq(MailState::Sending)).add(mail::Column::LeasedUntil.lt(now)));
    let found = mail::Entity::find()
        .filter(due)
        .filter(mail::Column::Id.is_not_in(tried.iter().copied()))
        .order_by_asc(mail::Column::NextAttemptAt)
        .order_by_asc(mail::Column::Id)
        .lock_with_behavior(sea_orm::sea_query::LockType::Update, sea_orm::sea_query::LockBehavior::SkipLocked)
        .one(&transaction)
        .await?;
    let Some(found) = found else { return Ok(None) };
    // A claim counts as an attempt even if its sender never reports back.
    let lease = format!("{token}:{}", found.attempts + 1);
    mail::Entity::update_many()
        .set(mail::ActiveModel {
            state: Set(MailState::Sending),
            attempts: Set(found.attempts + 1),
            lease: Set(Some(lease.clone())),
            leased_until: Set(Some(now + LEASE)),
            ..Default::default()
        })
        .filter(mail::Column::Id.eq(found.id))
        .exec(&transaction)
        .await?;
    transaction.commit().await?;
    let mail = mail::Model { attempts: found.attempts + 1, ..found };
    Ok(Some(Claimed { mail, lease }))
}

/// The outcome of a claimed mail.
#[derive(Debug, Clone)]
pub enum Fate {
    /// A server has accepted it, with this subject.
    Sent(String),
    /// Nothing was left to say, for this reason.
    Cancelled(String),
    /// It failed for now, with this error. It is retried after a pause, or parked if this was the last attempt.
    Retry(String),
    /// It failed for good, with this error.
    Refused(String),
}

/// Records the outcome of a claimed mail. Returns false if another sender has claimed the mail in the meantime.
pub async fn settle(db: &DatabaseConnection, claimed: &Claimed, fate: Fate, now: DateTime<Utc>) -> Result<bool> {
    let mut row = mail::ActiveModel { lease: Set(None), leased_until: Set(None), ..Default::default() };
    match fate {
        Fate::Sent(subject) => {
            row.state = Set(MailState::Sent);
            row.subject = Set(subject);
            row.sent_at = Set(Some(now));
            row.last_error = Set(None);
        }
        Fate::Cancelled(reason) => {
            row.state = Set(MailState::Cancelled);
            row.reason = Set(reason);
        }
        Fate::Retry(error) if claimed.mail.attempts < MAX_ATTEMPTS => {
            row.state = Set(MailState::Queued);
            row.last_error = Set(Some(error));
            row.next_attempt_at = Set(now + pause(claimed.mail.attempts, claimed.mail.id));
        }
        Fate::Retry(error) | Fate::Refused(error) => {
            row.state = Set(MailState::Failed);
            row.last_error = Set(Some(error));
        }
    }
    let done = mail::Entity::update_many()
        .set(row)
        .filter(mail::Column::Id.eq(claimed.mail.id))
        .filter(mail::Column::Lease.eq(claimed.lease.as_str()))
        .exec(db)
        .await?;
    Ok(done.rows_affected == 1)
}

/// Returns the pause before the next attempt: one minute, then twice as long each time, at most six hours. Adds up to a
/// quarter of it, depending on the mail's key, so that mails that failed together are not all retried together.
fn pause(attempts: i32, key: i64) -> TimeDelta {
    let minutes = 2_i64.saturating_pow(attempts.clamp(1, 10).unsigned_abs() - 1).min(360);
    let jitter = key.rem_euclid(16) * minutes * 60 / 64;
    TimeDelta::seconds(minutes * 60 + jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_at_six_hours() {
        let pauses: Vec<i64> = (1..=12).map(|attempts| pause(attempts, 0).num_minutes()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]);
        assert!(pause(3, 15) > pause(3, 0) && pause(3, 15) <= TimeDelta::minutes(5));
    }
}
