//! Adds sign-in: roles and passwords of accounts, sessions and tokens, and delegations.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer_null, boolean, date_null, integer, string, string_null, timestamp_with_time_zone,
    timestamp_with_time_zone_null,
};

use crate::draft::{Draft, code};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const ROLES: [&str; 9] = [
    "REGIONAL_OFFICE",
    "CITY_OFFICE",
    "COUNTY_OFFICE",
    "LEAD_UNIT",
    "RESPONSIBLE_UNIT",
    "SUPERVISING_UNIT",
    "LEADER",
    "INSPECTOR",
    "ADMINISTRATOR",
];

/// Returns the columns added to accounts.
fn columns() -> Vec<ColumnDef> {
    vec![
        string("role").default("INSPECTOR").check(Expr::col("role").is_in(ROLES)).to_owned(),
        big_integer_null("region_id"),
        string_null("phone"),
        string_null("password_hash"),
        boolean("is_demo").default(false).to_owned(),
        boolean("is_disabled").default(false).to_owned(),
        date_null("valid_until"),
        integer("failures").default(0).to_owned(),
        timestamp_with_time_zone_null("locked_until"),
        timestamp_with_time_zone_null("signed_in_at"),
    ]
}

fn drafts() -> Vec<Draft> {
    vec![
        Draft::with_id("session")
            .belongs_to("account_id", "account")
            .may_refer_to("actor_id", "account")
            .col(code("kind", &["SESSION", "TOKEN"]))
            .col(string("name"))
            .col(string("hash"))
            .col(boolean("is_read_only"))
            .col(string_null("address"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone("expires_at"))
            .col(timestamp_with_time_zone_null("revoked_at"))
            .unique(&["hash"])
            .index(&["account_id", "id"])
            .index(&["actor_id"]),
        // Accounts that act on behalf of others during an absence.
        Draft::with_id("delegation")
            .belongs_to("account_id", "account")
            .belongs_to("delegate_id", "account")
            .col(string("reason"))
            .col(timestamp_with_time_zone("begins_at"))
            .col(timestamp_with_time_zone("ends_at"))
            .col(timestamp_with_time_zone("created_at"))
            .col(timestamp_with_time_zone_null("revoked_at"))
            .index(&["account_id"])
            .index(&["delegate_id"]),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in columns() {
            // SQLite cannot add several columns in one statement.
            manager.alter_table(Table::alter().table("account").add_column(column).to_owned()).await?;
        }
        let mut index = Index::create();
        manager.create_index(index.name("ix_account_region_id").table("account").col("region_id").to_owned()).await?;
        for draft in drafts() {
            draft.create(manager).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for draft in drafts().into_iter().rev() {
            manager.drop_table(Table::drop().table(draft.name).to_owned()).await?;
        }
        manager.drop_index(Index::drop().name("ix_account_region_id").table("account").to_owned()).await?;
        for column in columns().iter().rev() {
            let name = column.get_column_name();
            manager.alter_table(Table::alter().table("account").drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
