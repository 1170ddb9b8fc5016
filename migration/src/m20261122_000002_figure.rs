//! Adds stored statistics: counts by region and by the day on which something becomes true.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, date, string};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Columns that count rows.
const COUNTS: [&str; 6] = ["total", "completed", "closed", "not_applicable", "due", "overdue"];

/// Columns that identify a count.
const KEY: [&str; 4] = ["region_id", "noun", "span", "start"];

fn figures(name: &'static str) -> TableCreateStatement {
    let mut table = Table::create();
    table
        .table(name)
        .col(big_integer("region_id"))
        .col(string("noun").check(Expr::col("noun").is_in(["PROBLEM", "MEASURE", "ASSIGNMENT"])))
        .col(string("span").check(Expr::col("span").is_in(["EVER", "YEAR", "MONTH", "DAY"])))
        .col(date("start"))
        .foreign_key(
            ForeignKey::create()
                .name(format!("fk_{name}_region_id"))
                .from(name, "region_id")
                .to("region", "id")
                .on_delete(ForeignKeyAction::Cascade),
        );
    for count in COUNTS {
        table.col(big_integer(count));
    }
    table
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut key = Index::create();
        let mut index = Index::create();
        index.name("ix_figure_delta_key").table("figure_delta");
        for column in KEY {
            key.col(column);
            index.col(column);
        }
        manager.create_table(figures("figure").primary_key(&mut key).to_owned()).await?;
        let id = ColumnDef::new("id").big_integer().not_null().auto_increment().primary_key().to_owned();
        manager.create_table(figures("figure_delta").col(id).to_owned()).await?;
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["figure_delta", "figure"] {
            manager.drop_table(Table::drop().table(table).to_owned()).await?;
        }
        Ok(())
    }
}
