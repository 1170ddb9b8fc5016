//! Sealing: the entries of each day get a digest that also covers the digest of the day before, signed if there is a
//! key.
//!
//! The day from which a key signs is recorded and signed as well. From then on an unsigned day is a fault.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use entity::{audit_entry, audit_head, audit_signing};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::fault::{Fault, FaultCode};
use crate::record::database::Transaction;
use crate::rule::calendar;

/// The most entries read at once.
pub(super) const BATCH: u64 = 5_000;

/// A key that signs days. Its secret is never printed; its id distinguishes it from other keys.
#[derive(Clone)]
pub struct Key {
    secret: Vec<u8>,
    id: String,
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Key").field(&self.id).finish()
    }
}

impl Key {
    /// Creates a key from secret bytes. Its id is the first 16 hexadecimal digits of the SHA-256 of an HMAC under the
    /// key, so it reveals nothing about the bytes.
    pub fn new(secret: Vec<u8>) -> Self {
        let id = hex::encode(Sha256::digest(mac(&secret, "rectify audit key")))[..16].to_owned();
        Self { secret, id }
    }

    /// Returns the id, 16 hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the HMAC-SHA-256 of a text under the key, in hexadecimal.
    fn sign(&self, text: &str) -> String {
        mac(&self.secret, text)
    }
}

fn mac(secret: &[u8], text: &str) -> String {
    use hmac::{KeyInit, Mac};
    let Ok(mut mac) = hmac::Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(text.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// The available keys.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The key that signs, or `None` if days are not signed.
    pub current: Option<Key>,
    /// Earlier keys, which only verify.
    pub old: Vec<Key>,
}

impl Keys {
    pub(super) fn all(&self) -> impl Iterator<Item = &Key> {
        self.current.iter().chain(&self.old)
    }

    pub(super) fn find(&self, id: &str) -> Option<&Key> {
        self.all().find(|key| key.id == id)
    }
}

/// A seal as saved outside the database, written as `DAY:DIGEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The local date that is sealed.
    pub day: NaiveDate,
    /// The digest of the day, 64 hexadecimal digits in lower case.
    pub digest: String,
}

impl fmt::Display for Anchor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.day, self.digest)
    }
}

impl FromStr for Anchor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("“{text}”应为 日期:摘要，如 2026-01-03: 后接 64 位十六进制数");
        let (day, digest) = text.trim().split_once(':').ok_or_else(wrong)?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        let day = day.parse().map_err(|_| wrong())?;
        if is_digest { Ok(Self { day, digest: digest.to_ascii_lowercase() }) } else { Err(wrong()) }
    }
}

impl From<&audit_head::Model> for Anchor {
    fn from(head: &audit_head::Model) -> Self {
        Self { day: head.day, digest: head.digest.clone() }
    }
}

/// Returns the text that the signature of a day covers.
fn signed_of_head(head: &audit_head::Model) -> String {
    // Days signed before keys had ids: the signature covers only the digest.
    if head.key_id.is_empty() {
        return head.digest.clone();
    }
    let until = head.until.timestamp_micros();
    format!("rectify audit day\n{}\n{until}\n{}\n{}\n{}", head.day, head.entries, head.key_id, head.digest)
}

/// Returns the signature that a day must have under a key.
pub(super) fn signature_of_head(key: &Key, head: &audit_head::Model) -> String {
    key.sign(&signed_of_head(head))
}

/// Returns the signature that the start record of a key must have. `previous` is the signature of the start record
/// before it, or empty.
pub(super) fn signature_of_signing(key: &Key, day: NaiveDate, previous: &str) -> String {
    key.sign(&format!("rectify audit signing\n{day}\n{}\n{previous}", key.id))
}

/// Returns the number of entries from one moment (inclusive) until another (exclusive), and the digest of the previous
/// digest and their sorted hashes. Uses 32 bytes of memory for each entry.
pub(super) async fn digest_of(
    db: &Transaction,
    previous: &str,
    (from, until): (Option<DateTime<Utc>>, DateTime<Utc>),
) -> Result<(i64, String)> {
    let mut hashes: Vec<[u8; 32]> = Vec::new();
    let mut last: Option<(DateTime<Utc>, i64)> = None;
    loop {
        let columns = [audit_entry::Column::At, audit_entry::Column::Id, audit_entry::Column::Hash];
        let mut page = audit_entry::Entity::find()
            .select_only()
            .columns(columns)
            .filter(audit_entry::Column::At.lt(until))
            .order_by_asc(audit_entry::Column::At)
            .order_by_asc(audit_entry::Column::Id)
            .limit(BATCH);
        if let Some(from) = from {
            page = page.filter(audit_entry::Column::At.gte(from));
        }
        if let Some((at, id)) = last {
            let same = Condition::all().add(audit_entry::Column::At.eq(at)).add(audit_entry::Column::Id.gt(id));
            page = page
                .filter(audit_entry::Column::At.gte(at))
                .filter(Condition::any().add(audit_entry::Column::At.gt(at)).add(same));
        }
        let page: Vec<(DateTime<Utc>, i64, String)> = page.into_tuple().all(db).await?;
        let Some((at, id, _)) = page.last() else { break };
        last = Some((*at, *id));
        // A malformed hash counts as zeros and so changes the digest, as it should.
        hashes.extend(page.iter().map(|(_, _, hash)| {
            let mut bytes = [0; 32];
            hex::decode_to_slice(hash, &mut bytes).map_or([0; 32], |()| bytes)
        }));
    }
    hashes.sort_unstable();
    let mut sha = Sha256::new();
    sha.update(previous.as_bytes());
    sha.update(b"\n");
    for hash in &hashes {
        sha.update(hex::encode(hash).as_bytes());
        sha.update(b"\n");
    }
    Ok((hashes.len() as i64, hex::encode(sha.finalize())))
}

/// Returns the newest seal, or `None` if nothing is sealed.
pub async fn newest<C: ConnectionTrait>(db: &C) -> Result<Option<audit_head::Model>> {
    Ok(audit_head::Entity::find().order_by_desc(audit_head::Column::Until).one(db).await?)
}

/// Seals the local day that ended at `until`, and returns the new seal, or `None` if the day is sealed already or not
/// over. Has no time limit, because a day may have many entries.
///
/// Entries have the time at which their request began. A day should therefore be sealed some time after its end, when
/// none of its requests is still running.
///
/// A key that has not signed before signs from this day on or, if the day is sealed already, from the day after the
/// newest seal. Once days are signed, sealing without a key fails, because an unsigned day would remain a fault
/// forever.
pub async fn seal(
    db: &Transaction,
    day: NaiveDate,
    until: DateTime<Utc>,
    key: Option<&Key>,
    now: DateTime<Utc>,
) -> Result<Option<audit_head::Model>> {
    db.without_time_limit().await?;
    let last = newest(db).await?;
    let is_sealed = until > now || last.as_ref().is_some_and(|last| last.until >= until || last.day >= day);
    if let Some(key) = key {
        let next = last.as_ref().map(|last| calendar::plus_days(last.day, 1));
        begin_signing(db, key, if is_sealed { next } else { Some(day) }, now).await?;
    } else if let Some(began) = audit_signing::Entity::find().order_by_asc(audit_signing::Column::Day).one(db).await? {
        let day = began.day;
        let zh = format!("自 {day} 起每日审计封存均须签名，当前没有设置 audit_key_file，未封存：请设置密钥文件后重试");
        let en = format!(
            "from {day} on, every seal of the audit must be signed, and `audit_key_file` is not set: nothing was \
             sealed; set the key file and try again"
        );
        return Err(Fault::new(FaultCode::WrongState, zh, en, &[]).into());
    }
    if is_sealed {
        return Ok(None);
    }
    let (previous, from) = last.map(|last| (last.digest, last.until)).unzip();
    let (entries, digest) = digest_of(db, previous.as_deref().unwrap_or_default(), (from, until)).await?;
    let key_id = key.map(|key| key.id.clone()).unwrap_or_default();
    let mut head = audit_head::Model { day, until, entries, digest, signature: String::new(), key_id, sealed_at: now };
    if let Some(key) = key {
        head.signature = signature_of_head(key, &head);
    }
    let row = audit_head::ActiveModel {
        day: Set(day),
        until: Set(until),
        entries: Set(entries),
        digest: Set(head.digest.clone()),
        signature: Set(head.signature.clone()),
        key_id: Set(head.key_id.clone()),
        sealed_at: Set(now),
    };
    let inserted = audit_head::Entity::insert(row)
        .on_conflict_do_nothing_on([audit_head::Column::Day])
        .exec_without_returning(db)
        .await?;
    Ok(matches!(inserted, sea_orm::TryInsertResult::Inserted(_)).then_some(head))
}

/// Records that a key signs from a day on, unless it is the last key recorded.
async fn begin_signing(db: &Transaction, key: &Key, day: Option<NaiveDate>, now: DateTime<Utc>) -> Result<()> {
    let before = audit_signing::Entity::find().order_by_desc(audit_signing::Column::Position).one(db).await?;
    let day = match &before {
        Some(before) if before.key_id == key.id => return Ok(()),
        Some(before) => day.map(|day| day.max(before.day)),
        // Days may have been signed before there were start records.
        None => {
            let signed = audit_head::Entity::find().filter(audit_head::Column::Signature.ne(""));
            let first = signed.order_by_asc(audit_head::Column::Day).one(db).await?;
            first.map(|first| first.day).or(day)
        }
    };
    let Some(day) = day else { return Ok(()) };
    let (position, previous) = before.map(|before| (before.position, before.signature)).unwrap_or_default();
    let row = audit_signing::ActiveModel {
        position: Set(position + 1),
        day: Set(day),
        key_id: Set(key.id.clone()),
        signature: Set(signature_of_signing(key, day, &previous)),
        noted_at: Set(now),
    };
    audit_signing::Entity::insert(row)
        .on_conflict_do_nothing_on([audit_signing::Column::Position])
        .exec_without_returning(db)
        .await?;
    Ok(())
}
