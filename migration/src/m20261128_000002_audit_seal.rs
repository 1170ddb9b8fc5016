//! Seals say by which key they are signed, and since when days are signed is kept. Entries hash a digest of the network
//! address in place of the address. On SQLite no row of the audit is replaced by an insertion either: `INSERT OR REPLACE`
//! deletes the row that is there without asking the triggers that refuse deletions.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{date, integer, string, string_null, timestamp_with_time_zone};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::Draft;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// What an entry keeps of a network address beside the address itself.
fn of_address() -> [ColumnDef; 2] {
    [string_null("address_digest"), string_null("address_salt")]
}

/// The rows that an inserted one may not replace, by table.
const REPLACED: [(&str, &[&str]); 3] = [
    ("audit_entry", &["id = NEW.id", "chain = NEW.chain AND position = NEW.position"]),
    ("audit_head", &["day = NEW.day"]),
    ("audit_signing", &["position = NEW.position"]),
];

async fn append_only(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    if db.get_database_backend() == DbBackend::Postgres {
        // `INSERT … ON CONFLICT DO UPDATE` is an UPDATE to PostgreSQL.
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
