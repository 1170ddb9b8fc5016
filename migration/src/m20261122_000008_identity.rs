//! Adds sign-in through an identity provider (OpenID Connect): which account a subject of the provider belongs to, and
//! the codes with which a web page fetches its session.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{string, timestamp_with_time_zone};

use crate::draft::Draft;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

fn drafts() -> Vec<Draft> {
    vec![
        Draft::with_id("identity")
            .belongs_to("account_id", "account")
            .col(string("issuer"))
            .col(string("subject"))
            .col(timestamp_with_time_zone("bound_at"))
            .unique(&["issuer", "subject"])
            // When a mail address is given to another person, that person must not get the account with it.
            .unique(&["account_id", "issuer"]),
        Draft::with_id("sign_in_code")
            .belongs_to("identity_id", "identity")
            .col(string("hash"))
            .col(string("challenge"))
            .col(timestamp_with_time_zone("expires_at"))
            .unique(&["hash"])
            .index(&["identity_id"])
            .index(&["expires_at"]),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for draft in drafts() {
            draft.create(manager).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for draft in drafts().into_iter().rev() {
            manager.drop_table(Table::drop().table(draft.name).to_owned()).await?;
        }
        Ok(())
    }
}
