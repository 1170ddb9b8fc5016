//! Addresses to which no mail is sent: entering and lifting them, and the reports of mails that came back.

use chrono::{DateTime, TimeDelta, Utc};
use entity::mail::{self, MailState};
use entity::suppression::{self, SuppressionReason};
use entity::unit;
use entity::unit_address;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, JoinType, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde_json::json;

use super::input::optional_line;
use super::shared::{note_own, permit_anywhere, take_row};
use crate::Result;
use crate::fault::{Fault, FaultCode, Thing};
use crate::people::policy::Act;
use crate::record::audit::Entry;
use crate::record::database;
use crate::record::database::Transaction;
use crate::record::link_key::LinkKey;
use crate::record::message_id;
use crate::record::outbox;
use crate::rule::wording::{masked_address, shortened};
use crate::unit::{address_in_ascii, normal_address};
use crate::work::Acting;

/// The longest detail, in characters.
const DETAIL: usize = 500;
/// How long after a mail was sent a notification that it came back is taken.
const GIVEN_UP: TimeDelta = TimeDelta::days(14);

/// An address to suppress.
#[derive(Debug, Clone)]
pub struct New {
    /// The mail address.
    pub address: String,
    /// Why nothing is sent to it any more.
    pub reason: SuppressionReason,
    /// What the mail server or a person said about it.
    pub detail: Option<String>,
}

/// Suppresses an address: no mail is sent to it until this is lifted. Returns the key of the suppression.
pub async fn suppress(acting: &Acting<'_>, new: New) -> Result<i64> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let (address, detail) = read(&new.address, new.detail)?;
    let transaction = database::begin(acting.db).await?;
    if find(&transaction, &address).await?.is_some() {
        let zh = format!("{address} 已在停止投递名单中");
        let en = format!("{address} is suppressed already");
        return Err(Fault::new(FaultCode::Conflict, zh, en, &["input", "address"]).into());
    }
    let row = enter(&transaction, acting, (address, new.reason, detail)).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Lifts the suppression of an address, so that mails are sent to it again. Returns its key.
pub async fn lift(acting: &Acting<'_>, suppression: Option<i64>) -> Result<i64> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let transaction = database::begin(acting.db).await?;
    let row = take_row::<suppression::Entity>(&transaction, suppression, Thing::Suppression, "suppressionId").await?;
    suppression::Entity::delete_by_id(row.id).exec(&transaction).await?;
    let before = json!({ "address": masked_address(&row.address), "reason": row.reason.to_value() });
    let said = Entry::of("SUPPRESSION_LIFTED", format!("suppression_{}", row.id)).changed(before, json!({}));
    note_own(&transaction, acting, said).await?;
    transaction.commit().await?;
    Ok(row.id)
}

/// Returns the key of the suppression of an address, if there is one.
pub async fn of_address(acting: &Acting<'_>, address: &str) -> Result<Option<i64>> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let (address, _) = read(address, None)?;
    let found = suppression::Entity::find().filter(suppression::Column::Address.eq(address)).one(acting.db).await?;
    Ok(found.map(|row| row.id))
}

/// Reports that a mail to an address came back. If it came back for good, the address is suppressed and administrators
/// are told by mail; a mailbox that is full or a server that is away for a while is only recorded in the log.
///
/// Returns the key of the suppression, also if there was one before; `None` if the address stays in use.
pub async fn report_bounce(
    acting: &Acting<'_>,
    address: &str,
    is_hard: bool,
    detail: Option<String>,
) -> Result<Option<i64>> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let (address, detail) = read(address, detail)?;
    let transaction = database::begin(acting.db).await?;
    let id = came_back(&transaction, acting, (address, is_hard, detail)).await?;
    transaction.commit().await?;
    Ok(id)
}

/// What a mail server says of a mail that it could not deliver.
#[derive(Debug, Clone)]
pub struct Bounce {
    /// The Message-IDs by which the notification refers to the mail.
    pub message_ids: Vec<String>,
    /// The recipients to whom the mail was not delivered; at least one.
    pub failures: Vec<Undelivered>,
}

/// A recipient to whom a mail was not delivered. One mail may have several, where an address is a list of others.
#[derive(Debug, Clone)]
pub struct Undelivered {
    /// The address that the mail was sent to, and the one at which it arrived, as the notification spells them.
    pub addresses: Vec<String>,
    /// Whether there is no such mailbox, rather than a fault that may pass or is about the mail.
    pub is_hard: bool,
    /// What the server said.
    pub detail: String,
}

/// What the report of a mail that came back has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounced {
    /// Nothing: it is about no mail that was sent to that address.
    Unknown,
    /// Nothing: it was known already.
    Known,
    /// The mail with this key is marked as having come back. Its address stays in use.
    Soft(i64),
    /// The mail with this key is marked as having come back, and its address is suppressed.
    Hard(i64),
}

/// Records that a mail of the outbox came back, and does what [`report_bounce`] does. Anybody can write such a report,
/// so it has to name the Message-ID, which `key` has signed, and the recipient of a mail that was sent.
pub async fn mail_came_back(acting: &Acting<'_>, key: &LinkKey, bounce: &Bounce) -> Result<Bounced> {
    permit_anywhere(acting, Act::KeepAccounts)?;
    let transaction = database::begin(acting.db).await?;
    let Some(mail) = bounced_mail(&transaction, key, bounce, acting.now).await? else { return Ok(Bounced::Unknown) };
    let about: Vec<&Undelivered> = bounce.failures.iter().filter(|failure| failure.is_of(&mail)).collect();
    // The address of a list exists as long as one of its members may.
    let is_hard = about.iter().all(|failure| failure.is_hard);
    let was_worse = mail.bounced_at.is_some() && (!is_hard || find(&transaction, &mail.recipient).await?.is_some());
    if was_worse {
        return Ok(Bounced::Known);
    }
    let said = about.first().map_or("", |failure| failure.detail.as_str());
    let detail = Some(shortened(said, DETAIL - 1)).filter(|detail| !detail.is_empty());
    let marked = mail::ActiveModel {
        id: Set(mail.id),
        bounced_at: Set(Some(acting.now)),
        last_error: Set(detail.clone()),
        ..Default::default()
    };
    marked.update(&transaction).await?;
    came_back(&transaction, acting, (mail.recipient, is_hard, detail)).await?;
    transaction.commit().await?;
    Ok(if is_hard { Bounced::Hard(mail.id) } else { Bounced::Soft(mail.id) })
}

impl Undelivered {
    /// Whether this is the recipient of a mail.
    fn is_of(&self, mail: &mail::Model) -> bool {
        let recipient = address_in_ascii(&mail.recipient);
        self.addresses.iter().any(|address| address_in_ascii(address).eq_ignore_ascii_case(&recipient))
    }
}

/// Finds and locks the sent mail that a notification is about. Mail servers give up after some days; what comes later
/// is not theirs, and a Message-ID becomes known to others by replies.
async fn bounced_mail(
    db: &Transaction,
    key: &LinkKey,
    bounce: &Bounce,
    now: DateTime<Utc>,
) -> Result<Option<mail::Model>> {
    let ids = bounce.message_ids.iter();
    let claimed: Vec<(i64, &String)> = ids.filter_map(|id| Some((message_id::mail_of(id)?, id))).collect();
    let mails = mail::Entity::find()
        .filter(mail::Column::Id.is_in(claimed.iter().map(|(mail, _)| *mail)))
        .filter(mail::Column::State.eq(MailState::Sent))
        .filter(mail::Column::SentAt.gte(now - GIVEN_UP))
        .order_by_asc(mail::Column::Id)
        .lock_exclusive()
        .all(db)
        .await?;
    let is_claimed = |mail: &mail::Model| claimed.iter().any(|(_, id)| message_id::is_of(key, mail, id));
    Ok(mails.into_iter().find(|mail| is_claimed(mail) && bounce.failures.iter().any(|failure| failure.is_of(mail))))
}

fn read(address: &str, detail: Option<String>) -> Result<(String, Option<String>)> {
    let address = normal_address(address, &["input", "address"])?;
    Ok((address, optional_line(detail, DETAIL, ("说明", "the detail"), "detail")?))
}

async fn find(db: &Transaction, address: &str) -> Result<Option<suppression::Model>> {
    Ok(suppression::Entity::find().filter(suppression::Column::Address.eq(address)).one(db).await?)
}

/// Suppresses an address from which a mail came back for good, and tells administrators. Returns the key of the
/// suppression, also if there was one before; `None` if the mail came back for now.
async fn came_back(
    db: &Transaction,
    acting: &Acting<'_>,
    (address, is_hard, detail): (String, bool, Option<String>),
) -> Result<Option<i64>> {
    if let Some(row) = find(db, &address).await? {
        return Ok(Some(row.id));
    }
    if !is_hard {
        tracing::warn!(address = masked_address(&address), "a mail came back for now");
        return Ok(None);
    }
    let row = enter(db, acting, (address, SuppressionReason::HardBounce, detail)).await?;
    tell_administrators(db, acting, &row).await?;
    Ok(Some(row.id))
}

async fn enter(
    db: &Transaction,
    acting: &Acting<'_>,
    (address, reason, detail): (String, SuppressionReason, Option<String>),
) -> Result<suppression::Model> {
    let row = suppression::ActiveModel {
        address: Set(address),
        reason: Set(reason),
        detail: Set(detail),
        account_id: Set(acting.by.actor()),
        created_at: Set(acting.now),
        ..Default::default()
    };
    let row = row.insert(db).await?;
    let after = json!({ "address": masked_address(&row.address), "reason": reason.to_value() });
    let said = Entry::of("SUPPRESSED", format!("suppression_{}", row.id)).changed(json!({}), after);
    note_own(db, acting, said).await?;
    Ok(row)
}

/// Queues a notice to each administrator about an address from which mails came back, with the units whose it is.
async fn tell_administrators(db: &Transaction, acting: &Acting<'_>, row: &suppression::Model) -> Result<()> {
    let of_unit =
        unit_address::Entity::belongs_to(unit::Entity).from(unit_address::Column::UnitId).to(unit::Column::Id).into();
    let units: Vec<String> = unit_address::Entity::find()
        .select_only()
        .column(unit::Column::Name)
        .join(JoinType::InnerJoin, of_unit)
        .filter(unit_address::Column::Address.eq(&row.address))
        .order_by_asc(unit::Column::Name)
        .into_tuple()
        .all(db)
        .await?;
    let facts = json!({ "address": row.address, "units": units, "reason": row.detail.as_deref().unwrap_or("") });
    let at = (acting.today(), acting.now);
    outbox::notify_administrators(db, "address-suppressed", (&row.id.to_string(), &facts), at).await
}
