//! Maintenance of the receivers of messages to other systems (接口推送): entering and editing them, their secrets, a
//! test, and sending a message again.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chrono::TimeDelta;
use entity::webhook::{self, WebhookKind};
use entity::webhook_delivery::{self, DeliveryState};
use sea_orm::{ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use url::{Host, Url};

use super::region::live;
use super::shared::{difference, note_own, only_one, permit_anywhere, take_row};
use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::patch::Patch;
use crate::people::policy::Act;
use crate::random;
use crate::record::audit::Entry;
use crate::record::database::{self, Transaction};
use crate::record::webhook::{Message, QUEUE, queue};
use crate::work::Acting;
use crate::work::event::Event;

/// The kind of the message that tries a receiver; it is about no event.
pub const TEST: &str = "test";

/// How long the secret before a rotation signs as well, so that receivers have time to take the new one.
const OVERLAP: TimeDelta = TimeDelta::days(1);
/// The longest address, in characters.
const MAX_URL: usize = 1_000;

/// A receiver to enter.
#[derive(Debug, Clone)]
pub struct New {
    /// The name by which administrators know it, unique.
    pub name: String,
    /// The shape of its messages.
    pub kind: WebhookKind,
    /// The address to which messages are posted.
    pub url: String,
    /// The secret of a robot that expects signatures; a standard receiver is given one.
    pub secret: Option<String>,
    /// The events that it is told of; empty for all.
    pub events: Vec<Event>,
    /// The key of the region to which it is restricted, `Some(None)` if that is none; `None` for the whole ledger.
    pub region: Option<Option<i64>>,
}

/// Changes to a receiver.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The name.
    pub name: Patch<String>,
    /// The address.
    pub url: Patch<String>,
    /// The events that it is told of; empty for all.
    pub events: Patch<Vec<Event>>,
    /// The region to which it is restricted; `None` for the whole ledger.
    pub region: Patch<Option<Option<i64>>>,
    /// Whether it is told of events. Enabling it again forgets its failures; what still waits is sent.
    pub is_enabled: Patch<bool>,
}

/// Enters a receiver. Returns its key and, of a standard one, the secret, which is shown this once.
pub async fn create(acting: &Acting<'_>, new: New) -> Result<(i64, Option<String>)> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let (name, (url, shown_url), secret) =
        fault::all((name(&new.name), address(&new.url), secret(new.kind, new.secret)))?;
    let transaction = database::begin(acting.db).await?;
    let region = match new.region {
        Some(region) => Some(live(&transaction, region).await?.id),
        None => None,
    };
    let row = webhook::ActiveModel {
        name: Set(name),
        kind: Set(new.kind),
        url: Set(url),
        shown_url: Set(shown_url),
        secret: Set(secret.clone()),
        events: Set(stored(&new.events)),
        region_id: Set(region),
        is_enabled: Set(true),
        failures: Set(0),
        resumes_at: Set(acting.now),
        created_at: Set(acting.now),
        ..Default::default()
    };
    let row = only_one(row.insert(&transaction).await, taken)?;
    note(&transaction, acting, ("CREATED", row.id), (json!({}), state(&row))).await?;
    transaction.commit().await?;
    Ok((row.id, secret.filter(|_| row.kind == WebhookKind::Standard)))
}

/// Edits a receiver. Returns its key.
pub async fn edit(acting: &Acting<'_>, key: Option<i64>, changes: Changes) -> Result<i64> {
    let (transaction, row) = take(acting, key).await?;
    let there = (row.url.clone(), row.shown_url.clone());
    let (name, (url, shown_url)) = fault::all((
        changes.name.read(row.name.clone(), |given| name(&given)),
        changes.url.read(there, |given| address(&given)),
    ))?;
    let region = match changes.region {
        Patch::Keep => row.region_id,
        Patch::Set(None) => None,
        Patch::Set(Some(region)) => Some(live(&transaction, region).await?.id),
    };
    let is_enabled = changes.is_enabled.or(row.is_enabled);
    let has_moved = url != row.url;
    let mut edited = webhook::ActiveModel {
        id: Set(row.id),
        name: Set(name),
        url: Set(url),
        shown_url: Set(shown_url),
        events: Set(match changes.events {
            Patch::Keep => row.events.clone(),
            Patch::Set(events) => stored(&events),
        }),
        region_id: Set(region),
        is_enabled: Set(is_enabled),
        ..Default::default()
    };
    if has_moved || is_enabled != row.is_enabled {
        edited.failures = Set(0);
        edited.failing_since = Set(None);
        edited.stopped_at = Set(None);
        edited.resumes_at = Set(acting.now);
        transaction.wake(&QUEUE);
    }
    let now = only_one(edited.update(&transaction).await, taken)?;
    let (before, after) = (state(&row), state(&now));
    if has_moved || before != after {
        let (before, mut after) = difference(before, after).unwrap_or_else(|| (json!({}), json!({})));
        if has_moved {
            // Also where only the query has changed, which is not shown.
            after["url"] = now.shown_url.clone().into();
        }
        note(&transaction, acting, ("EDITED", row.id), (before, after)).await?;
    }
    transaction.commit().await?;
    Ok(row.id)
}

/// Deletes a receiver with its messages. Returns its key.
pub async fn delete(acting: &Acting<'_>, key: Option<i64>) -> Result<i64> {
    let (transaction, row) = take(acting, key).await?;
    webhook::Entity::delete_by_id(row.id).exec(&transaction).await?;
    note(&transaction, acting, ("DELETED", row.id), (state(&row), json!({}))).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Gives a receiver another secret. Returns its key and, of a standard one, the new secret, which is shown this once;
/// messages are signed with the earlier one too, for a day.
///
/// The new secret of a robot comes from its settings, and counts at once.
pub async fn rotate(acting: &Acting<'_>, key: Option<i64>, given: Option<String>) -> Result<(i64, Option<String>)> {
    let (transaction, row) = take(acting, key).await?;
    let next = secret(row.kind, given)?;
    let Some(next) = next else {
        let (zh, en) = match row.kind {
            WebhookKind::Dingtalk => ("请填写钉钉机器人“加签”的新密钥", "give the new secret of the DingTalk robot"),
            _ => (
                "企业微信机器人没有密钥，密钥在地址中：请修改地址",
                "a WeCom robot has no secret but its address: edit the address",
            ),
        };
        return Err(Fault::invalid(zh, en, &["input", "secret"]).into());
    };
    let is_standard = row.kind == WebhookKind::Standard;
    let changed = webhook::ActiveModel {
        id: Set(row.id),
        secret: Set(Some(next.clone())),
        previous_secret: Set(row.secret.clone().filter(|_| is_standard)),
        previous_until: Set(is_standard.then_some(acting.now + OVERLAP)),
        ..Default::default()
    };
    changed.update(&transaction).await?;
    note(&transaction, acting, ("SECRET_ROTATED", row.id), (json!({}), json!({}))).await?;
    transaction.commit().await?;
    Ok((row.id, is_standard.then_some(next)))
}

/// Queues a message that tries a receiver. Returns the key of the message.
pub async fn test(acting: &Acting<'_>, key: Option<i64>) -> Result<i64> {
    let (transaction, row) = take(acting, key).await?;
    is_on(&row, "webhookId")?;
    let cause = format!("{TEST}:{}:webhook_{}", acting.now.timestamp_micros(), row.id);
    let data = json!({ "id": format!("webhook_{}", row.id), "name": row.name });
    let message = Message { webhook: row.id, cause: cause.clone(), event: TEST, data };
    queue(&transaction, vec![message], acting.now).await?;
    let queued = webhook_delivery::Entity::find().filter(webhook_delivery::Column::Cause.eq(cause));
    let queued = queued.one(&transaction).await?.ok_or_else(|| fault::unknown(Thing::Delivery, &["input"]))?;
    // Whoever tries it has mended it, or wants to see what is wrong.
    let at_once = webhook::ActiveModel { id: Set(row.id), resumes_at: Set(acting.now), ..Default::default() };
    at_once.update(&transaction).await?;
    note(&transaction, acting, ("TESTED", row.id), (json!({}), json!({}))).await?;
    transaction.commit().await?;
    Ok(queued.id)
}

/// Queues a message again that was delivered or failed; it keeps its id. Returns its key.
pub async fn resend(acting: &Acting<'_>, key: Option<i64>) -> Result<i64> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let transaction = database::begin(acting.db).await?;
    let unknown = || fault::unknown(Thing::Delivery, &["input", "deliveryId"]);
    let found = webhook_delivery::Entity::find_by_id(key.unwrap_or_default()).one(&transaction).await?;
    let of = found.ok_or_else(unknown)?.webhook_id;
    // Senders lock the receiver first, too.
    let receiver = take_row::<webhook::Entity>(&transaction, Some(of), Thing::Delivery, "deliveryId").await?;
    let row = take_row::<webhook_delivery::Entity>(&transaction, key, Thing::Delivery, "deliveryId").await?;
    if !matches!(row.state, DeliveryState::Delivered | DeliveryState::Failed) {
        let (zh, en) = ("这条推送还在等待发送", "the delivery still waits to be sent");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input", "deliveryId"]).into());
    }
    is_on(&receiver, "deliveryId")?;
    let again = webhook_delivery::ActiveModel {
        id: Set(row.id),
        state: Set(DeliveryState::Queued),
        attempts: Set(0),
        next_attempt_at: Set(acting.now),
        ..Default::default()
    };
    again.update(&transaction).await?;
    let after = json!({ "delivery": format!("delivery_{}", row.id) });
    note(&transaction, acting, ("RESENT", receiver.id), (json!({}), after)).await?;
    transaction.wake(&QUEUE);
    transaction.commit().await?;
    Ok(row.id)
}

async fn take(acting: &Acting<'_>, key: Option<i64>) -> Result<(Transaction, webhook::Model)> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let transaction = database::begin(acting.db).await?;
    let row = take_row::<webhook::Entity>(&transaction, key, Thing::Webhook, "webhookId").await?;
    Ok((transaction, row))
}

fn is_on(row: &webhook::Model, field: &str) -> Result<()> {
    if row.is_enabled {
        return Ok(());
    }
    let (zh, en) = ("接口已停用，请先启用", "the webhook is disabled: enable it first");
    Err(Fault::new(FaultCode::WrongState, zh, en, &["input", field]).into())
}

async fn note(
    db: &Transaction,
    acting: &Acting<'_>,
    (act, key): (&str, i64),
    (before, after): (Value, Value),
) -> Result<()> {
    note_own(db, acting, Entry::of(act, format!("webhook_{key}")).changed(before, after)).await
}

fn name(given: &str) -> Result<String> {
    Ok(fault::name(given, 1..=60, ("名称", "the name"), &["input", "name"])?)
}

fn taken() -> Fault {
    let (zh, en) = ("已有同名的接口", "there is a webhook of this name already");
    Fault::new(FaultCode::Conflict, zh, en, &["input", "name"])
}

/// Checks an address. Returns it as it is used, and as it is shown: without its query, which may be a key.
fn address(given: &str) -> Result<(String, String)> {
    let path = ["input", "url"];
    let given = fault::line(given, 1..=MAX_URL, ("接口地址", "the address"), &path)?;
    let bad = || {
        let (zh, en) = (
            "接口地址应以 https:// 开头，不含用户名、密码和 # 之后的部分",
            "the address must begin with https:// and have no user, password or fragment",
        );
        Fault::invalid(zh, en, &path)
    };
    let url = Url::parse(&given).map_err(|_| bad())?;
    let is_named = matches!(url.host(), Some(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)));
    let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "https" | "http") || !is_named || !is_plain {
        return Err(bad().into());
    }
    let mut shown = url.clone();
    shown.set_query(url.query().map(|_| "…"));
    // The ellipsis is percent-encoded in an address.
    let shown = shown.to_string().replace("?%E2%80%A6", "?…");
    Ok((url.to_string(), shown))
}

/// Checks the secret of a robot, or draws that of a standard receiver.
fn secret(kind: WebhookKind, given: Option<String>) -> Result<Option<String>> {
    let path = ["input", "secret"];
    let given = given.filter(|given| !fault::is_empty(given));
    match (kind, given) {
        (WebhookKind::Standard, None) => Ok(Some(format!("whsec_{}", BASE64_STANDARD.encode(random::bytes::<32>()?)))),
        (WebhookKind::Dingtalk, Some(given)) => {
            Ok(Some(fault::line(&given, 10..=200, ("加签密钥", "the secret"), &path)?))
        }
        (WebhookKind::Wecom | WebhookKind::Dingtalk, None) => Ok(None),
        (WebhookKind::Standard | WebhookKind::Wecom, Some(_)) => {
            let (zh, en) = (
                "只有钉钉机器人的密钥由您填写；标准接口的密钥由系统生成",
                "only the secret of a DingTalk robot is given; that of a standard webhook is drawn by the system",
            );
            Err(Fault::invalid(zh, en, &path).into())
        }
    }
}

/// Returns the kinds of events as they are stored: with a comma before and after each; empty for all.
fn stored(events: &[Event]) -> String {
    let mut kinds: Vec<&str> = events.iter().map(|event| event.rule().kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.is_empty() { String::new() } else { format!(",{},", kinds.join(",")) }
}

/// Returns the fields of a receiver that the audit records.
fn state(row: &webhook::Model) -> Value {
    json!({
        "name": row.name, "kind": row.kind.to_value(), "url": row.shown_url, "events": row.events.trim_matches(','),
        "region": row.region_id.map(|region| format!("region_{region}")), "isEnabled": row.is_enabled,
    })
}
