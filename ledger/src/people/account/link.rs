//! Secrets that work once: the set-up code with which the first account is made, and the links by which people set a first or
//! a forgotten password. A link's secret is drawn when its mail is written, so that the outbox never holds it.

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
use crate::people::policy::{Act, not_allowed};
use crate::record::audit::By;
use crate::record::database;
use crate::record::database::Transaction;
use crate::work::Desk;

/// How long the link for a new password works, from when its mail was written.
pub const RESET: TimeDelta = TimeDelta::minutes(30);
/// How long an invitation works: people are invited before they come to their desk. A new link can be asked for afterwards.
pub const INVITATION: TimeDelta = TimeDelta::hours(72);
/// How long a set-up code works.
pub const SET_UP: TimeDelta = TimeDelta::hours(24);
/// A link for one account is sent at most once in this time.
const PAUSE: TimeDelta = TimeDelta::minutes(5);

/// Draws a set-up code, unless there is an account. Each start of a server draws one of its own, and each works until the
/// first account is made.
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
    getrandom::fill(&mut bytes).map_err(|_| failed("asking for random numbers"))?;
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

/// What is hashed of a set-up code, however it is typed.
fn set_up(code: &str) -> String {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("set-up:{}", plain.to_ascii_lowercase())
}

/// The first administrator.
#[derive(Debug, Clone)]
pub struct First {
    /// The set-up code.
    pub code: String,
    /// The sign-in address.
    pub email: String,
    /// The name shown to colleagues.
    pub name: String,
    /// The password.
    pub password: String,
}

/// Makes the first account, an administrator's, for who has the set-up code, and opens a session of it.
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
        tracing::warn!(target: sign_in::SECURITY, event = "set-up-failed", address = desk.by.address, "a set-up code is wrong");
        let (zh, en) = (
            "初始化代码不正确或已失效：请查看服务启动时输出的代码，或在服务器上运行 rectify account create",
            "the set-up code is wrong or over: see what the server printed at its start, or run `rectify account create` there",
        );
        return Err(Fault::new(FaultCode::SignInFailed, zh, en, &["input", "code"]).into());
    }
    let new = super::New {
        email: first.email,
        name: first.name,
        phone: None,
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

/// Queues the mail with a link for a new password, if the address has an account in use. Nothing of the outcome is told.
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
    let reason = "有人（可能是您本人）申请重设登录密码。如非本人操作，请忽略本邮件，密码不会改变。";
    tell(&transaction, &found, ("password-reset", "【账户安全】重设登录密码", reason), desk).await?;
    Ok(transaction.commit().await?)
}

/// Queues the mail that invites the owner of an account to set a password. For administrators.
pub async fn invite(desk: &Desk<'_>, account: i64) -> Result<()> {
    if !desk.by.principal.may(Act::KeepAccounts) {
        return Err(not_allowed(Act::KeepAccounts).into());
    }
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, account).await?;
    let found = super::get(&transaction, account).await?;
    queue_invitation(&transaction, desk, &found).await?;
    Ok(transaction.commit().await?)
}

/// The same in the transaction that makes the account.
pub async fn queue_invitation(db: &Transaction, desk: &Desk<'_>, found: &account::Model) -> Result<()> {
    if found.is_demo || !sign_in::is_usable(found, desk) {
        let (zh, en) = ("账户已停用，不能邀请", "the account is not in use: nobody is invited to it");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input"]).into());
    }
    note(db, desk.by, found.id, "INVITED", json!({}), desk.now).await?;
    let reason = format!("已为您开通生态环境督察整改台账的账户，登录邮箱为 {}。请设置登录密码后使用。", found.email);
    tell(db, found, ("invitation", "【整改台账】账户已开通，请设置登录密码", &reason), desk).await
}

/// Draws the secret of a link for the account of an address, when its mail is written; none where there is no such account
/// any more.
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

/// Sets a password with the secret of a link, which then works no more, nor does any other link of the account. Ends
/// everything that the account was signed in with.
pub async fn redeem(desk: &Desk<'_>, secret: &str, given: String) -> Result<()> {
    let spent = || {
        let (zh, en) = (
            "链接无效、已使用或已过期，请在登录处重新申请重设密码",
            "the link is unknown, used or over: ask for a new one where you sign in",
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
    // The link stays good where the password is not taken.
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

/// Ends the links of an account; recovery codes stay.
pub(super) async fn end_all(db: &Transaction, account: i64) -> Result<()> {
    one_time_secret::Entity::delete_many()
        .filter(one_time_secret::Column::AccountId.eq(account))
        .filter(one_time_secret::Column::Purpose.is_in([Purpose::Invitation, Purpose::PasswordReset]))
        .exec(db)
        .await?;
    Ok(())
}

/// Ends all set-up codes: there is an account.
pub(super) async fn end_set_up(db: &Transaction) -> Result<()> {
    one_time_secret::Entity::delete_many().filter(one_time_secret::Column::Purpose.eq(Purpose::SetUp)).exec(db).await?;
    Ok(())
}
