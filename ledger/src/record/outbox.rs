//! The outbox: mails to be sent.
//!
//! A mail is queued in the transaction that causes it, under a unique cause, so that no cause is queued twice. As soon
//! as the transaction is committed, delivery is woken: on PostgreSQL in all processes, by a trigger of the table; on
//! SQLite within this process.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use entity::account::{self, Role};
use entity::mail::{MailState, Priority};
use entity::{mail, mail_item, muted_mail};
use planner::Sql;
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{
    ActiveEnum, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QueryTrait,
};
use serde_json::json;

use crate::Result;
use crate::record::database;
use crate::record::database::Transaction;
use crate::record::queue::Queue;
use crate::record::trace;
use crate::reminder::{Addressed, Digest, Item, Plan};

/// The queue of mails.
pub static QUEUE: Queue = Queue::new("rectify_mail");

/// How many digests are queued together.
const TOGETHER: usize = 100;

/// Queues the digests of a day, and returns how many were new. A digest that is queued already is not queued again.
///
/// All mails are written before their items. PostgreSQL plans the check of an item's mail once for the transaction, and
/// would read the whole table for each item if it were as good as empty then.
pub async fn enqueue(db: &Transaction, kind: &str, plan: &Plan, day: NaiveDate, now: DateTime<Utc>) -> Result<usize> {
    let mut new = HashMap::new();
    for part in plan.parts(TOGETHER) {
        new.extend(insert_digests(db, kind, part, (day, now)).await?);
    }
    if new.is_empty() {
        return Ok(0);
    }
    db.wake(&QUEUE);
    for part in plan.parts(TOGETHER) {
        let digests = part.iter().filter_map(|addressed| Some((*new.get(addressed.address())?, addressed.digest())));
        insert_items(db, digests).await?;
    }
    Ok(new.len())
}

/// Inserts the mails of digests by one statement. Returns the keys of the new ones by their addresses.
async fn insert_digests(
    db: &Transaction,
    kind: &str,
    digests: &[Addressed],
    (day, now): (NaiveDate, DateTime<Utc>),
) -> Result<Vec<(String, i64)>> {
    let rows = digests.iter().map(|addressed| {
        let digest = addressed.digest();
        let cause = format!("{kind}:{}:{day}", digest.recipient);
        json!([cause, digest.recipient, digest.unit, format!("{kind} {day}: {}", digest.items.len())])
    });
    let columns = [("cause", "text"), ("recipient", "text"), ("unit_id", "bigint"), ("reason", "text")];
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let rows = sql.rows(&rows.collect(), &columns);
    let (kind, day, now, trace) = (sql.bind(kind), sql.bind(day), sql.bind(now), sql.bind(trace::current()));
    // SQLite takes ON after a table for a join, unless a WHERE stands between.
    let text = format!(
        "INSERT INTO mail (cause, recipient, unit_id, reason, kind, local_day, subject, facts, state, priority, \
         attempts, next_attempt_at, created_at, trace) \
         SELECT cause, recipient, unit_id, reason, {kind}, {day}, '', '{{}}', 'QUEUED', {}, 0, {now}, {now}, {trace} \
         FROM {rows} AS digest WHERE true ON CONFLICT (cause) DO NOTHING RETURNING recipient, id",
        Priority::Digest.to_value()
    );
    let new = db.query_all_raw(sql.statement(text)).await?;
    Ok(new
        .iter()
        .map(|row| Ok((row.try_get("", "recipient")?, row.try_get("", "id")?)))
        .collect::<Result<_, DbErr>>()?)
}

/// Inserts the items of digests, each with the key of its mail, by one statement.
async fn insert_items(db: &Transaction, digests: impl Iterator<Item = (i64, Digest)>) -> Result<()> {
    let rows: serde_json::Value = digests
        .flat_map(|(mail, digest)| {
            let row = move |item: &Item| {
                let matter = item.matter;
                json!([mail, matter.measure(), matter.case(), matter.region(), item.assignment, item.due_on])
            };
            digest.items.iter().map(row).collect::<Vec<_>>()
        })
        .collect();
    let columns = [
        ("mail_id", "bigint"),
        ("measure_id", "bigint"),
        ("case_id", "bigint"),
        ("region_id", "bigint"),
        ("assignment_id", "bigint"),
        ("due_on", "date"),
    ];
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let rows = sql.rows(&rows, &columns);
    let names = columns.map(|(name, _)| name).join(", ");
    let text = format!("INSERT INTO mail_item ({names}) SELECT {names} FROM {rows} AS item");
    db.execute_raw(sql.statement(text)).await?;
    Ok(())
}

/// Inserts mails by one statement, except those whose cause is queued already. Returns the keys of the new ones by
/// their causes.
async fn queue(db: &Transaction, rows: Vec<mail::ActiveModel>) -> Result<HashMap<String, i64>> {
    let mut insert = mail::Entity::insert_many(rows).into_query();
    insert
        .on_conflict(OnConflict::column(mail::Column::Cause).do_nothing().to_owned())
        .returning(Query::returning().columns([mail::Column::Id, mail::Column::Cause]));
    let mut new = HashMap::new();
    for row in db.query_all(&insert).await? {
        new.insert(row.try_get("", "cause")?, row.try_get("", "id")?);
    }
    if !new.is_empty() {
        db.wake(&QUEUE);
    }
    Ok(new)
}

/// Returns the row of a mail to be sent as soon as possible. Its subject is set when the mail is written.
fn queued_row(
    (kind, priority): (&str, Priority),
    recipient: &str,
    day: NaiveDate,
    now: DateTime<Utc>,
) -> mail::ActiveModel {
    mail::ActiveModel {
        kind: Set(kind.to_owned()),
        recipient: Set(recipient.to_owned()),
        local_day: Set(day),
        subject: Set(String::new()),
        facts: Set("{}".to_owned()),
        state: Set(MailState::Queued),
        priority: Set(priority),
        attempts: Set(0),
        next_attempt_at: Set(now),
        created_at: Set(now),
        trace: Set(trace::current()),
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

/// Queues a mail about an event in the transaction of the act that caused it, unless its cause is queued already.
pub async fn notify(db: &Transaction, notice: &Notice, at: (NaiveDate, DateTime<Utc>)) -> Result<()> {
    notify_all(db, std::slice::from_ref(notice), at).await
}

/// Queues mails about an event like [`notify`]: all of them by one statement, and their items by another.
pub(crate) async fn notify_all(
    db: &Transaction,
    notices: &[Notice],
    (day, now): (NaiveDate, DateTime<Utc>),
) -> Result<()> {
    if notices.is_empty() {
        return Ok(());
    }
    let rows = notices.iter().map(|notice| {
        // The outbox shows the reason that a user gave.
        let reason = notice.facts.get("reason").and_then(serde_json::Value::as_str).unwrap_or_default();
        mail::ActiveModel {
            cause: Set(notice.cause.clone()),
            unit_id: Set(notice.unit),
            case_id: Set(notice.case),
            reason: Set(reason.to_owned()),
            facts: Set(notice.facts.to_string()),
            ..queued_row((notice.kind, Priority::AtOnce), &notice.recipient, day, now)
        }
    });
    let queued = queue(db, rows.collect()).await?;
    let mut items = Vec::new();
    for notice in notices {
        let Some(mail) = queued.get(&notice.cause) else { continue };
        for (measure, assignment) in &notice.items {
            items.push(mail_item::ActiveModel {
                mail_id: Set(*mail),
                measure_id: Set(Some(*measure)),
                assignment_id: Set(*assignment),
                due_on: Set(None),
                ..Default::default()
            });
        }
    }
    Ok(database::insert_all(db, items).await?)
}

/// Queues a notice of a kind to each administrator. `cause` is that of the event.
pub(crate) async fn notify_administrators(
    db: &Transaction,
    kind: &'static str,
    (cause, facts): (&str, &serde_json::Value),
    at: (NaiveDate, DateTime<Utc>),
) -> Result<()> {
    let administrators = account::Entity::find()
        .filter(account::Column::Role.eq(Role::Administrator))
        .filter(account::Column::IsDisabled.eq(false))
        .filter(account::Column::IsDemo.eq(false))
        .order_by_asc(account::Column::Id)
        .all(db)
        .await?;
    let notices = administrators.into_iter().map(|administrator| Notice {
        cause: format!("{kind}:{cause}:{}", administrator.email),
        kind,
        recipient: administrator.email,
        unit: administrator.unit_id,
        facts: facts.clone(),
        items: Vec::new(),
        case: None,
    });
    notify_all(db, &notices.collect::<Vec<_>>(), at).await
}

/// Removes the address of a person and what a mail says of them from the mails that match a condition, and cancels
/// those that are still to be sent. `address` stands in place of the address. Returns the number of mails.
pub(crate) async fn forget(db: &Transaction, of_person: Condition, address: &str) -> Result<usize> {
    let mails = mail::Entity::find().filter(of_person).all(db).await?;
    let count = mails.len();
    let recipients: HashSet<&str> = mails.iter().map(|mail| mail.recipient.as_str()).collect();
    muted_mail::Entity::delete_many().filter(muted_mail::Column::Address.is_in(recipients)).exec(db).await?;
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
