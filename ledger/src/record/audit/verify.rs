//! Verification of the audit: every entry in its chain, every day under its seal, every signature for which there is a
//! key, every seal that was also saved elsewhere, and the ledger's rows compared with their last entries.
//!
//! It reads one snapshot of the database, a few thousand rows at a time.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use chrono_tz::Tz;
use entity::job_run::RunState;
use entity::{account, audit_entry, audit_head, audit_signing, job_run, problem, schedule};
use sea_orm::{
    AccessMode, ColumnTrait, Condition, DatabaseConnection, DbBackend, EntityTrait, IsolationLevel, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect, TransactionOptions,
};

use super::entry::{DIGEST, address_digest, hash};
use super::faults::Faults;
use super::seal::{Anchor, BATCH, Keys, digest_of, signature_of_head, signature_of_signing};
use super::state::{self, Compared};
use crate::Result;
use crate::record::database;
use crate::record::database::Transaction;
use crate::rule::calendar;

/// What a verification is based on.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The available keys.
    pub keys: &'a Keys,
    /// The seals that were saved outside the database.
    pub anchors: &'a [Anchor],
    /// The current time.
    pub now: DateTime<Utc>,
    /// The time zone in which days begin and end.
    pub zone: Tz,
}

/// The result of a verification.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// The number of entries.
    pub entries: usize,
    /// The number of chains.
    pub chains: usize,
    /// The number of sealed days.
    pub days: usize,
    /// The number of sealed days without a signature.
    pub unsigned: usize,
    /// The number of sealed days whose signature was checked.
    pub signed: usize,
    /// The number of sealed days whose signature was not checked, because there is no key.
    pub unchecked: usize,
    /// The first day that has to be signed, or `None` if signing has not begun.
    pub signing_since: Option<NaiveDate>,
    /// The number of seals saved elsewhere that match.
    pub anchored: usize,
    /// The number of days without a seal of their own, which the next seal covers.
    pub gaps: i64,
    /// The number of entries that no seal covers yet.
    pub unsealed: usize,
    /// When the oldest unsealed entry was written, or `None` if there is none.
    pub unsealed_since: Option<DateTime<Utc>>,
    /// The result of the comparison with the ledger's rows.
    pub compared: Compared,
    /// Everything that is wrong.
    pub faults: Faults,
}

/// Verifies the whole audit. Everything that is wrong is part of the result; an error means that the database failed.
pub async fn verify(db: &DatabaseConnection, asked: Asked<'_>) -> Result<Verified> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let options = TransactionOptions {
        isolation_level: is_postgres.then_some(IsolationLevel::RepeatableRead),
        access_mode: is_postgres.then_some(AccessMode::ReadOnly),
        ..TransactionOptions::default()
    };
    let db = database::begin_with(db, options).await?;
    db.without_time_limit().await?;
    let heads = audit_head::Entity::find().order_by_asc(audit_head::Column::Until).all(&db).await?;
    let signings = audit_signing::Entity::find().order_by_asc(audit_signing::Column::Position).all(&db).await?;
    let mut found = Verified { days: heads.len(), ..Verified::default() };
    chains(&db, &heads, &mut found).await?;
    seals(&db, &heads, &mut found.faults).await?;
    found.gaps = heads.windows(2).map(|pair| (pair[1].day - pair[0].day).num_days() - 1).filter(|days| *days > 0).sum();
    signatures(asked.keys, &heads, &signings, &mut found);
    anchors(asked.anchors, &heads, &mut found);
    newest(&db, asked, &heads, &mut found).await?;
    emptied(&db, (&heads, &signings), &mut found).await?;
    found.compared = state::compare(&db, &mut found.faults).await?;
    db.rollback().await?;
    Ok(found)
}

/// The last entry that was read.
#[derive(Default)]
struct End {
    chain: String,
    position: i32,
    hash: String,
    id: i64,
}

/// Walks every chain.
async fn chains(db: &Transaction, heads: &[audit_head::Model], found: &mut Verified) -> Result<()> {
    let sealed_until = heads.last().map(|head| head.until);
    let mut end = End::default();
    // In the order of chain and position; each batch begins where the last one ended.
    loop {
        let after = Condition::any().add(audit_entry::Column::Chain.gt(end.chain.as_str())).add(
            Condition::all()
                .add(audit_entry::Column::Chain.eq(end.chain.as_str()))
                .add(audit_entry::Column::Position.gt(end.position)),
        );
        let batch = audit_entry::Entity::find()
            .filter(after)
            .order_by_asc(audit_entry::Column::Chain)
            .order_by_asc(audit_entry::Column::Position)
            .limit(BATCH)
            .all(db)
            .await?;
        if batch.is_empty() {
            return Ok(());
        }
        for entry in batch {
            if entry.chain != end.chain {
                found.chains += 1;
                end = End { chain: entry.chain.clone(), ..End::default() };
            }
            found.entries += 1;
            check_entry(&entry, &end, &mut found.faults);
            if sealed_until.is_none_or(|until| entry.at >= until) {
                found.unsealed += 1;
                found.unsealed_since = Some(found.unsealed_since.map_or(entry.at, |since| since.min(entry.at)));
            }
            (end.position, end.hash, end.id) = (entry.position, entry.hash, entry.id);
        }
    }
}

/// Checks an entry against the one before it in its chain.
fn check_entry(entry: &audit_entry::Model, end: &End, faults: &mut Faults) {
    let (place, chain) = (entry.position, &entry.chain);
    if entry.position != end.position + 1 {
        faults.push(format!("{chain}：第 {} 条缺失（其后为第 {place} 条）", end.position + 1));
    } else if entry.previous != end.hash {
        faults.push(format!("{chain}：第 {place} 条与前一条不相接"));
    }
    // Elsewhere the last entry is found by its key, so keys must ascend along a chain.
    if entry.id <= end.id {
        faults.push(format!("{chain}：第 {place} 条的编号不在前一条之后"));
    }
    let is_of_address = match (&entry.address_digest, &entry.address, &entry.address_salt) {
        (Some(digest), Some(address), Some(salt)) => *digest == address_digest(salt, address),
        (None, None, None) => true,
        (None, Some(address), None) => !address.starts_with(DIGEST),
        _ => false,
    };
    if entry.hash != hash(entry) || !is_of_address {
        faults.push(format!("{chain}：第 {place} 条（{}，{}）内容被改动", entry.act, entry.object));
    }
}

/// Checks that every day still has the entries with which it was sealed.
async fn seals(db: &Transaction, heads: &[audit_head::Model], faults: &mut Faults) -> Result<()> {
    let mut before: Option<&audit_head::Model> = None;
    for head in heads {
        let previous = before.map(|before| before.digest.as_str()).unwrap_or_default();
        let from = before.map(|before| before.until);
        if digest_of(db, previous, (from, head.until)).await? != (head.entries, head.digest.clone()) {
            faults.push(format!("{}：当日封存的记录与现有的不符，有记录缺失、增加或被改动", head.day));
        }
        before = Some(head);
    }
    Ok(())
}

/// Checks that every day since signing began is signed, with the key that was in use that day.
fn signatures(keys: &Keys, heads: &[audit_head::Model], signings: &[audit_signing::Model], found: &mut Verified) {
    let has_keys = keys.all().next().is_some();
    let faults = &mut found.faults;
    let missing = |id: &str| format!("签名所用密钥 {id} 不在手边：请在 audit_old_key_files 中列出");
    let mut before: Option<&audit_signing::Model> = None;
    for signing in signings {
        let (position, day) = before.map_or((1, signing.day), |before| (before.position + 1, before.day));
        let previous = before.map(|before| before.signature.as_str()).unwrap_or_default();
        match keys.find(&signing.key_id) {
            Some(key) if signing.signature != signature_of_signing(key, signing.day, previous) => {
                faults.push(format!("{}：签名起始记录的签名不符，有起始记录缺失或被改动", signing.day));
            }
            None if has_keys => faults.push(format!("{}：签名起始记录，{}", signing.day, missing(&signing.key_id))),
            _ => {}
        }
        if signing.position != position || signing.day < day {
            faults.push(format!("{}：之前的签名起始记录缺失", signing.day));
        }
        before = Some(signing);
    }
    found.signing_since = signings.first().map(|first| first.day);
    let mut was_signed = false;
    for head in heads {
        let is_unsigned = head.signature.is_empty();
        // Signatures protect against someone who can change the database, and who could blank a signature as well.
        let must_be_signed = was_signed || found.signing_since.is_some_and(|since| head.day >= since);
        was_signed |= !is_unsigned;
        let begun = signings.iter().rev().find(|signing| signing.day <= head.day);
        if is_unsigned {
            found.unsigned += 1;
            if must_be_signed || !head.key_id.is_empty() {
                faults.push(format!("{}：封存签名不符，签名开始之后的封存没有签名", head.day));
            }
            continue;
        }
        if !head.key_id.is_empty() && begun.is_none_or(|begun| begun.key_id != head.key_id) {
            faults.push(format!("{}：封存签名的密钥 {} 在这一日没有签名起始记录", head.day, head.key_id));
        }
        if !has_keys {
            found.unchecked += 1;
            continue;
        }
        let is_by = |key| head.signature == signature_of_head(key, head);
        let is_right = if head.key_id.is_empty() {
            keys.all().any(is_by)
        } else if let Some(key) = keys.find(&head.key_id) {
            is_by(key)
        } else {
            faults.push(format!("{}：{}", head.day, missing(&head.key_id)));
            continue;
        };
        found.signed += 1;
        if !is_right {
            faults.push(format!("{}：封存签名不符", head.day));
        }
    }
    // The current key has no start record. Either it is new, or the record and everything that it signed were removed.
    let Some(current) = &keys.current else { return };
    let begun = signings.last().map(|last| last.key_id.as_str());
    let is_before_beginnings = signings.is_empty() && heads.last().is_none_or(|head| !head.signature.is_empty());
    if begun != Some(current.id()) && !is_before_beginnings {
        faults.push(format!(
            "当前密钥 {} 没有签名起始记录：刚设置或更换的，请先运行 rectify job run seal-audit；\
             否则签名及其起始记录已被清除",
            current.id()
        ));
    }
}

/// Checks that the seals that were saved elsewhere are still there, unchanged.
fn anchors(anchors: &[Anchor], heads: &[audit_head::Model], found: &mut Verified) {
    let digests: HashMap<NaiveDate, &str> = heads.iter().map(|head| (head.day, head.digest.as_str())).collect();
    for anchor in anchors {
        match digests.get(&anchor.day) {
            Some(digest) if *digest == anchor.digest => found.anchored += 1,
            Some(_) => found.faults.push(format!("{}：封存与另行保存的不符", anchor.day)),
            None => found.faults.push(format!("{}：另行保存的封存已不存在", anchor.day)),
        }
    }
}

/// Checks that the newest seal is as recent as it has to be.
async fn newest(db: &Transaction, asked: Asked<'_>, heads: &[audit_head::Model], found: &mut Verified) -> Result<()> {
    let start = |day| calendar::moment(day, NaiveTime::MIN, asked.zone);
    let sealed_until = heads.last().map(|head| head.until);
    // A day that a successful run of the job has sealed must have its seal.
    let run: Option<DateTime<Utc>> = job_run::Entity::find()
        .select_only()
        .column(job_run::Column::Occurrence)
        .join(
            sea_orm::JoinType::InnerJoin,
            job_run::Entity::belongs_to(schedule::Entity)
                .from(job_run::Column::ScheduleId)
                .to(schedule::Column::Id)
                .into(),
        )
        .filter(schedule::Column::Name.eq("seal-audit"))
        .filter(job_run::Column::State.eq(RunState::Succeeded))
        .order_by_desc(job_run::Column::Occurrence)
        .limit(1)
        .into_tuple()
        .one(db)
        .await?;
    if let Some(run) = run {
        let day = calendar::local_day(run, asked.zone);
        if sealed_until.is_none_or(|until| until < start(day)) {
            let sealed = calendar::plus_days(day, -1);
            found.faults.push(format!("{sealed}：任务 seal-audit 已封存这一日，封存却不存在"));
        }
    }
    // Without a key, sealing is optional.
    if asked.keys.current.is_none() {
        return Ok(());
    }
    // The day before yesterday was due to be sealed at some hour of yesterday.
    let due = start(calendar::plus_days(calendar::local_day(asked.now, asked.zone), -1));
    if let Some(head) = heads.last().filter(|head| head.until < due) {
        found.faults.push(format!("最新的封存是 {}：其后数日没有封存，seal-audit 没有运行，或封存被删除", head.day));
    } else if let Some(since) = found.unsealed_since.filter(|since| heads.is_empty() && *since < due) {
        let day = calendar::local_day(since, asked.zone);
        found.faults.push(format!("{day} 起的记录没有封存：seal-audit 没有运行，或封存被删除"));
    }
    Ok(())
}

/// Checks whether an audit without entries is plausible: if there are accounts, problems or seals, there must have been
/// entries.
async fn emptied(
    db: &Transaction,
    (heads, signings): (&[audit_head::Model], &[audit_signing::Model]),
    found: &mut Verified,
) -> Result<()> {
    if heads.is_empty() && !signings.is_empty() {
        found.faults.push("签名已开始，封存却一日也不存在".to_owned());
    }
    if found.entries > 0 {
        return Ok(());
    }
    let there = account::Entity::find().count(db).await? + problem::Entity::find().count(db).await?;
    let was_sealed = heads.iter().any(|head| head.entries > 0);
    if there > 0 || was_sealed {
        found.faults.push("审计记录为空，而台账中已有账户、问题或封存：记录已被清空".to_owned());
    }
    Ok(())
}
