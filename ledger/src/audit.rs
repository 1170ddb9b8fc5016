//! The audit: every change with who, for whom, when, from where, before and after. Entries stand in chains, one for each
//! problem, account …, each holding the hash of the one before it: a changed or missing entry breaks its chain. Writers of
//! different problems do not wait for each other. `seal` signs all entries of a day, so that a missing end is found as well.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use entity::{audit_entry, audit_head};
use sea_orm::sea_query::{Expr, IntoCondition, SubQueryStatement};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait, Select,
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::policy::Principal;
use crate::writes::Writes;

/// Who acts, and from where.
#[derive(Debug, Clone)]
pub struct By {
    /// With whose rights.
    pub principal: Principal,
    /// The address that the request came from.
    pub address: Option<String>,
    /// The request.
    pub request_id: Option<String>,
}

impl By {
    /// The program itself: a command, a job, an import.
    pub fn program() -> Self {
        Self { principal: Principal::local(), address: None, request_id: None }
    }

    /// The account that really acts.
    pub fn actor(&self) -> Option<i64> {
        self.principal.delegate.or(self.principal.account)
    }

    /// For whom, where that is somebody else.
    pub fn on_behalf_of(&self) -> Option<i64> {
        self.principal.delegate.and(self.principal.account)
    }
}

/// A change to be noted.
#[derive(Debug, Clone)]
pub struct Noted {
    /// The chain: `problem_7`.
    pub chain: String,
    /// What was done.
    pub act: String,
    /// The global id of what it was done to.
    pub object: String,
    /// The measure that it concerns.
    pub measure: Option<i64>,
    /// The assignment that it concerns.
    pub assignment: Option<i64>,
    /// What it was.
    pub before: Value,
    /// What it became.
    pub after: Value,
}

/// The end of a chain: position and hash of its last entry; nothing of an empty one.
pub(crate) type End = (i32, String);

/// The chain of a problem and everything below it.
pub(crate) fn chain_of(problem: i64) -> String {
    format!("problem_{problem}")
}

/// Adds an entry to its chain. The caller holds the chain's owner, so that nobody else adds to it meanwhile.
pub async fn note<C: ConnectionTrait>(db: &C, by: &By, noted: Noted, now: DateTime<Utc>) -> Result<()> {
    let mut writes = Writes::default();
    let end = end(db, &noted.chain).await?;
    write(&mut writes, by, noted, end, now);
    writes.send(db).await
}

/// Reads the end of a chain.
pub(crate) async fn end<C: ConnectionTrait>(db: &C, chain: &str) -> Result<End> {
    let columns = [audit_entry::Column::Position, audit_entry::Column::Hash];
    let end: Option<End> = last(chain).columns(columns).into_tuple().one(db).await?;
    Ok(end.unwrap_or_default())
}

/// A column of a chain's last entry, as part of another statement.
pub(crate) fn of_end(chain: &str, column: audit_entry::Column) -> Expr {
    SubQueryStatement::from(last(chain).column(column).into_query()).into()
}

fn last(chain: &str) -> Select<audit_entry::Entity> {
    audit_entry::Entity::find()
        .select_only()
        .filter(audit_entry::Column::Chain.eq(chain))
        .order_by_desc(audit_entry::Column::Position)
        .limit(1)
}

/// The entry after the end of its chain, to be sent with what else the act writes. The caller has held the chain's owner
/// since before the end was read.
pub(crate) fn write(writes: &mut Writes, by: &By, noted: Noted, (position, previous): End, now: DateTime<Utc>) {
    let mut entry = audit_entry::Model {
        id: 0,
        chain: noted.chain,
        position: position + 1,
        act: noted.act,
        object: noted.object,
        measure_id: noted.measure,
        assignment_id: noted.assignment,
        // The databases keep microseconds.
        at: now.trunc_subsecs(6),
        actor_id: by.actor(),
        on_behalf_of_id: by.on_behalf_of(),
        address: by.address.clone(),
        request_id: by.request_id.clone(),
        before: noted.before.to_string(),
        after: noted.after.to_string(),
        previous,
        hash: String::new(),
    };
    entry.hash = hash(&entry);
    let mut row = entry.into_active_model().reset_all();
    row.id = NotSet;
    writes.insert_one(row);
}

/// What is hashed of an entry, in this order, each under its name in a dossier.
pub fn parts(entry: &audit_entry::Model) -> [(&'static str, String); 14] {
    let number = |id: Option<i64>| id.map(|id| id.to_string()).unwrap_or_default();
    [
        ("previous", entry.previous.clone()),
        ("chain", entry.chain.clone()),
        ("position", entry.position.to_string()),
        ("act", entry.act.clone()),
        ("object", entry.object.clone()),
        ("measure", number(entry.measure_id)),
        ("assignment", number(entry.assignment_id)),
        ("at", entry.at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()),
        ("actor", number(entry.actor_id)),
        ("onBehalfOf", number(entry.on_behalf_of_id)),
        ("address", entry.address.clone().unwrap_or_default()),
        ("requestId", entry.request_id.clone().unwrap_or_default()),
        ("before", entry.before.clone()),
        ("after", entry.after.clone()),
    ]
}

/// The hash of an entry: each part with its length before it, so that no two entries read alike.
pub fn hash(entry: &audit_entry::Model) -> String {
    let mut sha = Sha256::new();
    for (_, part) in parts(entry) {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part.as_bytes());
    }
    hex::encode(sha.finalize())
}

/// An entry with everything that was hashed, and its hash: what is kept of it outside its chain.
pub fn entire(entry: &audit_entry::Model) -> Value {
    let mut members: Map<String, Value> =
        parts(entry).into_iter().map(|(name, part)| (name.to_owned(), part.into())).collect();
    members.insert("hash".to_owned(), entry.hash.as_str().into());
    members.into()
}

/// What was noted of something, oldest first: goes into the entry that says what it was merged into.
pub(crate) async fn history<C: ConnectionTrait>(db: &C, of: impl IntoCondition) -> Result<Vec<Value>> {
    let noted = audit_entry::Entity::find().filter(of).order_by_asc(audit_entry::Column::Id).all(db).await?;
    let told = |entry: &audit_entry::Model| {
        let mut told = entire(entry);
        // From where somebody acted is for who keeps the machine; the hash leads to the entry that has it.
        if let Some(members) = told.as_object_mut() {
            members.retain(|name, _| !matches!(name.as_str(), "address" | "requestId" | "previous"));
        }
        told
    };
    Ok(noted.iter().map(told).collect())
}

/// The chain of a problem, after those of the problems that were merged into it.
pub(crate) async fn chains<C: ConnectionTrait>(db: &C, problem: i64) -> Result<Vec<String>> {
    let mut chains = vec![chain_of(problem)];
    let mut read = 0;
    while let Some(chain) = chains.get(read).cloned() {
        read += 1;
        let merged = audit_entry::Entity::find()
            .filter(audit_entry::Column::Chain.eq(&chain))
            .filter(audit_entry::Column::Object.eq(&chain))
            .filter(audit_entry::Column::Act.eq(MERGED))
            .order_by_desc(audit_entry::Column::Position)
            .all(db)
            .await?;
        let before = merged.iter().filter_map(|entry| serde_json::from_str::<Value>(&entry.before).ok());
        chains.extend(before.filter_map(|before| before["merged"].as_str().map(str::to_owned)));
    }
    chains.reverse();
    Ok(chains)
}

/// The act of merging, in the chain of what stays: `before.merged` names what went.
pub(crate) const MERGED: &str = "MERGED";

/// What a look through the audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// How many entries there are.
    pub entries: usize,
    /// In how many chains.
    pub chains: usize,
    /// How many sealed days.
    pub days: usize,
    /// How many of them bear no signature: the installation had no key then.
    pub unsigned: usize,
    /// How many entries no day's seal covers yet, and since when.
    pub unsealed: usize,
    /// The oldest of them.
    pub unsealed_since: Option<DateTime<Utc>>,
    /// What is wrong, each in a sentence.
    pub faults: Vec<String>,
}

/// Entries read at once.
const BATCH: u64 = 5_000;

/// The ends of chains.
type Ends = HashMap<String, End>;

/// Walks every chain and every sealed day. `key` is the installation's, with which days are signed.
pub async fn verify<C: ConnectionTrait>(db: &C, key: Option<&[u8]>) -> Result<Verified> {
    let mut found = Verified::default();
    let heads = audit_head::Entity::find().order_by_asc(audit_head::Column::Until).all(db).await?;
    let mut sealed: Vec<Vec<String>> = vec![Vec::new(); heads.len()];
    let mut ends = Ends::new();
    // By chain and position, each batch from where the last one ended.
    let mut last = (String::new(), 0);
    loop {
        let after = Condition::any().add(audit_entry::Column::Chain.gt(last.0.as_str())).add(
            Condition::all()
                .add(audit_entry::Column::Chain.eq(last.0.as_str()))
                .add(audit_entry::Column::Position.gt(last.1)),
        );
        let batch = audit_entry::Entity::find()
            .filter(after)
            .order_by_asc(audit_entry::Column::Chain)
            .order_by_asc(audit_entry::Column::Position)
            .limit(BATCH)
            .all(db)
            .await?;
        let Some(end) = batch.last() else { break };
        last = (end.chain.clone(), end.position);
        for entry in batch {
            found.entries += 1;
            check_entry(&entry, &ends, &mut found.faults);
            let day = heads.partition_point(|head| head.until <= entry.at);
            if let Some(day) = sealed.get_mut(day) {
                day.push(entry.hash.clone());
            } else {
                found.unsealed += 1;
                found.unsealed_since = Some(found.unsealed_since.map_or(entry.at, |since| since.min(entry.at)));
            }
            ends.insert(entry.chain, (entry.position, entry.hash));
        }
    }
    let (mut previous, mut was_signed) = (String::new(), false);
    for (head, hashes) in heads.iter().zip(sealed) {
        if head.entries != hashes.len() as i64 || head.digest != digest(&previous, hashes) {
            found.faults.push(format!("{}：当日封存的记录与现有的不符，有记录缺失、增加或被改动", head.day));
        }
        // Whoever could blank a signature is the one that signatures are against.
        let is_unsigned = head.signature.is_empty();
        found.unsigned += usize::from(is_unsigned);
        let differs = |key| if is_unsigned { was_signed } else { head.signature != sign(key, &head.digest) };
        if key.is_some_and(differs) {
            found.faults.push(format!("{}：封存签名不符", head.day));
        }
        was_signed |= !is_unsigned;
        previous.clone_from(&head.digest);
    }
    (found.chains, found.days) = (ends.len(), heads.len());
    Ok(found)
}

fn check_entry(entry: &audit_entry::Model, ends: &Ends, faults: &mut Vec<String>) {
    let (place, chain) = (entry.position, &entry.chain);
    let (position, previous) = ends.get(chain).cloned().unwrap_or_default();
    if entry.position != position + 1 {
        faults.push(format!("{chain}：第 {} 条缺失（其后为第 {place} 条）", position + 1));
    } else if entry.previous != previous {
        faults.push(format!("{chain}：第 {place} 条与前一条不相接"));
    }
    if entry.hash != hash(entry) {
        faults.push(format!("{chain}：第 {place} 条（{}，{}）内容被改动", entry.act, entry.object));
    }
}

/// The digest over the digest before and the hashes of a day.
fn digest(previous: &str, mut hashes: Vec<String>) -> String {
    hashes.sort_unstable();
    let mut sha = Sha256::new();
    for part in std::iter::once(previous).chain(hashes.iter().map(String::as_str)) {
        sha.update(part.as_bytes());
        sha.update(b"\n");
    }
    hex::encode(sha.finalize())
}

/// HMAC-SHA-256 of a digest.
fn sign(key: &[u8], digest: &str) -> String {
    use hmac::{KeyInit, Mac};
    let Ok(mut mac) = hmac::Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(digest.as_bytes());
    hex::encode(mac.finalize().into_bytes())
}

/// Seals a local day that ended at `until`, unless it is sealed or not over; says whether it was. Entries bear the time at which their
/// request began, so a day is sealed some time after its end, when none of its requests is under way any more.
pub async fn seal<C: ConnectionTrait>(
    db: &C,
    day: NaiveDate,
    until: DateTime<Utc>,
    key: Option<&[u8]>,
    now: DateTime<Utc>,
) -> Result<bool> {
    if until > now {
        return Ok(false);
    }
    let last = audit_head::Entity::find().order_by_desc(audit_head::Column::Until).one(db).await?;
    if last.as_ref().is_some_and(|last| last.until >= until) {
        return Ok(false);
    }
    let mut covered = audit_entry::Entity::find().select_only().column(audit_entry::Column::Hash);
    covered = covered.filter(audit_entry::Column::At.lt(until));
    if let Some(last) = &last {
        covered = covered.filter(audit_entry::Column::At.gte(last.until));
    }
    let hashes: Vec<String> = covered.into_tuple().all(db).await?;
    let entries = hashes.len() as i64;
    let digest = digest(last.as_ref().map_or("", |last| &last.digest), hashes);
    let row = audit_head::ActiveModel {
        day: Set(day),
        until: Set(until),
        entries: Set(entries),
        signature: Set(key.map(|key| sign(key, &digest)).unwrap_or_default()),
        digest: Set(digest),
        sealed_at: Set(now),
    };
    let inserted = audit_head::Entity::insert(row)
        .on_conflict_do_nothing_on([audit_head::Column::Day])
        .exec_without_returning(db)
        .await?;
    Ok(matches!(inserted, sea_orm::TryInsertResult::Inserted(_)))
}
