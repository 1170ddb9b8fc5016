//! Gives the names of units, regions and accounts the keys by which they are ordered, where these are missing: after
//! the upgrade that introduced them.

use planner::Sql;
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use serde_json::{Value, json};

use super::database;
use crate::Result;
use crate::rule::name_order::name_order;

/// The tables whose rows have names that are ordered.
const TABLES: &[&str] = &["unit", "region", "account"];
/// The most rows in one statement.
const CHUNK: usize = 5_000;

/// Writes the keys that are missing.
pub async fn ensure(db: &DatabaseConnection) -> Result<()> {
    let backend = db.get_database_backend();
    for table in TABLES {
        let missing = format!("SELECT id, name FROM {table} WHERE name_order = '' AND name <> ''");
        let missing = db.query_all_raw(Statement::from_string(backend, missing)).await?;
        if missing.is_empty() {
            continue;
        }
        let transaction = database::begin(db).await?;
        for chunk in missing.chunks(CHUNK) {
            let mut rows = Vec::with_capacity(chunk.len());
            for row in chunk {
                let (id, name): (i64, String) = (row.try_get("", "id")?, row.try_get("", "name")?);
                rows.push(json!([id, name_order(&name)]));
            }
            let mut sql = Sql::new(backend, &[]);
            let keys = sql.rows(&Value::Array(rows), &[("id", "bigint"), ("key", "text")]);
            let text = format!("UPDATE {table} SET name_order = k.key FROM {keys} k WHERE {table}.id = k.id");
            transaction.execute_raw(sql.statement(text)).await?;
        }
        transaction.commit().await?;
    }
    Ok(())
}
