//! Lets people keep the decisions about imports: who made them, and a version. Gives leaders a mail address.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// On PostgreSQL, columns and constraints are added to the table of decisions.
const POSTGRES: &[&str] = &[
    "ALTER TABLE import_decision ADD COLUMN decider_id bigint",
    "ALTER TABLE import_decision ADD CONSTRAINT fk_import_decision_decider_id FOREIGN KEY (decider_id) \
     REFERENCES account (id) ON DELETE RESTRICT",
    "ALTER TABLE import_decision ADD COLUMN version integer NOT NULL DEFAULT 1",
    "ALTER TABLE import_decision ALTER COLUMN version DROP DEFAULT",
    "UPDATE import_decision SET topic = upper(replace(topic, '-', '_'))",
    "ALTER TABLE import_decision ADD CONSTRAINT import_decision_topic_check \
     CHECK (topic IN ('COLUMNS', 'DEADLINES', 'LEADS', 'NOT_APPLICABLE'))",
];
const POSTGRES_BEFORE: &[&str] = &[
    "ALTER TABLE import_decision DROP CONSTRAINT import_decision_topic_check",
    "ALTER TABLE import_decision DROP COLUMN version",
    "ALTER TABLE import_decision DROP COLUMN decider_id",
    "UPDATE import_decision SET topic = lower(replace(topic, '_', '-'))",
];

/// SQLite cannot add a CHECK constraint, so the table is recreated.
const SQLITE: &[&str] = &[
    "CREATE TABLE import_decision_next (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, \
     region_id integer NOT NULL REFERENCES region (id) ON DELETE CASCADE, topic varchar NOT NULL \
     CHECK (topic IN ('COLUMNS', 'DEADLINES', 'LEADS', 'NOT_APPLICABLE')), context text NOT NULL, \
     printed text NOT NULL, decided text NOT NULL, decided_at timestamp_with_timezone_text NOT NULL, \
     decider_id integer REFERENCES account (id) ON DELETE RESTRICT, version integer NOT NULL)",
    "INSERT INTO import_decision_next (id, region_id, topic, context, printed, decided, decided_at, version) \
     SELECT id, region_id, upper(replace(topic, '-', '_')), context, printed, decided, decided_at, 1 \
     FROM import_decision",
];
const SQLITE_BEFORE: &[&str] = &[
    "CREATE TABLE import_decision_next (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, \
     region_id integer NOT NULL REFERENCES region (id) ON DELETE CASCADE, topic varchar NOT NULL, \
     context text NOT NULL, printed text NOT NULL, decided text NOT NULL, \
     decided_at timestamp_with_timezone_text NOT NULL)",
    "INSERT INTO import_decision_next (id, region_id, topic, context, printed, decided, decided_at) \
     SELECT id, region_id, lower(replace(topic, '_', '-')), context, printed, decided, decided_at \
     FROM import_decision",
];
/// Puts the recreated table in the place of the earlier one.
const SQLITE_REPLACE: &[&str] = &[
    "DROP TABLE import_decision",
    "ALTER TABLE import_decision_next RENAME TO import_decision",
    "CREATE UNIQUE INDEX ix_import_decision_region_id_topic_context_printed \
     ON import_decision (region_id, topic, context, printed)",
];

/// What both databases get besides.
const BOTH: &[&str] = &[
    "CREATE INDEX ix_import_decision_decider_id ON import_decision (decider_id)",
    "ALTER TABLE leader ADD COLUMN email varchar",
];
const BOTH_BEFORE: &[&str] = &["ALTER TABLE leader DROP COLUMN email", "DROP INDEX ix_import_decision_decider_id"];

async fn execute(manager: &SchemaManager<'_>, statements: &'static [&'static str]) -> Result<(), DbErr> {
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            execute(manager, POSTGRES).await?;
        } else {
            execute(manager, SQLITE).await?;
            execute(manager, SQLITE_REPLACE).await?;
        }
        execute(manager, BOTH).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, BOTH_BEFORE).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            execute(manager, POSTGRES_BEFORE).await
        } else {
            execute(manager, SQLITE_BEFORE).await?;
            execute(manager, SQLITE_REPLACE).await
        }
    }
}
