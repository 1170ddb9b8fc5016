//! Lets a responsible party be every township (各乡镇).

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SELECTORS: &str = "'ALL_COUNTIES', 'ALL_DEPARTMENTS', 'ALL_TOWNSHIPS'";
const SELECTORS_BEFORE: &str = "'ALL_COUNTIES', 'ALL_DEPARTMENTS'";

/// Restricts parties to the given selectors. SQLite cannot alter a CHECK constraint, so the table is recreated.
async fn admit(manager: &SchemaManager<'_>, selectors: &str) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let statements = if db.get_database_backend() == DbBackend::Postgres {
        vec![
            "ALTER TABLE responsible_party DROP CONSTRAINT responsible_party_selector_check".to_owned(),
            format!(
                "ALTER TABLE responsible_party ADD CONSTRAINT responsible_party_selector_check \
                 CHECK (selector IS NULL OR selector IN ({selectors}))"
            ),
        ]
    } else {
        let columns = "id, measure_id, position, raw, unit_id, selector, region_id";
        vec![
            format!(
                "CREATE TABLE responsible_party_wide (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, \
                 measure_id integer NOT NULL REFERENCES measure (id) ON DELETE CASCADE, position integer NOT NULL, \
                 raw text NOT NULL, unit_id integer REFERENCES unit (id) ON DELETE RESTRICT, \
                 selector varchar CHECK (selector IS NULL OR selector IN ({selectors})), \
                 region_id integer REFERENCES region (id) ON DELETE RESTRICT, \
                 CHECK ((unit_id IS NULL) <> (selector IS NULL)))"
            ),
            format!("INSERT INTO responsible_party_wide ({columns}) SELECT {columns} FROM responsible_party"),
            "DROP TABLE responsible_party".to_owned(),
            "ALTER TABLE responsible_party_wide RENAME TO responsible_party".to_owned(),
            "CREATE UNIQUE INDEX ix_responsible_party_measure_id_unit_id ON responsible_party (measure_id, unit_id)"
                .to_owned(),
            "CREATE UNIQUE INDEX ix_responsible_party_measure_id_selector ON responsible_party (measure_id, selector)"
                .to_owned(),
            "CREATE INDEX ix_responsible_party_measure_id_position_id \
             ON responsible_party (measure_id, position, id)"
                .to_owned(),
            "CREATE INDEX ix_responsible_party_unit_id_measure_id ON responsible_party (unit_id, measure_id)"
                .to_owned(),
            "CREATE INDEX ix_responsible_party_region_id ON responsible_party (region_id)".to_owned(),
        ]
    };
    for statement in statements {
        db.execute_unprepared(&statement).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        admit(manager, SELECTORS).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        // The earlier version has no word for these.
        db.execute_unprepared("DELETE FROM responsible_party WHERE selector = 'ALL_TOWNSHIPS'").await?;
        admit(manager, SELECTORS_BEFORE).await
    }
}
