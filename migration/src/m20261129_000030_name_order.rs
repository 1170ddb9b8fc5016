//! Adds to units, regions and accounts the key by which their names are ordered (pinyin). Names without one are given
//! theirs after the migration, by the program that knows how characters are read.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const TABLES: &[&str] = &["unit", "region", "account"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        // The order is that of bytes, whatever the collation of the database.
        let collation = if db.get_database_backend() == DbBackend::Postgres { " COLLATE \"C\"" } else { "" };
        for table in TABLES {
            db.execute_unprepared(&format!(
                "ALTER TABLE {table} ADD COLUMN name_order text{collation} NOT NULL DEFAULT ''"
            ))
            .await?;
            db.execute_unprepared(&format!("CREATE INDEX ix_{table}_name_order_id ON {table} (name_order, id)"))
                .await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for table in TABLES {
            db.execute_unprepared(&format!("DROP INDEX ix_{table}_name_order_id")).await?;
            db.execute_unprepared(&format!("ALTER TABLE {table} DROP COLUMN name_order")).await?;
        }
        Ok(())
    }
}
