//! Single-use secrets: the set-up code that creates the first account, and the links to set a first or a forgotten
//! password.
//!
//! The secret of a link is generated when its mail is written, so that the outbox never contains it.

use chrono::{DateTime, TimeDelta, Utc};
use entity::account::{self, Role};
use entity::one_time_secret::{self, Purpose};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, DatabaseConnection, EntityTrait, QueryFilter,
};
use serde_json::json;

use super::session::{Opened, SESSION, Wanted};
use super::{Hashed, digest, failed, hold, note, of_account, password, random, sign_in, tell};
use crate::Result;
use crate::fault::{Fault, FaultCode};
use crate::people::policy::Act;
use crate::record::audit::By;
use crate::record::database;
use crate::record::database::Transaction;
use crate::work::Desk;

/// The lifetime of a link for a new password, from the moment its mail is written.
pub const RESET: TimeDelta = TimeDelta::minutes(30);
/// The lifetime of the link of an invitation, which may reach its owner days before they start work.
///
/// Afterwards, the owner can request a new link.
pub const INVITATION: TimeDelta = TimeDelta::hours(72);
/// The lifetime of a set-up code.
pub const SET_UP: TimeDelta = TimeDelta::hours(24);
/// The minimum time between two links for the same account.
const PAUSE: TimeDelta = TimeDelta::minutes(5);

/// Generates a set-up code, or returns `None` if there is already an account.
///
/// Every start of a server generates a code of its own, and each is valid for [`SET_UP`] or until the first account is
/// created.
pub async fn set_up_code(db: &DatabaseConnection, now: DateTime<Utc>) -> Result<Option<String>> {
    let transaction = database::begin(db).await?;
    if super::any(&transaction).await? {
        return Ok(None);
    }
    let over = Condition::all()
        .add(one_time_secret::Column::Purpose.eq(Purpose::SetUp))
        .add(one_time_secret::Column::ExpiresAt.lte(now));
    one_time_secret::Entity::delete_many().filter(over).exec(&transaction).await?;
    let mut bytes = [0_u8; 10];
    getrandom::fill(&mut bytes).map_err(|_| failed("generating random bytes"))?;
    let code = hex::encode(bytes);
    let row = one_time_secret::ActiveModel {
        account_id: Set(None),
        purpose: Set(Purpose::SetUp),
        hash: Set(digest(&set_up(&code))),
        created_at: Set(now),
        expires_at: Set(Some(now + SET_UP)),
        ..Default::default()
    };
    row.insert(&transaction).await?;
    transaction.commit().await?;
    let parts: Vec<&str> = (0..code.len()).step_by(5).map(|at| &code[at..at + 5]).collect();
    Ok(Some(parts.join("-")))
}

/// Returns the text of a set-up code that is hashed, independent of letter case and separators.
fn set_up(code: &str) -> String {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("set-up:{}", plain.to_ascii_lowercase())
}

/// The first administrator to create.
#[derive(Debug, Clone)]
pub struct First {
    /// The set-up code that the server printed when it started.
    pub code: String,
    /// The sign-in address (e-mail).
    pub email: String,
    /// The name shown to colleagues.
    pub name: String,
    /// The password.
    pub password: String,
}

/// Creates the first account, an administrator, with the set-up code, and opens a session of it.
pub async fn set_up_first(desk: &Desk<'_>, first: First) -> Result<Opened> {
    let password = Hashed::of(first.password, &first.email, &first.name).await?;
    let transaction = database::begin(desk.db).await?;
    let used = one_time_secret::Entity::delete_many()
        .filter(one_time_secret::Column::Purpose.eq(Purpose::SetUp))
        .filter(one_time_secret::Column::Hash.eq(digest(&set_up(&first.code))))
        .filter(one_time_secret::Column::ExpiresAt.gt(desk.now))
        .exec(&transaction)
        .await?;
    if used.rows_affected != 1 || super::any(&transaction).await? {
        tracing::warn!(
            target: sign_in::SECURITY,
            event = "set-up-failed",
            address = desk.by.address,
            "wrong set-up code"
        );
        let (zh, en) = (
            "初始化代码不正确或已失效：请查看服务启动时输出的代码，或在服务器上运行 rectify account create",
            "the set-up code is wrong or has expired: use the code that the server printed when it started, or run \
             `rectify account create` on the server",
        );
        return Err(Fault::new(FaultCode::SignInFailed, zh, en, &["input", "code"]).into());
    }
    let new = super::New {
        email: first.email,
        name: first.name,
        phone: None,
        language: None,
        role: Role::Administrator,
        unit: None,
        region: None,
        password: Some(password),
        valid_until: None,
        is_demo: false,
    };
    let made = super::create(&transaction, desk.by, new, desk.now).await?;
    let wanted = Wanted::of(made.id, "初始化", desk.now + SESSION);
    let opened = sign_in::begin(&transaction, desk, wanted, json!({ "means": "SET_UP" })).await?;
    transaction.commit().await?;
    Ok(opened)
}

/// Queues a mail with a link for a new password, if there is a usable account with this address.
///
/// The caller does not learn whether there is one.
pub async fn ask(desk: &Desk<'_>, email: &str) -> Result<()> {
    let email = email.trim().to_lowercase();
    let found = account::Entity::find().filter(account::Column::Email.eq(email)).one(desk.db).await?;
    let Some(found) = found.filter(|found| !found.is_demo && sign_in::is_usable(found, desk)) else { return Ok(()) };
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, found.id).await?;
    let found = super::get(&transaction, found.id).await?;
    if found.link_asked_at.is_some_and(|at| at <= desk.now && desk.now - at < PAUSE) {
        return Ok(());
    }
    let change = account::ActiveModel { id: Set(found.id), link_asked_at: Set(Some(desk.now)), ..Default::default() };
    change.update(&transaction).await?;
    note(&transaction, desk.by, found.id, "PASSWORD_LINK_ASKED", json!({}), desk.now).await?;
    tell(&transaction, &found, ("password-reset", json!({})), desk).await?;
    Ok(transaction.commit().await?)
}

/// Queues a mail that invites the owner of an account to set a password. For administrators.
pub async fn invite(desk: &Desk<'_>, account: i64) -> Result<()> {
    desk.by.principal.require(Act::KeepAccounts)?;
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, account).await?;
    let found = super::get(&transaction, account).await?;
    queue_invitation(&transaction, desk, &found).await?;
    Ok(transaction.commit().await?)
}

/// Queues a mail that invites the owner of an account to set a password, within the caller's transaction.
pub async fn queue_invitation(db: &Transaction, desk: &Desk<'_>, found: &account::Model) -> Result<()> {
    if found.is_demo || !sign_in::is_usable(found, desk) {
        let (zh, en) = ("账户已停用，不能邀请", "the account is disabled: its owner cannot be invited");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input"]).into());
    }
    note(db, desk.by, found.id, "INVITED", json!({}), desk.now).await?;
    tell(db, found, ("invitation", json!({ "email": found.email })), desk).await
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
    let secret = random()?;
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
pub async fn redeem(desk: &Desk<'_>, secret: &str, given: String) -> Result<()> {
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
        .add(one_time_secret::Column::ExpiresAt.gt(desk.now));
    let found = one_time_secret::Entity::find().filter(live.clone()).one(desk.db).await?.ok_or_else(spent)?;
    let account = found.account_id.ok_or_else(spent)?;
    let owner = super::get(desk.db, account).await?;
    // Hash before the link is used up, so that it stays valid if the password is refused.
    let hash = password::hash(given, vec![owner.email.clone(), owner.name.clone()], &["input", "password"]).await?;
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, account).await?;
    let used = one_time_secret::Entity::delete_many().filter(live).exec(&transaction).await?;
    let owner = super::get(&transaction, account).await?;
    if used.rows_affected != 1 || !sign_in::is_usable(&owner, desk) {
        return Err(spent().into());
    }
    let by = By { principal: of_account(account), ..desk.by.clone() };
    password::replace(&transaction, &Desk { by: &by, ..*desk }, account, hash).await?;
    Ok(transaction.commit().await?)
}

/// Invalidates the links of an account; its recovery codes stay.
pub(super) async fn end_all(db: &Transaction, account: i64) -> Result<()> {
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
