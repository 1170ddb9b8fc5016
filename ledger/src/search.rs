//! Keeps the index of searches: the grams of the texts that people search (see [`planner::grams`]).
//!
//! Triggers note each row that is written in `search_pending`, with the text that it had, so that a write costs no more
//! than that. [`index_pending`] later takes the grams that a text no longer has out of `search_gram`, and adds those
//! that it has now. Until then, searches look at the rows themselves.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use planner::{MAX_KEYS, Sql, grams};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, IsolationLevel, QueryResult, Statement, TransactionOptions,
};
use serde_json::{Value as Json, json};

use crate::Result;
use crate::record::database::{self, Transaction};

/// The most rows that are indexed in one transaction.
const BATCH: usize = 2_000;
/// The most grams in one statement.
const CHUNK: usize = 10_000;
/// The key of the advisory lock on PostgreSQL under which the index is written. An arbitrary constant.
const LOCK: i64 = 0x5345_4152_4348;

/// The texts that are indexed: the name under which they are, the table, and the SQL of the text of a row.
const INDEXED: &[(&str, &str, &str)] = &[
    ("problem", "problem", "title || coalesce(' ' || description, '')"),
    ("problem_title", "problem", "title"),
    ("problem_number", "problem", "coalesce(number, '')"),
    ("measure", "measure", "content"),
    ("measure_number", "measure", "coalesce(number, '')"),
    ("inspection_case", "inspection_case", "summary"),
    ("inspection_case_number", "inspection_case", "number"),
    ("inspection_round", "inspection_round", "name"),
    ("unit", "unit", "name"),
    ("comment", "comment", "text"),
    ("case_report", "case_report", "coalesce(text, '')"),
    ("progress_report", "progress_report", "text"),
];

/// Indexes the rows that were written since the last time, in batches with a transaction each, and returns how many
/// there were. What another process is indexing is left to it.
pub async fn index_pending(db: &DatabaseConnection) -> Result<usize> {
    let mut settled = 0;
    loop {
        let there = Statement::from_string(db.get_database_backend(), "SELECT 1 FROM search_pending LIMIT 1");
        if db.query_one_raw(there).await?.is_none() {
            return Ok(settled);
        }
        let transaction = database::begin(db).await?;
        if !is_alone(&transaction).await? {
            return Ok(settled);
        }
        let batch = index_batch(&transaction).await?;
        transaction.commit().await?;
        if batch == 0 {
            return Ok(settled);
        }
        settled += batch;
    }
}

/// Counts the rows that wait to be indexed.
pub async fn waiting(db: &DatabaseConnection) -> Result<u64> {
    let count = Statement::from_string(db.get_database_backend(), "SELECT count(*) AS waiting FROM search_pending");
    let row = db.query_one_raw(count).await?;
    Ok(row.map(|row| row.try_get::<i64>("", "waiting")).transpose()?.unwrap_or_default().unsigned_abs())
}

/// Notes all rows to be indexed anew, in a transaction that the next [`index_pending`] follows. Searches read the texts
/// until that is done.
pub async fn rebuild(db: &DatabaseConnection) -> Result<()> {
    let transaction = database::begin(db).await?;
    transaction.without_time_limit().await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        transaction.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({LOCK})")).await?;
    }
    for (noun, table, _) in INDEXED {
        let note = format!("INSERT INTO search_pending (noun, row_key) SELECT '{noun}', id FROM {table} ORDER BY id");
        transaction.execute_unprepared(&note).await?;
    }
    // After the notes: a row that is written or deleted in between then counts as not indexed, which it is.
    transaction.execute_unprepared("DELETE FROM search_pending WHERE was IS NOT NULL").await?;
    transaction.execute_unprepared("DELETE FROM search_gram").await?;
    Ok(transaction.commit().await?)
}

/// Returns for how many grams the index has other rows, or another number of rows, than the texts that it was made of.
/// Takes as long as it needs, and keeps nobody from writing.
pub async fn differences(db: &DatabaseConnection) -> Result<usize> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    let options = TransactionOptions {
        isolation_level: is_postgres.then_some(IsolationLevel::RepeatableRead),
        ..TransactionOptions::default()
    };
    let db = database::begin_with(db, options).await?;
    db.without_time_limit().await?;
    let mut differences = 0;
    for (noun, table, text) in INDEXED {
        let mut counted = counted(&db, noun, table, text).await?;
        let mut after = String::new();
        loop {
            let stored = stored_after(&db, noun, &after).await?;
            let Some(last) = stored.last() else { break };
            after.clone_from(&last.gram);
            let differing = stored.iter().filter(|entry| {
                let (size, keys) = counted.remove(&entry.gram).unwrap_or_default();
                size != entry.size || entry.keys.as_ref().is_some_and(|stored| *stored != keys)
            });
            differences += differing.count();
        }
        differences += counted.len();
    }
    db.rollback().await?;
    Ok(differences)
}

/// The rows that have a gram: how many there are, and their keys, which are not complete if there are too many.
type Counted = HashMap<String, (i64, BTreeSet<i64>)>;

/// Counts the grams of the texts that the index was made of: those of all rows, but of the rows that wait what they had
/// when they were indexed.
async fn counted(db: &Transaction, noun: &str, table: &str, text: &str) -> Result<Counted> {
    let mut counted = Counted::new();
    let mut count = |key: i64, text: &str| {
        for gram in grams(text) {
            let (size, keys) = counted.entry(gram).or_default();
            *size += 1;
            if keys.len() <= MAX_KEYS {
                keys.insert(key);
            }
        }
    };
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let name = sql.bind(noun);
    let indexed = format!(
        "SELECT DISTINCT p.row_key AS id, {INDEXED_AS} AS text FROM search_pending p WHERE p.noun = {name} ORDER BY id"
    );
    let mut waiting = BTreeSet::new();
    for row in db.query_all_raw(sql.statement(indexed)).await? {
        let (key, text): (i64, Option<String>) = (row.try_get("", "id")?, row.try_get("", "text")?);
        waiting.insert(key);
        count(key, text.as_deref().unwrap_or_default());
    }
    let mut after = 0_i64;
    loop {
        let mut sql = Sql::new(db.get_database_backend(), &[]);
        let bound = sql.bind(after);
        let rows = format!("SELECT id, {text} AS text FROM {table} WHERE id > {bound} ORDER BY id LIMIT {BATCH}");
        let rows = db.query_all_raw(sql.statement(rows)).await?;
        for row in &rows {
            let (key, text): (i64, String) = (row.try_get("", "id")?, row.try_get("", "text")?);
            after = key;
            if !waiting.contains(&key) {
                count(key, &text);
            }
        }
        if rows.len() < BATCH {
            return Ok(counted);
        }
    }
}

/// SQL for the text that the index has of the row of the note `p`; null if the row is not indexed.
const INDEXED_AS: &str = "CASE WHEN NOT EXISTS (SELECT 1 FROM search_pending n WHERE n.noun = p.noun \
    AND n.row_key = p.row_key AND n.was IS NULL) THEN (SELECT n.was FROM search_pending n WHERE n.noun = p.noun \
    AND n.row_key = p.row_key ORDER BY n.id LIMIT 1) END";

/// A gram as it is stored. Its keys are known only if there are not too many.
struct Entry {
    gram: String,
    size: i64,
    keys: Option<BTreeSet<i64>>,
}

impl Entry {
    fn read(row: &QueryResult) -> Result<Self> {
        let (gram, size, keys): (String, i32, String) =
            (row.try_get("", "gram")?, row.try_get("", "size")?, row.try_get("", "row_keys")?);
        let read = |keys: &str| keys.split(',').filter_map(|key| key.parse().ok()).collect();
        Ok(Self { gram, size: size.into(), keys: (!keys.is_empty()).then(|| read(&keys)) })
    }
}

/// Reads the stored grams of a noun that come after one.
async fn stored_after(db: &Transaction, noun: &str, after: &str) -> Result<Vec<Entry>> {
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let (noun, after) = (sql.bind(noun), sql.bind(after));
    let text = format!(
        "SELECT gram, size, row_keys FROM search_gram WHERE noun = {noun} AND gram > {after} \
         ORDER BY gram LIMIT {BATCH}"
    );
    db.query_all_raw(sql.statement(text)).await?.iter().map(Entry::read).collect()
}

/// Returns whether this transaction writes the index alone. Two that take out and add grams at once would do so in
/// different orders.
async fn is_alone(db: &Transaction) -> Result<bool> {
    let backend = db.get_database_backend();
    if backend != DbBackend::Postgres {
        return Ok(true);
    }
    let lock = format!("SELECT pg_try_advisory_xact_lock({LOCK}) AS alone");
    let row = db.query_one_raw(Statement::from_string(backend, lock)).await?;
    Ok(row.map(|row| row.try_get("", "alone")).transpose()?.unwrap_or_default())
}

/// The keys that a gram gains and loses.
#[derive(Default)]
struct Difference {
    gained: Vec<i64>,
    lost: BTreeSet<i64>,
}

/// Indexes the rows that wait longest, and returns how many there were.
async fn index_batch(db: &Transaction) -> Result<usize> {
    let backend = db.get_database_backend();
    let sql = Sql::new(backend, &[]);
    let notes = sql.joined("n.id", "search_pending n WHERE n.noun = p.noun AND n.row_key = p.row_key");
    let texts: Vec<String> = INDEXED
        .iter()
        .map(|(noun, table, text)| format!("WHEN '{noun}' THEN (SELECT {text} FROM {table} WHERE id = p.row_key)"))
        .collect();
    // One statement, so that the notes and the texts are of one moment. A row that is written meanwhile is noted again.
    let text = format!(
        "SELECT p.noun, p.row_key, {notes} AS notes, {INDEXED_AS} AS was, CASE p.noun {} END AS text FROM \
         (SELECT DISTINCT noun, row_key FROM (SELECT noun, row_key FROM search_pending ORDER BY id LIMIT {BATCH}) w) p",
        texts.join(" ")
    );
    let waiting = db.query_all_raw(Statement::from_string(backend, text)).await?;
    let mut read: Vec<i64> = Vec::with_capacity(waiting.len());
    let mut differences: BTreeMap<(String, String), Difference> = BTreeMap::new();
    for row in &waiting {
        let (noun, key, notes): (String, i64, String) =
            (row.try_get("", "noun")?, row.try_get("", "row_key")?, row.try_get("", "notes")?);
        read.extend(notes.split(',').filter_map(|note| note.parse::<i64>().ok()));
        let of = |column: &str| -> Result<BTreeSet<String>> {
            let text: Option<String> = row.try_get("", column)?;
            Ok(text.map(|text| grams(&text)).unwrap_or_default())
        };
        let (was, is) = (of("was")?, of("text")?);
        for gram in was.difference(&is) {
            differences.entry((noun.clone(), gram.clone())).or_default().lost.insert(key);
        }
        for gram in is.difference(&was) {
            differences.entry((noun.clone(), gram.clone())).or_default().gained.push(key);
        }
    }
    let losing: Vec<_> = differences.iter().filter(|(_, difference)| !difference.lost.is_empty()).collect();
    for chunk in losing.chunks(CHUNK) {
        take_out(db, chunk).await?;
    }
    let gaining = differences.iter().filter(|(_, difference)| !difference.gained.is_empty());
    let gaining: Vec<_> = gaining
        .map(|((noun, gram), Difference { gained, .. })| json!([noun, gram, gained.len(), joined(gained)]))
        .collect();
    for chunk in gaining.chunks(CHUNK) {
        add(db, chunk).await?;
    }
    let mut sql = Sql::new(backend, &[]);
    let among = sql.among(read);
    db.execute_raw(sql.statement(format!("DELETE FROM search_pending WHERE id {among}"))).await?;
    Ok(waiting.len())
}

/// The columns of a gram in statements over several.
const COLUMNS: &[(&str, &str)] = &[("noun", "text"), ("gram", "text"), ("size", "integer"), ("row_keys", "text")];

/// Takes keys out of grams. A gram that no row has any more is deleted.
async fn take_out(db: &Transaction, losing: &[(&(String, String), &Difference)]) -> Result<()> {
    let backend = db.get_database_backend();
    let mut sql = Sql::new(backend, &[]);
    let wanted: Vec<_> = losing.iter().map(|((noun, gram), _)| json!([noun, gram])).collect();
    let wanted = sql.rows(&wanted.into(), &COLUMNS[..2]);
    let text = format!(
        "SELECT g.noun, g.gram, g.size, g.row_keys FROM {wanted} w \
         JOIN search_gram g ON g.noun = w.noun AND g.gram = w.gram"
    );
    let lost: HashMap<(&str, &str), &BTreeSet<i64>> =
        losing.iter().map(|((noun, gram), difference)| ((noun.as_str(), gram.as_str()), &difference.lost)).collect();
    let (mut smaller, mut gone): (Vec<Json>, Vec<Json>) = (Vec::new(), Vec::new());
    for row in db.query_all_raw(sql.statement(text)).await? {
        let (noun, entry): (String, Entry) = (row.try_get("", "noun")?, Entry::read(&row)?);
        let Some(lost) = lost.get(&(noun.as_str(), entry.gram.as_str())) else { continue };
        let size = entry.size - lost.len() as i64;
        if size > 0 {
            let keys = entry.keys.unwrap_or_default();
            smaller.push(json!([noun, entry.gram, size, joined(keys.difference(lost))]));
        } else {
            gone.push(json!([noun, entry.gram]));
        }
    }
    let mut sql = Sql::new(backend, &[]);
    let rows = sql.rows(&smaller.into(), COLUMNS);
    let text = format!(
        "UPDATE search_gram SET size = f.size, row_keys = f.row_keys FROM {rows} f \
         WHERE search_gram.noun = f.noun AND search_gram.gram = f.gram"
    );
    db.execute_raw(sql.statement(text)).await?;
    let mut sql = Sql::new(backend, &[]);
    let rows = sql.rows(&gone.into(), &COLUMNS[..2]);
    let text = format!("DELETE FROM search_gram WHERE (noun, gram) IN (SELECT noun, gram FROM {rows} f)");
    db.execute_raw(sql.statement(text)).await?;
    Ok(())
}

/// Adds keys to grams. The keys of a gram that too many rows have are forgotten, and not known again before the index
/// is rebuilt; its number stays right.
async fn add(db: &Transaction, gaining: &[Json]) -> Result<()> {
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let rows = sql.rows(&gaining.into(), COLUMNS);
    let text = format!(
        "INSERT INTO search_gram (noun, gram, size, row_keys) SELECT noun, gram, size, row_keys FROM {rows} found \
         WHERE TRUE ON CONFLICT (noun, gram) DO UPDATE SET size = search_gram.size + excluded.size, \
         row_keys = CASE WHEN search_gram.row_keys <> '' AND search_gram.size + excluded.size <= {MAX_KEYS} \
         THEN search_gram.row_keys || ',' || excluded.row_keys ELSE '' END"
    );
    db.execute_raw(sql.statement(text)).await?;
    Ok(())
}

fn joined<'k>(keys: impl IntoIterator<Item = &'k i64>) -> String {
    keys.into_iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}
