//! Entries of the audit: writing them into their chains, hashing them, and reading them back.

use std::collections::HashMap;

use chrono::{DateTime, SubsecRound, Utc};
use entity::audit_entry;
use planner::{Sql, if_held};
use sea_orm::sea_query::{IntoCondition, Query};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, IntoActiveModel, Iterable, QueryFilter, QueryOrder, QuerySelect,
    Select,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::people::policy::Principal;
use crate::record::database::{self, Transaction};
use crate::record::writes::Writes;
use crate::{Result, random};

/// The most chains whose ends one statement reads.
const CHAINS: usize = 500;

/// Who acts, and from where.
#[derive(Debug, Clone)]
pub struct By {
    /// The principal whose rights are used.
    pub principal: Principal,
    /// The network address from which the request came.
    pub address: Option<String>,
    /// The id of the request.
    pub request_id: Option<String>,
    /// The key of the session or token with which the request came.
    pub session: Option<i64>,
    /// The masked address of a mail, such as `g***@county.example`, if the actor is whoever holds the mail and has not
    /// signed in.
    pub mail_holder: Option<String>,
}

impl By {
    /// Returns the program itself as the actor: a command, a job or an import.
    pub fn program() -> Self {
        Self { principal: Principal::local(), address: None, request_id: None, session: None, mail_holder: None }
    }

    /// Returns the key of the account that really acts: the delegate, if there is one.
    pub fn actor(&self) -> Option<i64> {
        self.principal.delegate.or(self.principal.account)
    }

    /// Returns the key of the account on whose behalf a delegate acts, or `None` without a delegate.
    pub fn on_behalf_of(&self) -> Option<i64> {
        self.principal.delegate.and(self.principal.account)
    }
}

/// A change to be recorded.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The name of the chain, such as `problem_7`.
    pub chain: String,
    /// The code of the act.
    pub act: String,
    /// The global id of the object of the act.
    pub object: String,
    /// The key of the measure that it concerns, if any.
    pub measure: Option<i64>,
    /// The key of the assignment that it concerns, if any.
    pub assignment: Option<i64>,
    /// The values before the change.
    pub before: Value,
    /// The values after the change.
    pub after: Value,
}

impl Entry {
    /// An entry about an act on an object, by its global id. It goes into the object's own chain.
    pub fn of(act: impl Into<String>, object: impl Into<String>) -> Self {
        let object = object.into();
        let (before, after) = (json!({}), json!({}));
        Self { chain: object.clone(), act: act.into(), object, measure: None, assignment: None, before, after }
    }

    /// The entry in the chain of a problem instead.
    #[must_use]
    pub fn in_problem(self, problem: i64) -> Self {
        Self { chain: chain_of(problem), ..self }
    }

    /// The entry in the chain of a round instead.
    #[must_use]
    pub fn in_round(self, round: i64) -> Self {
        Self { chain: format!("round_{round}"), ..self }
    }

    /// The entry about a measure, so that whoever sees the measure may read it.
    #[must_use]
    pub fn measure(self, measure: impl Into<Option<i64>>) -> Self {
        Self { measure: measure.into(), ..self }
    }

    /// The entry about an assignment, so that whoever sees the assignment may read it.
    #[must_use]
    pub fn assignment(self, assignment: impl Into<Option<i64>>) -> Self {
        Self { assignment: assignment.into(), ..self }
    }

    /// The entry with the values before and after the change, each an object.
    #[must_use]
    pub fn changed(self, before: Value, after: Value) -> Self {
        Self { before, after, ..self }
    }
}

/// The end of a chain: position and hash of its last entry, or 0 and an empty text if the chain is empty.
pub(crate) type End = (i32, String);

/// Returns the name of the chain of a problem and everything below it.
pub fn chain_of(problem: i64) -> String {
    format!("problem_{problem}")
}

/// Adds an entry to its chain. The caller must have locked the row that owns the chain, so that no one else adds to the
/// chain at the same time.
pub async fn note(db: &Transaction, by: &By, noted: Entry, now: DateTime<Utc>) -> Result<()> {
    let mut writes = Writes::default();
    let end = end(db, &noted.chain).await?;
    write(&mut writes, by, noted, end, now)?;
    writes.send(db).await
}

/// Adds entries, each to a chain of its own. The caller must have locked the rows that own the chains.
pub async fn note_all(db: &Transaction, by: &By, noted: Vec<Entry>, now: DateTime<Utc>) -> Result<()> {
    let mut ends: HashMap<String, End> = HashMap::new();
    for some in noted.chunks(CHAINS) {
        let mut sql = Sql::new(db.get_database_backend(), &[]);
        let chains: Vec<String> = some.iter().map(|entry| sql.bind(entry.chain.clone())).collect();
        let text = format!(
            "SELECT e.chain, e.position, e.hash FROM audit_entry e WHERE e.chain IN ({}) \
             AND e.position = (SELECT max(n.position) FROM audit_entry n WHERE n.chain = e.chain)",
            chains.join(", ")
        );
        for row in db.query_all_raw(sql.statement(text)).await? {
            ends.insert(row.try_get("", "chain")?, (row.try_get("", "position")?, row.try_get("", "hash")?));
        }
    }
    let rows: Result<Vec<_>> = noted
        .into_iter()
        .map(|entry| {
            let end = ends.remove(&entry.chain).unwrap_or_default();
            following(by, entry, end, now)
        })
        .collect();
    Ok(database::insert_all(db, rows?).await?)
}

/// Reads the end of a chain.
pub(crate) async fn end<C: ConnectionTrait>(db: &C, chain: &str) -> Result<End> {
    let columns = [audit_entry::Column::Position, audit_entry::Column::Hash];
    let end: Option<End> = last(chain).columns(columns).into_tuple().one(db).await?;
    Ok(end.unwrap_or_default())
}

/// Writes a column of the last entry of a problem's chain as a subquery. `problem` is the SQL of the problem's key.
pub(crate) fn of_end(problem: &str, column: &str) -> String {
    format!(
        "(SELECT e.{column} FROM audit_entry e WHERE e.chain = 'problem_' || {problem} \
         ORDER BY e.position DESC LIMIT 1)"
    )
}

/// Selects the last entry of a chain, without columns.
fn last(chain: &str) -> Select<audit_entry::Entity> {
    audit_entry::Entity::find()
        .select_only()
        .filter(audit_entry::Column::Chain.eq(chain))
        .order_by_desc(audit_entry::Column::Position)
        .limit(1)
}

/// Adds the entry that follows the end of its chain to the pending writes of an act. The caller must have locked the
/// row that owns the chain since before the end was read.
pub(crate) fn write(writes: &mut Writes, by: &By, noted: Entry, end: End, now: DateTime<Utc>) -> Result<()> {
    writes.insert_one(following(by, noted, end, now)?);
    Ok(())
}

/// Adds the entry that follows the end of its chain to writes that hold the row that owns the chain
/// ([`Writes::holding`]). They fail with a violation if the row cannot be held, or if the chain has grown since its end
/// was read.
pub(crate) fn write_holding(writes: &mut Writes, by: &By, noted: Entry, end: End, now: DateTime<Utc>) -> Result<()> {
    let row = following(by, noted, end, now)?;
    let mut insert = Query::insert().into_table(audit_entry::Entity).to_owned();
    let (mut columns, mut values) = (Vec::new(), Vec::new());
    for column in audit_entry::Column::iter() {
        let Set(value) = row.get(column) else { continue };
        columns.push(column);
        values.push(match column {
            // Null if nothing is held. A place in a chain is taken only once.
            audit_entry::Column::Position => if_held(value),
            _ => value.into(),
        });
    }
    insert.columns(columns).values(values).map_err(|error| DbErr::Custom(error.to_string()))?;
    writes.insert(insert);
    Ok(())
}

/// Returns the row of the entry that follows the end of its chain.
fn following(by: &By, noted: Entry, (position, previous): End, now: DateTime<Utc>) -> Result<audit_entry::ActiveModel> {
    let mut after = noted.after;
    if let (Some(holder), Value::Object(after)) = (&by.mail_holder, &mut after) {
        after.insert("mailHolder".to_owned(), holder.as_str().into());
    }
    let salted = by.address.as_deref().map(salted).transpose()?;
    let (address_salt, address_digest) = salted.unzip();
    let mut entry = audit_entry::Model {
        id: 0,
        chain: noted.chain,
        position: position + 1,
        act: noted.act,
        object: noted.object,
        measure_id: noted.measure,
        assignment_id: noted.assignment,
        // The databases store microseconds, and the hash has to cover what they store.
        at: now.trunc_subsecs(6),
        actor_id: by.actor(),
        on_behalf_of_id: by.on_behalf_of(),
        address: by.address.clone(),
        address_digest,
        address_salt,
        request_id: by.request_id.clone(),
        before: noted.before.to_string(),
        after: after.to_string(),
        previous,
        hash: String::new(),
    };
    entry.hash = hash(&entry);
    let mut row = entry.into_active_model().reset_all();
    row.id = NotSet;
    Ok(row)
}

/// The prefix of an address's digest where it is hashed. No address begins with it, so the two cannot be confused.
pub(super) const DIGEST: &str = "sha256:";

/// Creates a salt for an address. Returns the salt, and the digest of both.
fn salted(address: &str) -> Result<(String, String)> {
    let salt = random::hexadecimal()?[..32].to_owned();
    let digest = address_digest(&salt, address);
    Ok((salt, digest))
}

/// Returns the SHA-256, in hexadecimal, of a salt in its written form, followed by a network address. The hash of an
/// entry covers this digest in place of the address.
pub fn address_digest(salt: &str, address: &str) -> String {
    hex::encode(Sha256::digest(format!("{salt}{address}")))
}

/// Returns the parts of an entry that are hashed, in this order, each with its name in a dossier.
///
/// The hash covers a digest of the network address in place of the address, so that a reader who may not see the
/// address can check the hash. Entries from before there were digests hash the address itself.
pub fn parts(entry: &audit_entry::Model) -> [(&'static str, String); 14] {
    let number = |id: Option<i64>| id.map(|id| id.to_string()).unwrap_or_default();
    let from = match &entry.address_digest {
        Some(digest) => ("addressDigest", format!("{DIGEST}{digest}")),
        None => ("address", entry.address.clone().unwrap_or_default()),
    };
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
        from,
        ("requestId", entry.request_id.clone().unwrap_or_default()),
        ("before", entry.before.clone()),
        ("after", entry.after.clone()),
    ]
}

/// Returns the hash of an entry: the SHA-256, in hexadecimal, of its parts. The length of each part precedes it as 8
/// bytes, big-endian, so that no two different entries have the same input.
pub fn hash(entry: &audit_entry::Model) -> String {
    let mut sha = Sha256::new();
    for (_, part) in parts(entry) {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part.as_bytes());
    }
    hex::encode(sha.finalize())
}

/// Returns an entry with everything that was hashed, and its hash, for use outside its chain.
///
/// The network address and the salt of its digest are included only if `with_address`, for readers who may see them.
/// Other readers cannot check a hash that covers the address itself; such an entry is marked `isAddressWithheld`.
pub(crate) fn entire(entry: &audit_entry::Model, with_address: bool) -> Value {
    let mut members: Map<String, Value> =
        parts(entry).into_iter().map(|(name, part)| (name.to_owned(), part.into())).collect();
    members.insert("hash".to_owned(), entry.hash.as_str().into());
    let (is_digested, has_address) = (entry.address_digest.is_some(), entry.address.is_some());
    if with_address && is_digested {
        members.insert("address".to_owned(), entry.address.as_deref().into());
        members.insert("addressSalt".to_owned(), entry.address_salt.as_deref().into());
    } else if !with_address && !is_digested && has_address {
        members.remove("address");
        members.insert("isAddressWithheld".to_owned(), true.into());
    }
    members.into()
}

/// Returns the entries that match a condition, oldest first. A merge stores them in its own entry, as the history of
/// what was merged.
pub(crate) async fn history<C: ConnectionTrait>(db: &C, of: impl IntoCondition) -> Result<Vec<Value>> {
    let noted = audit_entry::Entity::find().filter(of).order_by_asc(audit_entry::Column::Id).all(db).await?;
    let told = |entry: &audit_entry::Model| {
        let mut told = entire(entry, false);
        // Only those who run the system may see where a request came from. The hash identifies the entry that has it.
        if let Some(members) = told.as_object_mut() {
            let left_out = ["address", "addressDigest", "isAddressWithheld", "requestId", "previous"];
            members.retain(|name, _| !left_out.contains(&name.as_str()));
        }
        told
    };
    Ok(noted.iter().map(told).collect())
}

/// Returns the last entries of a chain, newest first and at most `most`, to show users what was recorded about them.
pub(crate) async fn of_chain<C: ConnectionTrait>(db: &C, chain: &str, most: u64) -> Result<Vec<Value>> {
    let noted = audit_entry::Entity::find()
        .filter(audit_entry::Column::Chain.eq(chain))
        .order_by_desc(audit_entry::Column::Position)
        .limit(most)
        .all(db)
        .await?;
    let told = |entry: audit_entry::Model| {
        let after: Value = serde_json::from_str(&entry.after).unwrap_or_default();
        serde_json::json!({ "act": entry.act, "at": entry.at, "address": entry.address, "after": after })
    };
    Ok(noted.into_iter().map(told).collect())
}

/// Returns the name of the chain of a problem, preceded by those of the problems that were merged into it.
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

/// The code of a merge. Its entry is in the chain of what remains, and its `before.merged` is the global id of what was
/// merged into it.
pub(crate) const MERGED: &str = "MERGED";
