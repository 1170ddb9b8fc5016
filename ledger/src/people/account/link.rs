//! Single-use links to set a first or a forgotten password.
//!
//! The secret of a link is generated when its mail is written, so that the outbox never contains it.

use chrono::{DateTime, TimeDelta, Utc};
use entity::account;
use entity::one_time_secret::{self, Purpose};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, DatabaseConnection, EntityTrait, QueryFilter,
};
use serde_json::json;

use super::new_password;
use super::password;
use super::row::{get, hold, is_usable, note, of_account, tell};
use super::secret::digest;
use crate::fault::{Fault, FaultCode};
use crate::people::policy::Act;
use crate::record::audit::By;
use crate::record::database;
use crate::record::database::Transaction;
use crate::work::Acting;
use crate::{Result, random};

/// The lifetime of a link for a new password, from the moment its mail is written.
const RESET: TimeDelta = TimeDelta::minutes(30);
/// The lifetime of the link of an invitation, which may reach its owner days before they start work.
///
/// Afterwards, the owner can request a new link.
pub const INVITATION: TimeDelta = TimeDelta::hours(72);
/// The minimum time between two links for the same account.
const PAUSE: TimeDelta = TimeDelta::minutes(5);

/// Queues a mail with a link for a new password, if there is a usable account with this address.
///
/// The caller does not learn whether there is one.
pub async fn ask(acting: &Acting<'_>, email: &str) -> Result<()> {
    let email = email.trim().to_lowercase();
    let found = account::Entity::find().filter(account::Column::Email.eq(email)).one(acting.db).await?;
    let Some(found) = found.filter(|found| !found.is_demo && is_usable(found, acting)) else { return Ok(()) };
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, found.id).await?;
    let found = get(&transaction, found.id).await?;
    if found.link_asked_at.is_some_and(|at| at <= acting.now && acting.now - at < PAUSE) {
        return Ok(());
    }
    let change = account::ActiveModel { id: Set(found.id), link_asked_at: Set(Some(acting.now)), ..Default::default() };
    change.update(&transaction).await?;
    note(&transaction, acting.by, found.id, "PASSWORD_LINK_ASKED", json!({}), acting.now).await?;
    tell(&transaction, &found, ("password-reset", json!({})), acting).await?;
    Ok(transaction.commit().await?)
}

/// Queues a mail that invites the owner of an account to set a password. For administrators.
pub async fn invite(acting: &Acting<'_>, account: i64) -> Result<()> {
    acting.by.principal.require(Act::KeepAccounts)?;
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    let found = get(&transaction, account).await?;
    queue_invitation(&transaction, acting, &found).await?;
    Ok(transaction.commit().await?)
}

/// Queues a mail that invites the owner of an account to set a password, within the caller's transaction.
pub async fn queue_invitation(db: &Transaction, acting: &Acting<'_>, found: &account::Model) -> Result<()> {
    if found.is_demo || !is_usable(found, acting) {
        let (zh, en) = ("账户已停用，不能邀请", "the account is disabled: its owner cannot be invited");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input"]).into());
    }
    note(db, acting.by, found.id, "INVITED", json!({}), acting.now).await?;
    tell(db, found, ("invitation", json!({ "email": found.email })), acting).await
}

/// Generates the secret of a link when its mail is written, and returns it with the moment at which it expires.
///
/// Returns `None` if there is no longer an enabled account with this address.
pub async fn draw(
    db: &DatabaseConnection,
    email: &str,
    purpose: Purpose,
    now: DateTime<Utc>,
) -> Result<Option<(String, DateTime<Utc>)>> {
    let found = account::Entity::find().filter(account::Column::Email.eq(email)).one(db).await?;
    let Some(found) = found.filter(|found| !found.is_disabled) else { return Ok(None) };
    let lasts = if purpose == Purpose::Invitation { INVITATION } else { RESET };
    let secret = random::hexadecimal()?;
    let over = Condition::all()
        .add(one_time_secret::Column::ExpiresAt.is_not_null())
        .add(one_time_secret::Column::ExpiresAt.lte(now));
    one_time_secret::Entity::delete_many().filter(over).exec(db).await?;
    let row = one_time_secret::ActiveModel {
        account_id: Set(Some(found.id)),
        purpose: Set(purpose),
        hash: Set(digest(&secret)),
        created_at: Set(now),
        expires_at: Set(Some(now + lasts)),
        ..Default::default()
    };
    row.insert(db).await?;
    Ok(Some((secret, now + lasts)))
}

/// Sets a password with the secret of a link, which uses up all links of the account and ends its sessions and tokens.
pub async fn redeem(acting: &Acting<'_>, secret: &str, given: String) -> Result<()> {
    let spent = || {
        let (zh, en) = (
            "链接无效、已使用或已过期，请在登录处重新申请重设密码",
            "the link is invalid, already used or expired: request a new one on the sign-in page",
        );
        Fault::new(FaultCode::SignInFailed, zh, en, &["input", "token"])
    };
    let live = Condition::all()
        .add(one_time_secret::Column::Hash.eq(digest(secret)))
        .add(one_time_secret::Column::Purpose.is_in([Purpose::Invitation, Purpose::PasswordReset]))
        .add(one_time_secret::Column::ExpiresAt.gt(acting.now));
    let found = one_time_secret::Entity::find().filter(live.clone()).one(acting.db).await?.ok_or_else(spent)?;
    let account = found.account_id.ok_or_else(spent)?;
    let owner = get(acting.db, account).await?;
    // Hash before the link is used up, so that it stays valid if the password is refused.
    let hash = password::hash(given, vec![owner.email.clone(), owner.name.clone()], &["input", "password"]).await?;
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    let used = one_time_secret::Entity::delete_many().filter(live).exec(&transaction).await?;
    let owner = get(&transaction, account).await?;
    if used.rows_affected != 1 || !is_usable(&owner, acting) {
        return Err(spent().into());
    }
    let by = By { principal: of_account(account), ..acting.by.clone() };
    new_password::replace(&transaction, &Acting { by: &by, ..*acting }, account, hash).await?;
    Ok(transaction.commit().await?)
}
