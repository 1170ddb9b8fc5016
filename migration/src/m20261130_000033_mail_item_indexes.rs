//! The indexes of mail items by case and by region leave out the items that have none, which are nearly all.
//!
//! They are smaller, and PostgreSQL cannot take the one by case for a look-up by mail, which would read it from end to
//! end for each mail. It did while its statistics were those of an outbox that was as good as empty.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The names of the indexes, and their columns; the first column is that which may be missing.
const INDEXES: [(&str, &str, &str); 2] = [
    ("ix_mail_item_case_id_mail_id", "case_id, mail_id", "case_id"),
    ("ix_mail_item_region_id", "region_id", "region_id"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns, key) in INDEXES {
            let index = format!("CREATE INDEX {name} ON mail_item ({columns}) WHERE {key} IS NOT NULL");
            replace(manager, name, &index).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, columns, _) in INDEXES {
            replace(manager, name, &format!("CREATE INDEX {name} ON mail_item ({columns})")).await?;
        }
        Ok(())
    }
}

async fn replace(manager: &SchemaManager<'_>, name: &str, index: &str) -> Result<(), DbErr> {
    let db = manager.get_connection();
    db.execute_unprepared(&format!("DROP INDEX {name}")).await?;
    db.execute_unprepared(index).await?;
    Ok(())
}
