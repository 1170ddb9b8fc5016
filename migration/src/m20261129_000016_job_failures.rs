//! Keeps of each job since when it fails, when it is tried again and when it last succeeded; and of each run how often
//! it was tried and what kind of failure ended it.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The columns of moments that schedules get.
const MOMENTS: &[&str] = &["failing_since", "retry_at", "succeeded_at"];

/// What is known of the past.
const FILLED: &str = "UPDATE schedule SET succeeded_at = (SELECT max(r.finished_at) FROM job_run r \
     WHERE r.schedule_id = schedule.id AND r.state = 'SUCCEEDED')";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let is_postgres = db.get_database_backend() == DbBackend::Postgres;
        let moment = if is_postgres { "timestamp with time zone" } else { "timestamp_with_timezone_text" };
        for name in MOMENTS {
            db.execute_unprepared(&format!("ALTER TABLE schedule ADD COLUMN {name} {moment}")).await?;
        }
        db.execute_unprepared("ALTER TABLE schedule ADD COLUMN failures integer NOT NULL DEFAULT 0").await?;
        db.execute_unprepared("ALTER TABLE job_run ADD COLUMN attempts integer NOT NULL DEFAULT 1").await?;
        db.execute_unprepared("UPDATE job_run SET attempts = 0 WHERE state = 'SKIPPED'").await?;
        let kind =
            "failure_kind varchar CHECK (failure_kind IN ('DATABASE', 'STORAGE', 'TIMED_OUT', 'CLOCK', 'OTHER'))";
        db.execute_unprepared(&format!("ALTER TABLE job_run ADD COLUMN {kind}")).await?;
        db.execute_unprepared(FILLED).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for name in ["failure_kind", "attempts"] {
            db.execute_unprepared(&format!("ALTER TABLE job_run DROP COLUMN {name}")).await?;
        }
        for name in ["failures"].iter().chain(MOMENTS) {
            db.execute_unprepared(&format!("ALTER TABLE schedule DROP COLUMN {name}")).await?;
        }
        Ok(())
    }
}
