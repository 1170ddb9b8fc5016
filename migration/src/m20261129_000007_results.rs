//! Adds what follows an inspection: the document, time, place and contact of supervision; ranks and consequences that
//! are others or not stated; what a look-back inspection (回头看) looks back at; and the counted results of a round.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer_null, date_null, integer, string_null, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::{Draft, code};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns added: table, name, type on PostgreSQL and type on SQLite.
const COLUMNS: &[(&str, &str, &str, &str)] = &[
    ("supervision_action", "document_number", "varchar", "varchar"),
    ("supervision_action", "meeting_at", "timestamp with time zone", "timestamp_with_timezone_text"),
    ("supervision_action", "place", "varchar", "varchar"),
    ("supervision_action", "contact", "varchar", "varchar"),
    ("inspection_round", "looks_back_at_id", ROUND, ROUND),
    ("problem", "looks_back_at_id", PROBLEM, PROBLEM),
];

const ROUND: &str = "bigint REFERENCES inspection_round (id) ON DELETE SET NULL";
const PROBLEM: &str = "bigint REFERENCES problem (id) ON DELETE SET NULL";

const INDEXES: &[(&str, &str)] = &[
    ("ix_inspection_round_looks_back_at_id", "inspection_round (looks_back_at_id)"),
    ("ix_problem_looks_back_at_id", "problem (looks_back_at_id)"),
];

fn result() -> Draft {
    Draft::with_id("round_result")
        .refers_to("round_id", "inspection_round")
        .col(code("kind", &["CLOSED_DOWN", "FINED", "PENALISED", "INSTITUTION", "OTHER"]))
        .col(string_null("title"))
        .col(integer("amount").check(Expr::col("amount").gte(0)).to_owned())
        .col(big_integer_null("money"))
        .may_refer_to("region_id", "region")
        .col(date_null("decided_on"))
        .may_refer_to("recorder_id", "account")
        .col(timestamp_with_time_zone("recorded_at"))
        .col(timestamp_with_time_zone_null("withdrawn_at"))
        .col(text_null("withdraw_reason"))
        .col(integer("version"))
        .col(timestamp_with_time_zone("updated_at"))
        .index(&["round_id", "id"])
        .index(&["region_id"])
        .index(&["recorder_id"])
}

const RANKS: &str = "'DEPARTMENT_BUREAU', 'COUNTY_DIVISION', 'TOWNSHIP_SECTION', 'BELOW', 'OTHER', 'UNKNOWN'";
const OLD_RANKS: &str = "'DEPARTMENT_BUREAU', 'COUNTY_DIVISION', 'TOWNSHIP_SECTION', 'BELOW'";
const CONSEQUENCES: &str = "'PARTY_DISCIPLINE', 'ADMINISTRATIVE', 'ORGANISATIONAL', 'JUDICIAL', 'OTHER', 'UNKNOWN'";
const OLD_CONSEQUENCES: &str = "'PARTY_DISCIPLINE', 'ADMINISTRATIVE', 'ORGANISATIONAL', 'JUDICIAL'";

/// Restricts accountability to the given ranks and consequences. SQLite cannot alter a CHECK constraint, so the table is
/// recreated.
async fn admit(manager: &SchemaManager<'_>, ranks: &str, consequences: &str) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let statements = if db.get_database_backend() == DbBackend::Postgres {
        vec![
            "ALTER TABLE accountability DROP CONSTRAINT accountability_rank_check".to_owned(),
            format!("ALTER TABLE accountability ADD CONSTRAINT accountability_rank_check CHECK (rank IN ({ranks}))"),
            "ALTER TABLE accountability DROP CONSTRAINT accountability_consequence_check".to_owned(),
            format!(
                "ALTER TABLE accountability ADD CONSTRAINT accountability_consequence_check \
                 CHECK (consequence IN ({consequences}))"
            ),
        ]
    } else {
        let columns = "id, problem_id, round_id, region_id, rank, consequence, people, decided_on, recorder_id, \
            recorded_at, withdrawn_at, withdraw_reason, version, updated_at";
        vec![
            format!(
                "CREATE TABLE accountability_wide (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, \
                 problem_id integer NOT NULL REFERENCES problem (id) ON DELETE CASCADE, \
                 round_id integer NOT NULL REFERENCES inspection_round (id) ON DELETE RESTRICT, \
                 region_id integer NOT NULL REFERENCES region (id) ON DELETE RESTRICT, \
                 rank varchar NOT NULL CHECK (rank IN ({ranks})), \
                 consequence varchar NOT NULL CHECK (consequence IN ({consequences})), \
                 people integer NOT NULL CHECK (people > 0), decided_on date_text NOT NULL, \
                 recorder_id integer REFERENCES account (id) ON DELETE RESTRICT, \
                 recorded_at timestamp_with_timezone_text NOT NULL, withdrawn_at timestamp_with_timezone_text, \
                 withdraw_reason text, version integer NOT NULL, updated_at timestamp_with_timezone_text NOT NULL)"
            ),
            format!("INSERT INTO accountability_wide ({columns}) SELECT {columns} FROM accountability"),
            "DROP TABLE accountability".to_owned(),
            "ALTER TABLE accountability_wide RENAME TO accountability".to_owned(),
            "CREATE INDEX ix_accountability_problem_id_decided_on_id ON accountability (problem_id, decided_on, id)"
                .to_owned(),
            "CREATE INDEX ix_accountability_decided_on_id ON accountability (decided_on, id)".to_owned(),
            "CREATE INDEX ix_accountability_round_id ON accountability (round_id)".to_owned(),
            "CREATE INDEX ix_accountability_region_id ON accountability (region_id)".to_owned(),
            "CREATE INDEX ix_accountability_recorder_id ON accountability (recorder_id)".to_owned(),
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
        result().create(manager).await?;
        let db = manager.get_connection();
        let is_postgres = manager.get_database_backend() == DbBackend::Postgres;
        for (table, name, on_postgres, on_sqlite) in COLUMNS {
            let kind = if is_postgres { on_postgres } else { on_sqlite };
            db.execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN {name} {kind}")).await?;
        }
        for (name, what) in INDEXES {
            db.execute_unprepared(&format!("CREATE INDEX {name} ON {what}")).await?;
        }
        admit(manager, RANKS, CONSEQUENCES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        // The earlier version has no word for these.
        db.execute_unprepared(
            "DELETE FROM accountability WHERE rank IN ('OTHER', 'UNKNOWN') OR consequence IN ('OTHER', 'UNKNOWN')",
        )
        .await?;
        admit(manager, OLD_RANKS, OLD_CONSEQUENCES).await?;
        for (name, _) in INDEXES {
            db.execute_unprepared(&format!("DROP INDEX {name}")).await?;
        }
        for (table, name, ..) in COLUMNS.iter().rev() {
            db.execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN {name}")).await?;
        }
        manager.drop_table(Table::drop().table("round_result").to_owned()).await
    }
}
