//! Lets waiting mails be claimed by one range of an index, notices before digests, announces them on PostgreSQL, and
//! keeps when the mail server takes no mail.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{integer, string, text, timestamp_with_time_zone};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::Draft;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// From now on, `next_attempt_at` of a mail that is being sent is the moment at which its lease expires.
const UP: &[&str] = &[
    "ALTER TABLE mail ADD COLUMN priority integer NOT NULL DEFAULT 1",
    "UPDATE mail SET priority = 0 WHERE state IN ('QUEUED', 'SENDING') AND kind NOT IN ('quarterly-self-inspection', \
     'due-soon', 'overdue', 'escalation', 'case-due-soon', 'case-overdue')",
    "UPDATE mail SET next_attempt_at = leased_until WHERE state = 'SENDING' AND leased_until IS NOT NULL",
    "ALTER TABLE mail DROP COLUMN leased_until",
    "DROP INDEX ix_mail_state_next_attempt_at_id",
    "CREATE INDEX ix_mail_waiting ON mail (priority, next_attempt_at, id) WHERE state IN ('QUEUED', 'SENDING')",
    "CREATE INDEX ix_mail_failed ON mail (id) WHERE state = 'FAILED'",
];

/// Announces waiting mails to the processes that deliver them, when the transaction commits.
const ANNOUNCE: &[&str] = &[
    "CREATE FUNCTION announce_mail() RETURNS trigger LANGUAGE plpgsql AS \
     'BEGIN PERFORM pg_notify(''rectify_mail'', ''''); RETURN NULL; END'",
    "CREATE TRIGGER mail_queued AFTER INSERT ON mail FOR EACH STATEMENT EXECUTE FUNCTION announce_mail()",
    "CREATE TRIGGER mail_requeued AFTER UPDATE OF state ON mail FOR EACH ROW \
     WHEN (new.state = 'QUEUED' AND old.state IN ('FAILED', 'CANCELLED')) EXECUTE FUNCTION announce_mail()",
];

const DOWN: &[&str] = &[
    "DROP INDEX ix_mail_waiting",
    "DROP INDEX ix_mail_failed",
    "CREATE INDEX ix_mail_state_next_attempt_at_id ON mail (state, next_attempt_at, id)",
    "ALTER TABLE mail DROP COLUMN priority",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for statement in UP {
            db.execute_unprepared(statement).await?;
        }
        if db.get_database_backend() == DbBackend::Postgres {
            for statement in ANNOUNCE {
                db.execute_unprepared(statement).await?;
            }
        }
        let outage = Draft::with_id("mail_outage").col(string("server")).col(timestamp_with_time_zone("since"));
        let outage = outage.col(text("reason")).col(integer("probes")).col(timestamp_with_time_zone("probe_at"));
        outage.create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        manager.drop_table(Table::drop().table("mail_outage").to_owned()).await?;
        let is_postgres = db.get_database_backend() == DbBackend::Postgres;
        if is_postgres {
            db.execute_unprepared("DROP TRIGGER mail_queued ON mail").await?;
            db.execute_unprepared("DROP TRIGGER mail_requeued ON mail").await?;
            db.execute_unprepared("DROP FUNCTION announce_mail").await?;
        }
        for statement in DOWN {
            db.execute_unprepared(statement).await?;
        }
        let moment = if is_postgres { "timestamp with time zone" } else { "timestamp_with_timezone_text" };
        db.execute_unprepared(&format!("ALTER TABLE mail ADD COLUMN leased_until {moment}")).await?;
        // A mail that is being sent waits for the earlier version's own lease.
        db.execute_unprepared("UPDATE mail SET leased_until = next_attempt_at WHERE state = 'SENDING'").await?;
        Ok(())
    }
}
