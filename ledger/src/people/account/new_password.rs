//! Setting the password of an account.

use entity::account;
use sea_orm::{ActiveValue::Set, EntityTrait};
use serde_json::json;

use super::password;
use super::proof::prove;
use super::row::{get, hold, missing, note, tell};
use super::secret::end_links;
use super::security_log::log_change;
use super::session;
use crate::Result;
use crate::people::policy::Act;
use crate::record::database;
use crate::record::database::Transaction;
use crate::work::Acting;

/// Sets the password of an account, ends its sessions, tokens and delegations, and notifies its owner by mail.
///
/// An account sets its own password with its current one, and cannot give itself a first password: an account that
/// signs in through a provider or with tokens only stays without one. An administrator sets the password of any account
/// with the administrator's current password.
pub async fn set(acting: &Acting<'_>, account: i64, password: String, current: Option<&str>) -> Result<()> {
    let by = &acting.by.principal;
    if !by.manages(account) {
        return Err(missing());
    }
    by.in_person()?;
    let found = get(acting.db, account).await?;
    let own = vec![found.email.clone(), found.name.clone()];
    password::check(&password, &own, &["input", "password"])?;
    // Only an administrator gives an account its first password.
    if found.password_hash.is_none() {
        by.require(Act::KeepAccounts)?;
    }
    prove(acting, current).await?;
    let hash = password::hash(password, own, &["input", "password"]).await?;
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    replace(&transaction, acting, account, hash).await?;
    Ok(transaction.commit().await?)
}

/// Writes a new password hash and everything that follows from it. The caller has locked the account and commits.
pub(super) async fn replace(db: &Transaction, acting: &Acting<'_>, account: i64, hash: String) -> Result<()> {
    let change = account::ActiveModel {
        id: Set(account),
        password_hash: Set(Some(hash)),
        failures: Set(0),
        locked_until: Set(None),
        ..Default::default()
    };
    let now = account::Entity::update(change).exec(db).await?;
    session::end_all(db, account, acting.now).await?;
    end_links(db, account).await?;
    note(db, acting.by, account, "PASSWORD_SET", json!({}), acting.now).await?;
    log_change(acting.by, account, "password-set");
    tell(db, &now, ("password-set", json!({})), acting).await
}
