//! Digests that people have switched off for their own address. Those to the official address of a unit are orders,
//! which cannot be switched off.

use chrono::{DateTime, Utc};
use entity::mail::Priority;
use entity::reminder_rule::ReminderKind;
use entity::{account, mail, muted_mail, unit_address};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, Iterable, PaginatorTrait,
    QueryFilter,
};
use serde_json::json;

use super::account::{hold, note};
use crate::Result;
use crate::fault::{Fault, FaultCode};
use crate::record::audit::{self, By, Entry};
use crate::record::database;
use crate::record::database::Transaction;
use crate::record::link_key::LinkKey;
use crate::reminder::name_of;
use crate::rule::wording::masked_address;
use crate::work::Acting;

/// Returns the kinds of digests, which are also the names of the jobs that write them.
fn digests() -> impl Iterator<Item = &'static str> {
    ReminderKind::iter().map(name_of)
}

/// A kind of digest, and whether the caller has switched it off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The kind, such as `due-soon`.
    pub kind: &'static str,
    /// Whether it is switched off.
    pub is_muted: bool,
}

/// Returns which digests the caller has switched off for the address of their account; empty without an account.
pub async fn settings(acting: &Acting<'_>) -> Result<Vec<Setting>> {
    let Some(account) = acting.by.principal.account else { return Ok(Vec::new()) };
    let Some(account) = account::Entity::find_by_id(account).one(acting.db).await? else { return Ok(Vec::new()) };
    let muted = muted_mail::Entity::find().filter(muted_mail::Column::Address.eq(account.email)).all(acting.db).await?;
    let setting = |kind| Setting { kind, is_muted: muted.iter().any(|row| row.kind == kind) };
    Ok(digests().map(setting).collect())
}

/// Switches a kind of digest off, or on again, for the address of the caller's account.
pub async fn set(acting: &Acting<'_>, kind: &str, is_muted: bool) -> Result<()> {
    let by = &acting.by.principal;
    by.in_person()?;
    let own = by.own_account().ok_or_else(|| {
        let (zh, en) = ("未登录，没有自己的邮箱", "you are not signed in, so there is no address of your own");
        Fault::new(FaultCode::NotAllowed, zh, en, &["input"])
    })?;
    let Some(kind) = digests().find(|known| *known == kind) else {
        let (zh, en) = (format!("没有名为 {kind} 的提醒"), format!("there is no digest of the kind {kind}"));
        return Err(Fault::invalid(zh, en, &["input", "kind"]).into());
    };
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, own).await?;
    let Some(account) = account::Entity::find_by_id(own).one(&transaction).await? else { return Ok(()) };
    if is_muted {
        mute(&transaction, &account.email, kind, acting.now).await?;
    } else {
        muted_mail::Entity::delete_many().filter(of(&account.email, kind)).exec(&transaction).await?;
    }
    let after = json!({ "digest": kind, "isMuted": is_muted });
    note(&transaction, acting.by, own, "DIGEST_SET", after, acting.now).await?;
    Ok(transaction.commit().await?)
}

/// Returns the token by which the holder of a mail switches its kind off, with one click (RFC 8058).
pub fn token(key: &LinkKey, mail: i64, until: DateTime<Utc>) -> String {
    key.sign(&format!("unsubscribe.mail_{mail}"), until)
}

/// What the token of a link to unsubscribe names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The kind of digest, such as `due-soon`.
    pub kind: String,
    /// The masked address that the mail went to.
    pub address: String,
    /// Whether it is switched off.
    pub is_muted: bool,
}

/// Returns what a token names; `None` if it is wrong or has expired, or names a mail that no longer exists or is none
/// that can be switched off.
pub async fn follow<C: ConnectionTrait>(
    db: &C,
    key: &LinkKey,
    token: &str,
    now: DateTime<Utc>,
) -> Result<Option<Subscription>> {
    let Some(mail) = named(db, key, token, now).await? else { return Ok(None) };
    let is_muted = muted_mail::Entity::find().filter(of(&mail.recipient, &mail.kind)).count(db).await? > 0;
    Ok(Some(Subscription { address: masked_address(&mail.recipient), kind: mail.kind, is_muted }))
}

/// Switches off the kind of a mail for its address, as whoever holds the mail. Returns false if [`follow`] finds
/// nothing. Doing it again changes nothing.
pub async fn unsubscribe(acting: &Acting<'_>, key: &LinkKey, token: &str) -> Result<bool> {
    let transaction = database::begin(acting.db).await?;
    let Some(mail) = named(&transaction, key, token, acting.now).await? else { return Ok(false) };
    if mute(&transaction, &mail.recipient, &mail.kind, acting.now).await? {
        let by = By { mail_holder: Some(masked_address(&mail.recipient)), session: None, ..acting.by.clone() };
        let after = json!({ "digest": mail.kind, "isMuted": true });
        let noted = Entry::of("DIGEST_SET", format!("mail_{}", mail.id)).changed(json!({}), after);
        audit::note(&transaction, &by, noted, acting.now).await?;
    }
    transaction.commit().await?;
    Ok(true)
}

/// Returns the mail of a token, if it is a digest that its holder may switch off.
async fn named<C: ConnectionTrait>(
    db: &C,
    key: &LinkKey,
    token: &str,
    now: DateTime<Utc>,
) -> Result<Option<mail::Model>> {
    let Ok(followed) = key.read(token, now) else { return Ok(None) };
    let Some(mail) = followed.what.strip_prefix("unsubscribe.mail_").and_then(|key| key.parse::<i64>().ok()) else {
        return Ok(None);
    };
    let found = mail::Entity::find_by_id(mail).one(db).await?.filter(|mail| mail.priority == Priority::Digest);
    let Some(mail) = found else { return Ok(None) };
    let of_units = unit_address::Entity::find().filter(unit_address::Column::Address.eq(&mail.recipient));
    Ok((of_units.count(db).await? == 0).then_some(mail))
}

/// Switches a kind off for an address; returns false if it was off before.
async fn mute(db: &Transaction, address: &str, kind: &str, now: DateTime<Utc>) -> Result<bool> {
    if muted_mail::Entity::find().filter(of(address, kind)).count(db).await? > 0 {
        return Ok(false);
    }
    let row = muted_mail::ActiveModel {
        address: Set(address.to_owned()),
        kind: Set(kind.to_owned()),
        muted_at: Set(now),
        ..Default::default()
    };
    row.insert(db).await?;
    Ok(true)
}

fn of(address: &str, kind: &str) -> Condition {
    Condition::all().add(muted_mail::Column::Address.eq(address)).add(muted_mail::Column::Kind.eq(kind))
}
