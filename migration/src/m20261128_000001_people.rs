//! Adds one-time links, the second factor, idle sessions, erasure of accounts, and the delegate who acted on behalf of
//! an account.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer_null, boolean, integer, string, string_null, timestamp_with_time_zone, timestamp_with_time_zone_null,
};

use crate::draft::{Draft, code};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Returns the columns added, each with its table.
fn columns() -> Vec<(&'static str, ColumnDef)> {
    vec![
        ("account", integer("version").default(1).to_owned()),
        ("account", timestamp_with_time_zone_null("failed_at")),
        ("account", timestamp_with_time_zone_null("lock_told_at")),
        ("account", timestamp_with_time_zone_null("link_asked_at")),
        ("account", timestamp_with_time_zone_null("erased_at")),
        ("account", string_null("totp_secret")),
        ("account", timestamp_with_time_zone_null("totp_since")),
        ("account", big_integer_null("totp_step")),
        ("session", timestamp_with_time_zone_null("last_used_at")),
        ("session", boolean("is_limited").default(false).to_owned()),
        ("close_out", big_integer_null("applicant_actor_id")),
        ("deadline_change", big_integer_null("requester_actor_id")),
        ("inspection_case", big_integer_null("resolver_actor_id")),
        ("assignment", big_integer_null("proposer_id")),
        ("assignment", big_integer_null("proposer_actor_id")),
    ]
}

fn secrets() -> Draft {
    Draft::with_id("one_time_secret")
        .may_belong_to("account_id", "account")
        .col(code("purpose", &["SET_UP", "INVITATION", "PASSWORD_RESET", "RECOVERY"]))
        .col(string("hash"))
        .col(timestamp_with_time_zone("created_at"))
        .col(timestamp_with_time_zone_null("expires_at"))
        .unique(&["hash"])
        .index(&["account_id"])
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in columns() {
            // SQLite cannot add several columns in one statement.
            manager.alter_table(Table::alter().table(table).add_column(column).to_owned()).await?;
        }
        secrets().create(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table("one_time_secret").to_owned()).await?;
        for (table, column) in columns().iter().rev() {
            let name = column.get_column_name();
            manager.alter_table(Table::alter().table(*table).drop_column(name).to_owned()).await?;
        }
        Ok(())
    }
}
