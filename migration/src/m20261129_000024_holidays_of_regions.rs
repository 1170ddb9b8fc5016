//! Lets regions have days off and working weekends of their own, such as the holidays of an autonomous region.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{boolean, date, string};
use sea_orm_migration::sea_orm::ConnectionTrait;

use crate::draft::Draft;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// A day is set once for each region, and once for the whole country.
const ONCE: &str = "CREATE UNIQUE INDEX ix_holiday_region_id_day ON holiday (coalesce(region_id, 0), day)";

/// Recreates the table as described, with its rows, whose primary key becomes another one.
async fn recreate(manager: &SchemaManager<'_>, described: Draft) -> Result<(), DbErr> {
    let db = manager.get_connection();
    db.execute_unprepared("CREATE TABLE holiday_kept AS SELECT day, is_working, name FROM holiday").await?;
    db.execute_unprepared("DROP TABLE holiday").await?;
    described.create(manager).await?;
    db.execute_unprepared(
        "INSERT INTO holiday (day, is_working, name) SELECT day, is_working, name FROM holiday_kept ORDER BY day",
    )
    .await?;
    db.execute_unprepared("DROP TABLE holiday_kept").await?;
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let described = Draft::with_id("holiday")
            .may_belong_to("region_id", "region")
            .col(date("day"))
            .col(boolean("is_working"))
            .col(string("name"))
            .index(&["region_id"]);
        recreate(manager, described).await?;
        manager.get_connection().execute_unprepared(ONCE).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DELETE FROM holiday WHERE region_id IS NOT NULL").await?;
        let day = date("day").primary_key().to_owned();
        recreate(manager, Draft::new("holiday").col(day).col(boolean("is_working")).col(string("name"))).await
    }
}
