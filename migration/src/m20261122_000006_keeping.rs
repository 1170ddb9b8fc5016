//! Adds editing of the ledger by hand: regions and units can be retired and merged instead of deleted, editable rows
//! get a version, a changed deadline can be without a date, and audit entries can be looked up by problem.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer_null, date_null, integer};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const DICTIONARIES: [&str; 2] = ["region", "unit"];

fn version() -> ColumnDef {
    integer("version").default(1).to_owned()
}

/// Returns the columns added to regions and units.
fn retirement() -> [ColumnDef; 3] {
    [version(), date_null("retired_on"), big_integer_null("merged_into_id")]
}

/// Adds the problem of an audit entry as a column generated from its chain. It is not part of the hash, and existing
/// entries need no rewrite.
async fn find_audit_by_problem(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let column = if db.get_database_backend() == DbBackend::Postgres {
        "problem_id bigint GENERATED ALWAYS AS (CASE WHEN chain LIKE 'problem\\_%' THEN substr(chain, 9)::bigint END) STORED"
    } else {
        "problem_id bigint GENERATED ALWAYS AS (CASE WHEN chain LIKE 'problem@_%' ESCAPE '@' THEN CAST(substr(chain, 9) AS integer) END) VIRTUAL"
    };
    db.execute_unprepared(&format!("ALTER TABLE audit_entry ADD COLUMN {column}")).await?;
    db.execute_unprepared("CREATE INDEX ix_audit_entry_problem_id_id ON audit_entry (problem_id, id)").await?;
    Ok(())
}

/// Makes the new date nullable, because a deadline can be changed to 长期坚持, which has none. SQLite cannot drop a NOT
/// NULL constraint, so the column is recreated.
async fn let_dates_be_missing(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    manager.alter_table(Table::alter().table("deadline_change").add_column(date_null("new_date")).to_owned()).await?;
    for statement in [
        "UPDATE deadline_change SET new_date = new_due_on",
        "ALTER TABLE deadline_change DROP COLUMN new_due_on",
        "ALTER TABLE deadline_change RENAME COLUMN new_date TO new_due_on",
    ] {
        db.execute_unprepared(statement).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in DICTIONARIES {
            for column in retirement() {
                manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
            }
        }
        manager.alter_table(Table::alter().table("inspection_round").add_column(version()).to_owned()).await?;
        find_audit_by_problem(manager).await?;
        let_dates_be_missing(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        db.execute_unprepared("DROP INDEX ix_audit_entry_problem_id_id").await?;
        db.execute_unprepared("ALTER TABLE audit_entry DROP COLUMN problem_id").await?;
        manager.alter_table(Table::alter().table("inspection_round").drop_column("version").to_owned()).await?;
        for table in DICTIONARIES {
            for column in retirement().iter().rev() {
                let name = column.get_column_name();
                manager.alter_table(Table::alter().table(table).drop_column(name).to_owned()).await?;
            }
        }
        Ok(())
    }
}
