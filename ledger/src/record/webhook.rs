//! The queue of messages to other systems: senders claim the next message to a receiver, and record what became of it.
//!
//! A receiver gets one message at a time, in the order in which they were queued; the lock on its row decides who sends
//! the next. A message that fails is retried after growing pauses and finally parked. After a failure the receiver is
//! left alone for a pause that grows with the number of failures in a row, so that one that is away is neither flooded
//! nor charged an attempt of every message. One that fails for days is disabled, and administrators are told.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::webhook::{self, WebhookKind};
use entity::webhook_delivery::{self, Column, DeliveryState};
use planner::Sql;
use sea_orm::sea_query::{Expr, ExprTrait, LockType, Query};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, FromQueryResult,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::{Value, json};

use crate::Result;
use crate::record::database::{self, Transaction};
use crate::record::queue::{MAX_ATTEMPTS, MAX_PAUSE, Queue, pause};
use crate::record::{outage, outbox};
use crate::rule::calendar;

/// The queue of messages to other systems.
pub static QUEUE: Queue = Queue::new("rectify_webhook");

/// How long a sender may take for a message, before another may send it. It is more than an answer may take.
const LEASE: TimeDelta = TimeDelta::minutes(1);
/// How long a receiver may fail before it is disabled.
pub const PATIENCE: TimeDelta = TimeDelta::days(3);
/// The most messages that a robot of a group takes within [`WINDOW`], as WeCom and DingTalk document.
const MAX_OF_ROBOT: usize = 20;
/// The period in which the messages to a robot are counted: a minute, and a second for clocks that differ.
const WINDOW: TimeDelta = TimeDelta::seconds(61);
/// How far the clocks of two processes may differ.
const SKEW: TimeDelta = TimeDelta::minutes(1);

/// The condition of the index of waiting messages, as the migration spells it.
const WAITING: &str = "state IN ('QUEUED', 'SENDING')";

/// A message to be queued.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// The key of the receiver.
    pub(crate) webhook: i64,
    /// The unique cause: a second message with the same cause is not queued.
    pub(crate) cause: String,
    /// The kind of the event.
    pub(crate) event: &'static str,
    /// What happened, a JSON object.
    pub(crate) data: Value,
}

/// Queues messages in the transaction of the act that caused them, unless their causes are queued already. All of them
/// by one statement; none without messages.
pub(crate) async fn queue(db: &Transaction, messages: Vec<Message>, now: DateTime<Utc>) -> Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    let rows = messages.into_iter().map(|message| webhook_delivery::ActiveModel {
        webhook_id: Set(message.webhook),
        payload: Set(json!({ "type": message.event, "timestamp": moment(now), "data": message.data }).to_string()),
        cause: Set(message.cause),
        event: Set(message.event.to_owned()),
        state: Set(DeliveryState::Queued),
        attempts: Set(0),
        next_attempt_at: Set(now),
        created_at: Set(now),
        ..Default::default()
    });
    webhook_delivery::Entity::insert_many(rows)
        .on_conflict_do_nothing_on([Column::Cause])
        .exec_without_returning(db)
        .await?;
    db.wake(&QUEUE);
    Ok(())
}

/// Returns a moment as messages spell it.
fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A receiver for which messages wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// The key of the receiver.
    pub webhook: i64,
    /// When the next message may be sent to it.
    pub from: DateTime<Utc>,
}

/// Returns the enabled receivers for which messages wait.
pub async fn waiting<C: ConnectionTrait>(db: &C) -> Result<Vec<Waiting>> {
    #[derive(FromQueryResult)]
    struct Row {
        id: i64,
        resumes_at: DateTime<Utc>,
        next: Option<DateTime<Utc>>,
    }
    // The first of one range of the index, for each receiver.
    let next = Query::select()
        .column(Column::NextAttemptAt)
        .from(webhook_delivery::Entity)
        .and_where(Expr::col(Column::WebhookId).eq(Expr::col((webhook::Entity, webhook::Column::Id))))
        .and_where(Expr::cust(WAITING))
        .order_by(Column::NextAttemptAt, sea_orm::Order::Asc)
        .limit(1)
        .to_owned();
    let rows = webhook::Entity::find()
        .select_only()
        .columns([webhook::Column::Id, webhook::Column::ResumesAt])
        .expr_as(next, "next")
        .filter(webhook::Column::IsEnabled.eq(true))
        .order_by_asc(webhook::Column::Id)
        .into_model::<Row>()
        .all(db)
        .await?;
    let of = |row: Row| Some(Waiting { webhook: row.id, from: Ord::max(row.next?, row.resumes_at) });
    Ok(rows.into_iter().filter_map(of).collect())
}

/// Takes back moments that a clock which was ahead has left: of messages that were never tried and are due in the
/// future, and pauses and leases longer than any can be, also of receivers. Returns the number of rows; they are due
/// now.
pub async fn take_back(db: &DatabaseConnection, now: DateTime<Utc>) -> Result<u64> {
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let (soon, leased) = (sql.bind(now + SKEW), sql.bind(now + SKEW + LEASE));
    let (late, due) = (sql.bind(now + SKEW + MAX_PAUSE * 5 / 4), sql.bind(now));
    let text = format!(
        "UPDATE webhook_delivery SET next_attempt_at = {due} WHERE {WAITING} AND next_attempt_at > {soon} \
         AND (next_attempt_at > {late} OR (state = 'QUEUED' AND attempts = 0) \
         OR (state = 'SENDING' AND next_attempt_at > {leased}))"
    );
    let messages = db.execute_raw(sql.statement(text)).await?.rows_affected();
    let longest = Ord::max(outage::pause(i32::MAX), WINDOW);
    let receivers = webhook::Entity::update_many()
        .set(webhook::ActiveModel { resumes_at: Set(now), ..Default::default() })
        .filter(webhook::Column::ResumesAt.gt(now + SKEW + longest))
        .exec(db)
        .await?
        .rows_affected;
    Ok(messages + receivers)
}

/// A message that a sender has claimed, with its receiver.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The receiver.
    pub webhook: webhook::Model,
    /// The message as it waited.
    pub delivery: webhook_delivery::Model,
}

impl Claimed {
    /// Returns the id of the message, which is the same in every attempt.
    pub fn id(&self) -> String {
        format!("delivery_{}", self.delivery.id)
    }
}

/// Claims the next message to a receiver that is due by `now`; none while another sender is at work on it, and while
/// the receiver is disabled or left alone.
///
/// A claim counts as an attempt even if its sender never reports back; if that was the last one, the message is parked.
pub async fn claim(db: &DatabaseConnection, key: i64, lease: &str, now: DateTime<Utc>) -> Result<Option<Claimed>> {
    let transaction = database::begin(db).await?;
    let receiver = webhook::Entity::find_by_id(key)
        .filter(webhook::Column::IsEnabled.eq(true))
        .filter(webhook::Column::ResumesAt.lte(now))
        // Acts that queue messages refer to the row meanwhile, so its key must not be locked.
        .lock(LockType::NoKeyUpdate)
        .one(&transaction)
        .await?;
    let Some(receiver) = receiver else { return Ok(None) };
    let waiting = || webhook_delivery::Entity::find().filter(Column::WebhookId.eq(key)).filter(Expr::cust(WAITING));
    let in_hand = waiting().filter(Column::State.eq(DeliveryState::Sending)).filter(Column::NextAttemptAt.gte(now));
    if in_hand.one(&transaction).await?.is_some() {
        return Ok(None);
    }
    let next = || waiting().filter(Column::NextAttemptAt.lte(now)).order_by_asc(Column::NextAttemptAt);
    let delivery = loop {
        let Some(delivery) = next().order_by_asc(Column::Id).one(&transaction).await? else {
            transaction.commit().await?;
            return Ok(None);
        };
        if delivery.state != DeliveryState::Sending || delivery.attempts < MAX_ATTEMPTS {
            break delivery;
        }
        park(&transaction, delivery.id).await?;
    };
    if let Some(until) = full_until(&transaction, &receiver, now).await? {
        let rests = webhook::ActiveModel { id: Set(key), resumes_at: Set(until), ..Default::default() };
        rests.update(&transaction).await?;
        transaction.commit().await?;
        return Ok(None);
    }
    let claimed = webhook_delivery::ActiveModel {
        id: Set(delivery.id),
        state: Set(DeliveryState::Sending),
        lease: Set(Some(lease.to_owned())),
        attempts: Set(delivery.attempts + 1),
        attempted_at: Set(Some(now)),
        next_attempt_at: Set(now + LEASE),
        ..Default::default()
    };
    let delivery = claimed.update(&transaction).await?;
    transaction.commit().await?;
    Ok(Some(Claimed { webhook: receiver, delivery }))
}

/// Parks a message whose sender has not reported back from the last attempt.
async fn park(db: &Transaction, key: i64) -> Result<()> {
    let parked = webhook_delivery::ActiveModel {
        id: Set(key),
        state: Set(DeliveryState::Failed),
        status: Set(None),
        answer: Set(None),
        last_error: Set(Some("最后一次推送没有结果：推送的程序中途停止".to_owned())),
        ..Default::default()
    };
    parked.update(db).await?;
    Ok(())
}

/// Returns until when a robot takes no more messages, if it has had as many within the last minute as it takes.
async fn full_until(db: &Transaction, receiver: &webhook::Model, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>> {
    if receiver.kind == WebhookKind::Standard {
        return Ok(None);
    }
    let tried: Vec<DateTime<Utc>> = webhook_delivery::Entity::find()
        .select_only()
        .column(Column::AttemptedAt)
        .filter(Column::WebhookId.eq(receiver.id))
        .filter(Column::AttemptedAt.gt(now - WINDOW))
        // What a clock that was ahead has left says nothing about this minute.
        .filter(Column::AttemptedAt.lte(now + SKEW))
        .order_by_desc(Column::AttemptedAt)
        .limit(MAX_OF_ROBOT as u64)
        .into_tuple()
        .all(db)
        .await?;
    Ok(tried.last().filter(|_| tried.len() == MAX_OF_ROBOT).map(|first| *first + WINDOW))
}

/// The answer of a receiver, or what was wrong with the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The HTTP status; none if there was no answer.
    pub status: Option<u16>,
    /// The beginning of the answer, masked; none if there was no answer.
    pub answer: Option<String>,
    /// Why the attempt failed; none if the receiver accepted the message.
    pub error: Option<String>,
}

impl Outcome {
    /// Checks whether the receiver said that it is gone for good (410), and wants no more messages.
    fn is_gone(&self) -> bool {
        self.status == Some(410)
    }
}

/// Records the outcome of a claimed message. `zone` is the ledger's time zone.
///
/// If another sender has claimed the message in the meantime, nothing is recorded.
pub async fn settle(
    db: &DatabaseConnection,
    claimed: &Claimed,
    outcome: &Outcome,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<()> {
    let transaction = database::begin(db).await?;
    let found = webhook::Entity::find_by_id(claimed.webhook.id);
    let found = found.lock(LockType::NoKeyUpdate).one(&transaction).await?;
    // Deleted meanwhile, with its messages.
    let Some(receiver) = found else { return Ok(()) };
    let delivery = &claimed.delivery;
    let is_last = delivery.attempts >= MAX_ATTEMPTS;
    let mut row = webhook_delivery::ActiveModel {
        status: Set(outcome.status.map(i32::from)),
        answer: Set(outcome.answer.clone()),
        last_error: Set(outcome.error.clone()),
        ..Default::default()
    };
    if outcome.error.is_none() {
        row.state = Set(DeliveryState::Delivered);
        row.delivered_at = Set(Some(now));
    } else {
        row.state = Set(if is_last { DeliveryState::Failed } else { DeliveryState::Queued });
        row.next_attempt_at = Set(now + pause(delivery.attempts, delivery.id));
    }
    let done = webhook_delivery::Entity::update_many()
        .set(row)
        .filter(Column::Id.eq(delivery.id))
        .filter(Column::Lease.eq(delivery.lease.clone()))
        .filter(Column::State.eq(DeliveryState::Sending))
        .exec(&transaction)
        .await?;
    if done.rows_affected == 0 {
        tracing::warn!(message = claimed.id(), "the lease on a message was lost: another process delivers it");
        return Ok(());
    }
    // What became of a message to an earlier address, or to a receiver that was disabled meanwhile, says nothing about
    // the receiver as it is now.
    if receiver.is_enabled && receiver.url == claimed.webhook.url {
        note_health(&transaction, receiver, outcome, (now, zone)).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// Records whether a receiver takes messages, and disables one that has failed for too long.
async fn note_health(
    db: &Transaction,
    receiver: webhook::Model,
    outcome: &Outcome,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<()> {
    let mut row = webhook::ActiveModel { id: Set(receiver.id), ..Default::default() };
    let Some(error) = &outcome.error else {
        if receiver.failing_since.is_some() {
            row.failures = Set(0);
            row.failing_since = Set(None);
            row.update(db).await?;
            tracing::info!(webhook = receiver.id, name = receiver.name, "the receiver takes messages again");
        }
        return Ok(());
    };
    // Not the moment of a clock that was ahead.
    let since = receiver.failing_since.map_or(now, |since| Ord::min(since, now));
    row.failures = Set(receiver.failures + 1);
    row.failing_since = Set(Some(since));
    row.resumes_at = Set(now + outage::pause(receiver.failures));
    if receiver.failing_since.is_none() {
        tracing::warn!(webhook = receiver.id, name = receiver.name, error, "a receiver takes no messages");
    }
    if outcome.is_gone() || now - since >= PATIENCE {
        row.is_enabled = Set(false);
        row.stopped_at = Set(Some(now));
        tracing::error!(webhook = receiver.id, name = receiver.name, error, "a receiver was disabled automatically");
        let facts = json!({ "name": receiver.name, "since": since.with_timezone(&zone).to_rfc3339(), "reason": error });
        let cause = format!("{}:{}", receiver.id, now.timestamp_micros());
        let at = (calendar::local_day(now, zone), now);
        outbox::notify_administrators(db, "webhook-stopped", (&cause, &facts), at).await?;
    }
    row.update(db).await?;
    Ok(())
}

/// Returns since when receivers fail, the longest first: of enabled ones, and of those that were disabled for it.
pub async fn failing<C: ConnectionTrait>(db: &C) -> Result<Vec<DateTime<Utc>>> {
    let since: Vec<Option<DateTime<Utc>>> = webhook::Entity::find()
        .select_only()
        .column(webhook::Column::FailingSince)
        .filter(webhook::Column::FailingSince.is_not_null())
        .order_by_asc(webhook::Column::FailingSince)
        .into_tuple()
        .all(db)
        .await?;
    Ok(since.into_iter().flatten().collect())
}
