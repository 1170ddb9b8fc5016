//! Keeps the index of searches: the grams of the texts that people search (see [`planner::grams`]).
//!
//! Triggers note each row that is written in `search_pending`, so that a write costs no more than that. [`settle`]
//! later adds the grams of these rows to `search_gram`. Until then, searches look at the rows themselves. What a text
//! no longer has stays in the index: it only narrows searches.

use std::collections::{BTreeMap, BTreeSet};

use planner::{MOST, Sql, grams};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::json;

use crate::Result;
use crate::record::database::{self, Transaction};

/// The most rows that are indexed in one transaction.
const BATCH: usize = 2_000;
/// The most grams in one statement.
const CHUNK: usize = 10_000;

/// The tables that are indexed, and the SQL of the texts of a row.
const INDEXED: &[(&str, &str)] = &[
    ("problem", "coalesce(number || ' ', '') || title || coalesce(' ' || description, '')"),
    ("measure", "coalesce(number || ' ', '') || content"),
    ("inspection_case", "number || ' ' || summary"),
    ("inspection_round", "name"),
    ("unit", "name"),
    ("comment", "text"),
    ("case_report", "coalesce(text, '')"),
    ("progress_report", "text"),
];

/// Indexes the rows that were written since the last time, in batches with a transaction each, and returns how many
/// there were.
pub async fn settle(db: &DatabaseConnection) -> Result<usize> {
    let mut settled = 0;
    loop {
        let there = Statement::from_string(db.get_database_backend(), "SELECT 1 FROM search_pending LIMIT 1");
        if db.query_one_raw(there).await?.is_none() {
            return Ok(settled);
        }
        let transaction = database::begin(db).await?;
        let batch = index_batch(&transaction).await?;
        transaction.commit().await?;
        settled += batch;
        if batch < BATCH {
            return Ok(settled);
        }
    }
}

/// Indexes the rows that wait longest, and returns how many there were.
async fn index_batch(db: &Transaction) -> Result<usize> {
    let backend = db.get_database_backend();
    // Another scheduler may be at work on others. A row that is written meanwhile is noted again.
    let lock = if backend == DbBackend::Postgres { " FOR UPDATE SKIP LOCKED" } else { "" };
    let waiting = format!("SELECT id, noun, row_key FROM search_pending ORDER BY id LIMIT {BATCH}{lock}");
    let waiting = db.query_all_raw(Statement::from_string(backend, waiting)).await?;
    let mut entries = Vec::with_capacity(waiting.len());
    let mut keys: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for row in &waiting {
        entries.push(row.try_get::<i64>("", "id")?);
        keys.entry(row.try_get("", "noun")?).or_default().insert(row.try_get("", "row_key")?);
    }
    // In this order, two schedulers never wait for each other.
    let mut found: BTreeMap<(&str, String), Vec<String>> = BTreeMap::new();
    for (table, texts) in INDEXED {
        let Some(keys) = keys.get(*table) else { continue };
        let mut sql = Sql::new(backend, &[]);
        let among = sql.among(keys.iter().copied());
        let text = format!("SELECT id, {texts} AS texts FROM {table} WHERE id {among}");
        for row in db.query_all_raw(sql.statement(text)).await? {
            let (key, texts): (i64, String) = (row.try_get("", "id")?, row.try_get("", "texts")?);
            for gram in grams(&texts) {
                found.entry((table, gram)).or_default().push(key.to_string());
            }
        }
    }
    let found: Vec<_> =
        found.iter().map(|((table, gram), keys)| json!([table, gram, keys.len(), keys.join(",")])).collect();
    for chunk in found.chunks(CHUNK) {
        add(db, chunk).await?;
    }
    let mut sql = Sql::new(backend, &[]);
    let among = sql.among(entries);
    db.execute_raw(sql.statement(format!("DELETE FROM search_pending WHERE id {among}"))).await?;
    Ok(waiting.len())
}

/// Adds keys to grams. The keys of a gram that too many rows have are forgotten.
async fn add(db: &Transaction, found: &[serde_json::Value]) -> Result<()> {
    let mut sql = Sql::new(db.get_database_backend(), &[]);
    let columns = [("noun", "text"), ("gram", "text"), ("size", "integer"), ("row_keys", "text")];
    let rows = sql.rows(&found.into(), &columns);
    let text = format!(
        "INSERT INTO search_gram (noun, gram, size, row_keys) SELECT noun, gram, size, row_keys FROM {rows} found \
         WHERE TRUE ON CONFLICT (noun, gram) DO UPDATE SET size = search_gram.size + excluded.size, \
         row_keys = CASE WHEN search_gram.size + excluded.size <= {MOST} \
         THEN search_gram.row_keys || ',' || excluded.row_keys ELSE '' END"
    );
    db.execute_raw(sql.statement(text)).await?;
    Ok(())
}
