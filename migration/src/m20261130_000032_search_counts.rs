//! Exact counts in the index of searches: what waits to be indexed also says which text the index has of the row, so
//! that its pairs can be taken out again. Rows that are deleted are noted too. Numbers are indexed apart from texts,
//! because searches look for them apart, and titles once more by themselves, because hits in them come first.
//! Everything is noted to be indexed anew. The list of milestones gets an index of its order.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::m20261129_000029_search_index::{begin_noting, end_noting};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The texts that are indexed together: the name under which they are, the table and its columns.
const INDEXED: &[(&str, &str, &[&str])] = &[
    ("problem", "problem", &["title", "description"]),
    ("problem_title", "problem", &["title"]),
    ("problem_number", "problem", &["number"]),
    ("measure", "measure", &["content"]),
    ("measure_number", "measure", &["number"]),
    ("inspection_case", "inspection_case", &["summary"]),
    ("inspection_case_number", "inspection_case", &["number"]),
    ("inspection_round", "inspection_round", &["name"]),
    ("unit", "unit", &["name"]),
    ("comment", "comment", &["text"]),
    ("case_report", "case_report", &["text"]),
    ("progress_report", "progress_report", &["text"]),
];

/// The index in the order of the list of milestones.
const MILESTONES: &str = "CREATE INDEX ix_milestone_due_on_position_id ON milestone (due_on, position, id)";

/// The trigger functions of PostgreSQL: one for the rows of an insert together, one for a row that is changed or
/// deleted. Their arguments are a name of the index, and the columns.
const FUNCTIONS: &str = "CREATE FUNCTION search_inserted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    INSERT INTO search_pending (noun, row_key) SELECT TG_ARGV[0], id FROM written; RETURN NULL; END $$; \
    CREATE FUNCTION search_changed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
    INSERT INTO search_pending (noun, row_key, was) VALUES (TG_ARGV[0], OLD.id, \
    concat_ws(' ', to_jsonb(OLD) ->> TG_ARGV[1], to_jsonb(OLD) ->> TG_ARGV[2])); RETURN NULL; END $$;";

/// Returns the statements that create the triggers of some texts.
fn triggers(backend: DbBackend, noun: &str, table: &str, columns: &[&str]) -> String {
    let differs = if backend == DbBackend::Postgres { "IS DISTINCT FROM" } else { "IS NOT" };
    let changed: Vec<String> = columns.iter().map(|column| format!("OLD.{column} {differs} NEW.{column}")).collect();
    let (changed, listed) = (changed.join(" OR "), columns.join(", "));
    if backend == DbBackend::Postgres {
        let arguments = format!("'{noun}', '{}'", columns.join("', '"));
        return format!(
            "CREATE TRIGGER search_inserted_{noun} AFTER INSERT ON {table} REFERENCING NEW TABLE AS written \
             FOR EACH STATEMENT EXECUTE FUNCTION search_inserted({arguments}); \
             CREATE TRIGGER search_updated_{noun} AFTER UPDATE OF {listed} ON {table} FOR EACH ROW WHEN ({changed}) \
             EXECUTE FUNCTION search_changed({arguments}); \
             CREATE TRIGGER search_deleted_{noun} AFTER DELETE ON {table} FOR EACH ROW \
             EXECUTE FUNCTION search_changed({arguments});"
        );
    }
    let was: Vec<String> = columns.iter().map(|column| format!("coalesce(OLD.{column} || ' ', '')")).collect();
    let note = format!(
        "BEGIN INSERT INTO search_pending (noun, row_key, was) VALUES ('{noun}', OLD.id, rtrim({})); END;",
        was.join(" || ")
    );
    format!(
        "CREATE TRIGGER search_inserted_{noun} AFTER INSERT ON {table} BEGIN \
         INSERT INTO search_pending (noun, row_key) VALUES ('{noun}', NEW.id); END; \
         CREATE TRIGGER search_updated_{noun} AFTER UPDATE OF {listed} ON {table} WHEN {changed} {note} \
         CREATE TRIGGER search_deleted_{noun} AFTER DELETE ON {table} {note}"
    )
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let backend = db.get_database_backend();
        db.execute_unprepared(MILESTONES).await?;
        end_noting(db).await?;
        db.execute_unprepared(
            "DELETE FROM search_gram; DELETE FROM search_pending; ALTER TABLE search_pending ADD COLUMN was text",
        )
        .await?;
        if backend == DbBackend::Postgres {
            db.execute_unprepared(FUNCTIONS).await?;
        }
        for (noun, table, columns) in INDEXED {
            db.execute_unprepared(&triggers(backend, noun, table, columns)).await?;
            db.execute_unprepared(&format!(
                "INSERT INTO search_pending (noun, row_key) SELECT '{noun}', id FROM {table} ORDER BY id"
            ))
            .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let is_postgres = db.get_database_backend() == DbBackend::Postgres;
        db.execute_unprepared("DROP INDEX ix_milestone_due_on_position_id").await?;
        for (noun, table, _) in INDEXED {
            for event in ["inserted", "updated", "deleted"] {
                let of = if is_postgres { format!(" ON {table}") } else { String::new() };
                db.execute_unprepared(&format!("DROP TRIGGER search_{event}_{noun}{of}")).await?;
            }
        }
        if is_postgres {
            db.execute_unprepared("DROP FUNCTION search_inserted(); DROP FUNCTION search_changed();").await?;
        }
        db.execute_unprepared(
            "DELETE FROM search_gram; DELETE FROM search_pending; ALTER TABLE search_pending DROP COLUMN was",
        )
        .await?;
        begin_noting(db).await
    }
}
