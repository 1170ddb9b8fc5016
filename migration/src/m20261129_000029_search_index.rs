//! The index of searches: for each table with texts and each pair of adjacent characters, the keys of the rows that
//! have it, and the rows that were written since and wait to be indexed. Triggers note these, whoever writes.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, integer, string, text};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::Draft;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables that are indexed, and the columns of their texts.
const INDEXED: &[(&str, &str)] = &[
    ("problem", "number, title, description"),
    ("measure", "number, content"),
    ("inspection_case", "number, summary"),
    ("inspection_round", "name"),
    ("unit", "name"),
    ("comment", "text"),
    ("case_report", "text"),
    ("progress_report", "text"),
];

/// The trigger functions of PostgreSQL: one for the rows of an insert together, one for a row that is changed.
const FUNCTIONS: &str = "CREATE FUNCTION search_inserted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    INSERT INTO search_pending (noun, row_key) SELECT TG_TABLE_NAME, id FROM written; RETURN NULL; END $$; \
    CREATE FUNCTION search_updated() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    INSERT INTO search_pending (noun, row_key) VALUES (TG_TABLE_NAME, NEW.id); RETURN NULL; END $$;";

/// Returns the statements that create the triggers of a table.
fn triggers(backend: DbBackend, table: &str, columns: &str) -> String {
    let changed: Vec<String> = columns
        .split(", ")
        .map(|column| match backend {
            DbBackend::Postgres => format!("OLD.{column} IS DISTINCT FROM NEW.{column}"),
            _ => format!("OLD.{column} IS NOT NEW.{column}"),
        })
        .collect();
    let changed = changed.join(" OR ");
    match backend {
        DbBackend::Postgres => format!(
            "CREATE TRIGGER search_inserted AFTER INSERT ON {table} REFERENCING NEW TABLE AS written \
             FOR EACH STATEMENT EXECUTE FUNCTION search_inserted(); \
             CREATE TRIGGER search_updated AFTER UPDATE OF {columns} ON {table} FOR EACH ROW WHEN ({changed}) \
             EXECUTE FUNCTION search_updated();"
        ),
        _ => format!(
            "CREATE TRIGGER search_inserted_{table} AFTER INSERT ON {table} BEGIN \
             INSERT INTO search_pending (noun, row_key) VALUES ('{table}', NEW.id); END; \
             CREATE TRIGGER search_updated_{table} AFTER UPDATE OF {columns} ON {table} WHEN {changed} BEGIN \
             INSERT INTO search_pending (noun, row_key) VALUES ('{table}', NEW.id); END;"
        ),
    }
}

/// Creates the triggers, and notes all rows.
pub(crate) async fn begin_noting<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    let backend = db.get_database_backend();
    if backend == DbBackend::Postgres {
        db.execute_unprepared(FUNCTIONS).await?;
    }
    for (table, columns) in INDEXED {
        db.execute_unprepared(&triggers(backend, table, columns)).await?;
        db.execute_unprepared(&format!(
            "INSERT INTO search_pending (noun, row_key) SELECT '{table}', id FROM {table} ORDER BY id"
        ))
        .await?;
    }
    Ok(())
}

/// Drops the triggers.
pub(crate) async fn end_noting<C: ConnectionTrait>(db: &C) -> Result<(), DbErr> {
    let is_postgres = db.get_database_backend() == DbBackend::Postgres;
    for (table, _) in INDEXED {
        for event in ["search_inserted", "search_updated"] {
            let drop = if is_postgres {
                format!("DROP TRIGGER {event} ON {table}")
            } else {
                format!("DROP TRIGGER {event}_{table}")
            };
            db.execute_unprepared(&drop).await?;
        }
    }
    if is_postgres {
        db.execute_unprepared("DROP FUNCTION search_inserted(); DROP FUNCTION search_updated();").await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let grams = Draft::new("search_gram").col(string("noun")).col(string("gram")).col(integer("size"));
        grams.col(text("row_keys")).primary_key(&["noun", "gram"]).create(manager).await?;
        let pending = Draft::with_id("search_pending").col(string("noun")).col(big_integer("row_key"));
        pending.index(&["noun", "row_key"]).create(manager).await?;
        let db = manager.get_connection();
        let backend = db.get_database_backend();
        if backend == DbBackend::Postgres {
            // Its rows live for a minute, and each search reads over the dead ones.
            db.execute_unprepared(
                "ALTER TABLE search_pending SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)",
            )
            .await?;
        }
        begin_noting(db).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        end_noting(manager.get_connection()).await?;
        for table in ["search_pending", "search_gram"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
