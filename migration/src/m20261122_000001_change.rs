//! Adds the change feed: the changes of the ledger in the order of their ids.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, string, timestamp_with_time_zone};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::create();
        table
            .table("change")
            .col(ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key())
            .col(string("kind").check(Expr::col("kind").is_in(["IMPORTED", "PROGRESS_REPORTED"])))
            .col(timestamp_with_time_zone("at"))
            .col(big_integer("problem_id"))
            .col(big_integer_null("measure_id"))
            .col(big_integer_null("assignment_id"));
        for (column, other) in [("problem_id", "problem"), ("measure_id", "measure"), ("assignment_id", "assignment")] {
            table.foreign_key(
                ForeignKey::create()
                    .name(format!("fk_change_{column}"))
                    .from("change", column)
                    .to(other, "id")
                    .on_delete(ForeignKeyAction::Cascade),
            );
        }
        manager.create_table(table).await?;
        for column in ["problem_id", "measure_id", "assignment_id"] {
            let name = format!("ix_change_{column}");
            manager.create_index(Index::create().name(name).table("change").col(column).to_owned()).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("change").to_owned()).await
    }
}
