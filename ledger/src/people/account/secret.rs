//! Secrets: the hash under which each is stored, and the end of single-use ones.

use entity::one_time_secret::{self, Purpose};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use sha2::{Digest, Sha256};

use crate::Result;
use crate::record::database::Transaction;

/// Returns the SHA-256 of a secret in hexadecimal. Secrets have at least 80 random bits, so a slow hash is not needed.
pub fn digest(secret: &str) -> String {
    hex::encode(Sha256::digest(secret.as_bytes()))
}

/// Invalidates the links of an account; its recovery codes stay.
pub(super) async fn end_links(db: &Transaction, account: i64) -> Result<()> {
    one_time_secret::Entity::delete_many()
        .filter(one_time_secret::Column::AccountId.eq(account))
        .filter(one_time_secret::Column::Purpose.is_in([Purpose::Invitation, Purpose::PasswordReset]))
        .exec(db)
        .await?;
    Ok(())
}

/// Invalidates all set-up codes, once the first account exists.
pub(super) async fn end_set_up(db: &Transaction) -> Result<()> {
    one_time_secret::Entity::delete_many().filter(one_time_secret::Column::Purpose.eq(Purpose::SetUp)).exec(db).await?;
    Ok(())
}
