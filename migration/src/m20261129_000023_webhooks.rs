//! Adds receivers of messages to other systems (接口推送), and the messages, which wait and are logged in one table.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, integer, integer_null, string, string_null, text, text_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null,
};
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::draft::{Draft, code};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Messages that wait for one receiver are one range.
const WAITING: &str = "CREATE INDEX ix_webhook_delivery_waiting ON webhook_delivery (webhook_id, next_attempt_at, id) \
                       WHERE state IN ('QUEUED', 'SENDING')";

/// Announces waiting messages to the processes that deliver them, when the transaction commits.
const ANNOUNCE: &[&str] = &[
    "CREATE FUNCTION announce_webhook() RETURNS trigger LANGUAGE plpgsql AS \
     'BEGIN PERFORM pg_notify(''rectify_webhook'', ''''); RETURN NULL; END'",
    "CREATE TRIGGER webhook_queued AFTER INSERT ON webhook_delivery FOR EACH STATEMENT \
     EXECUTE FUNCTION announce_webhook()",
    "CREATE TRIGGER webhook_requeued AFTER UPDATE OF state ON webhook_delivery FOR EACH ROW \
     WHEN (new.state = 'QUEUED' AND old.state IN ('DELIVERED', 'FAILED')) EXECUTE FUNCTION announce_webhook()",
    "CREATE TRIGGER webhook_resumed AFTER UPDATE OF is_enabled ON webhook FOR EACH ROW \
     WHEN (new.is_enabled AND NOT old.is_enabled) EXECUTE FUNCTION announce_webhook()",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Draft::with_id("webhook")
            .col(string("name"))
            .col(code("kind", &["STANDARD", "WECOM", "DINGTALK"]))
            .col(text("url"))
            .col(text("shown_url"))
            .col(string_null("secret"))
            .col(string_null("previous_secret"))
            .col(timestamp_with_time_zone_null("previous_until"))
            .col(text("events"))
            .may_refer_to("region_id", "region")
            .col(boolean("is_enabled"))
            .col(integer("failures"))
            .col(timestamp_with_time_zone_null("failing_since"))
            .col(timestamp_with_time_zone_null("stopped_at"))
            .col(timestamp_with_time_zone("resumes_at"))
            .col(timestamp_with_time_zone("created_at"))
            .unique(&["name"])
            .index(&["region_id"])
            .create(manager)
            .await?;
        Draft::with_id("webhook_delivery")
            .belongs_to("webhook_id", "webhook")
            .col(string("cause"))
            .col(string("event"))
            .col(text("payload"))
            .col(code("state", &["QUEUED", "SENDING", "DELIVERED", "FAILED"]))
            .col(integer("attempts"))
            .col(timestamp_with_time_zone("next_attempt_at"))
            .col(string_null("lease"))
            .col(timestamp_with_time_zone_null("attempted_at"))
            .col(timestamp_with_time_zone_null("delivered_at"))
            .col(integer_null("status"))
            .col(text_null("answer"))
            .col(text_null("last_error"))
            .col(timestamp_with_time_zone("created_at"))
            .unique(&["cause"])
            .index(&["webhook_id", "attempted_at"])
            .index(&["created_at"])
            .create(manager)
            .await?;
        let db = manager.get_connection();
        db.execute_unprepared(WAITING).await?;
        if db.get_database_backend() == DbBackend::Postgres {
            for statement in ANNOUNCE {
                db.execute_unprepared(statement).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("webhook_delivery").to_owned()).await?;
        manager.drop_table(Table::drop().table("webhook").to_owned()).await?;
        let db = manager.get_connection();
        if db.get_database_backend() == DbBackend::Postgres {
            db.execute_unprepared("DROP FUNCTION announce_webhook").await?;
        }
        // The receiver's notice of a stop has no template in the earlier version.
        db.execute_unprepared("DELETE FROM mail WHERE kind = 'webhook-stopped'").await?;
        Ok(())
    }
}
