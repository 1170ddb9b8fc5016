//! Adds the signing key to the seals of the audit, the days from which each key signs, and the digests of network
//! addresses that entries hash in place of the addresses. On SQLite, also prevents `INSERT OR REPLACE`, which deletes
//! the existing row without firing the triggers that prevent deletion.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{date, integer, string, string_null, timestamp_with_time_zone};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::Draft;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Returns the columns for the digest of an entry's network address.
fn of_address() -> [ColumnDef; 2] {
    [string_null("address_digest"), string_null("address_salt")]
}

/// For each table, the conditions under which an inserted row would replace an existing one.
const REPLACED: [(&str, &[&str]); 3] = [
    ("audit_entry", &["id = NEW.id", "chain = NEW.chain AND position = NEW.position"]),
    ("audit_head", &["day = NEW.day"]),
    ("audit_signing", &["position = NEW.position"]),
];

async fn append_only(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    if db.get_database_backend() == DbBackend::Postgres {
        // On PostgreSQL, `INSERT … ON CONFLICT DO UPDATE` fires the triggers of UPDATE.
        db.execute_unprepared(
            "CREATE TRIGGER audit_signing_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_signing \
             FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_of_audit()",
        )
        .await?;
        return Ok(());
    }
    for event in ["UPDATE", "DELETE"] {
        let trigger = format!(
            "CREATE TRIGGER audit_signing_no_{} BEFORE {event} ON audit_signing \
             BEGIN SELECT RAISE(ABORT, 'audit entries are never changed'); END",
            event.to_lowercase()
        );
        db.execute_unprepared(&trigger).await?;
    }
    for (table, keys) in REPLACED {
        let there: Vec<String> = keys.iter().map(|key| format!("EXISTS (SELECT 1 FROM {table} WHERE {key})")).collect();
        let trigger = format!(
            "CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {} \
             BEGIN SELECT RAISE(ABORT, 'audit entries are never replaced'); END",
            there.join(" OR ")
        );
        db.execute_unprepared(&trigger).await?;
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in of_address() {
            manager.alter_table(Table::alter().table("audit_entry").add_column(column).to_owned()).await?;
        }
        let key = string("key_id").default("").to_owned();
        manager.alter_table(Table::alter().table("audit_head").add_column(key).to_owned()).await?;
        Draft::new("audit_signing")
            .col(integer("position").primary_key().to_owned())
            .col(date("day"))
            .col(string("key_id"))
            .col(string("signature"))
            .col(timestamp_with_time_zone("noted_at"))
            .create(manager)
            .await?;
        append_only(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        if db.get_database_backend() != DbBackend::Postgres {
            for (table, _) in REPLACED {
                db.execute_unprepared(&format!("DROP TRIGGER {table}_no_replace")).await?;
            }
        }
        manager.drop_table(Table::drop().table("audit_signing").to_owned()).await?;
        manager.alter_table(Table::alter().table("audit_head").drop_column("key_id").to_owned()).await?;
        for column in of_address().iter().rev() {
            let name = column.get_column_name();
            manager.alter_table(Table::alter().table("audit_entry").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
