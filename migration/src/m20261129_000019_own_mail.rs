//! What people do with the mail that they get: when they acknowledged it, whether deadlines come as a calendar, which
//! digests they have switched off, and to which addresses nothing is sent.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{string, string_null, timestamp_with_time_zone};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::{Draft, code};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables that get the moment of acknowledgement.
const ACKNOWLEDGED: &[&str] = &["mail", "mail_item"];
/// Columns added that are true or false: table and name.
const SWITCHES: &[(&str, &str)] =
    &[("account", "attaches_calendar"), ("unit", "attaches_calendar"), ("session", "is_calendar")];

/// People read the mails to their addresses.
const INDEX: &str = "ix_mail_recipient";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let is_postgres = db.get_database_backend() == DbBackend::Postgres;
        let moment = if is_postgres { "timestamp with time zone" } else { "timestamp_with_timezone_text" };
        for table in ACKNOWLEDGED {
            db.execute_unprepared(&format!("ALTER TABLE {table} ADD COLUMN acknowledged_at {moment}")).await?;
        }
        for (table, name) in SWITCHES {
            let column = format!("ALTER TABLE {table} ADD COLUMN {name} boolean NOT NULL DEFAULT FALSE");
            db.execute_unprepared(&column).await?;
        }
        db.execute_unprepared(&format!("CREATE INDEX {INDEX} ON mail (recipient, id)")).await?;
        let muted = Draft::with_id("muted_mail").col(string("address")).col(string("kind"));
        let muted = muted.col(timestamp_with_time_zone("muted_at"));
        muted.unique(&["address", "kind"]).create(manager).await?;
        let suppressed = Draft::with_id("suppression").col(string("address"));
        let suppressed = suppressed.col(code("reason", &["HARD_BOUNCE", "COMPLAINT", "BY_HAND"]));
        let suppressed = suppressed.col(string_null("detail")).may_refer_to("account_id", "account");
        let suppressed = suppressed.col(timestamp_with_time_zone("created_at"));
        suppressed.unique(&["address"]).create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for table in ["suppression", "muted_mail"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        db.execute_unprepared(&format!("DROP INDEX {INDEX}")).await?;
        for (table, name) in SWITCHES {
            db.execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN {name}")).await?;
        }
        for table in ACKNOWLEDGED {
            db.execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN acknowledged_at")).await?;
        }
        Ok(())
    }
}
