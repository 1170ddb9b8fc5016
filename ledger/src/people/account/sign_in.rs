//! Signing in with a password and, if the account has one, a second factor.
//!
//! Repeated failures pause the account for a time that doubles with each, and its owner is notified by mail. Users see
//! their own recent sign-ins.

use chrono::{DateTime, Utc};
use entity::account::{self, Role};
use entity::audit_entry;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value, json};

use super::failures::{MAX_FAILURES, fail};
use super::password;
use super::row::{get, hold, is_usable, note, of_account};
use super::second_factor;
use super::security_log::{log_denied, log_sign_in};
use super::session::{NewSession, Opened, SESSION, open};
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::record::audit::By;
use crate::record::database;
use crate::record::database::Transaction;
use crate::work::Acting;
use crate::{Error, Result};

/// The credentials of a sign-in.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// The sign-in address (e-mail).
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
    /// A code of the second factor or a recovery code; `None` until one is asked for.
    pub code: Option<&'a str>,
}

/// Signs in with an address and a password, and opens a session.
///
/// Every failure returns the same error, except that a right password without a code is answered by a request for the
/// second factor. `second_factor_roles` are the roles that are required to have a second factor: until they have one,
/// their session only serves to set it up.
pub async fn sign_in(acting: &Acting<'_>, given: Given<'_>, second_factor_roles: &[Role]) -> Result<Opened> {
    let email = given.email.trim().to_lowercase();
    let found = account::Entity::find().filter(account::Column::Email.eq(email)).one(acting.db).await?;
    let hash = found.as_ref().and_then(|found| found.password_hash.clone());
    let is_right = password::is_right(given.password, hash.clone()).await?;
    let Some(found) = found else {
        log_denied(None, acting, "no account has this address");
        return Err(wrong());
    };
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, found.id).await?;
    // Read again under the lock: of many concurrent guesses, those after the one that pauses the account are not tried.
    let found = get(&transaction, found.id).await?;
    // During a pause, a right password gets the same answer as a wrong one, and nothing reveals that the account
    // exists.
    if found.locked_until.is_some_and(|until| until > acting.now) {
        log_denied(Some(found.id), acting, "the account is paused");
        return Err(wrong());
    }
    if !is_right || found.password_hash != hash {
        fail(&transaction, acting, &found, "the password is wrong").await?;
        transaction.commit().await?;
        return Err(wrong());
    }
    if !is_usable(&found, acting) {
        log_denied(Some(found.id), acting, "the account is disabled or has expired");
        return Err(wrong());
    }
    let mut is_limited = false;
    let means = if found.totp_since.is_some() {
        let Some(code) = given.code.filter(|code| !code.trim().is_empty()) else { return Err(asks_for_code()) };
        let Some(means) = second_factor::take(&transaction, &found, code, acting.now).await? else {
            fail(&transaction, acting, &found, "the code of the second factor is wrong").await?;
            transaction.commit().await?;
            return Err(second_factor::wrong(&["input", "code"]).into());
        };
        means
    } else {
        is_limited = second_factor_roles.contains(&found.role);
        "PASSWORD"
    };
    let wanted = NewSession { is_limited, ..NewSession::of(found.id, "密码登录", acting.now + SESSION) };
    let opened = begin(&transaction, acting, wanted, json!({ "means": means })).await?;
    transaction.commit().await?;
    Ok(opened)
}

/// Opens a session of an account whose identity is proven, and records the sign-in in the audit and the security log.
///
/// The caller has locked the account and commits. `said` is the content of the audit entry.
pub(crate) async fn begin(
    db: &Transaction,
    acting: &Acting<'_>,
    wanted: NewSession,
    mut said: Value,
) -> Result<Opened> {
    let account = wanted.account;
    let change = account::ActiveModel {
        id: Set(account),
        failures: Set(0),
        failed_at: Set(None),
        locked_until: Set(None),
        signed_in_at: Set(Some(acting.now)),
        ..Default::default()
    };
    account::Entity::update(change).exec(db).await?;
    let opened = open(db, wanted.from(acting.by.address.clone()), acting.now).await?;
    said["session"] = opened.session.id.into();
    let by = By { principal: of_account(account), ..acting.by.clone() };
    note(db, &by, account, "SIGNED_IN", said, acting.now).await?;
    log_sign_in(account, acting);
    Ok(opened)
}

/// Records in the audit that an account was denied an act.
pub async fn note_denied(acting: &Acting<'_>, account: i64, what: &str) -> Result<()> {
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    note(&transaction, acting.by, account, "DENIED", json!({ "act": what }), acting.now).await?;
    Ok(transaction.commit().await?)
}

/// Returns the one error for all failures, so that no one learns which addresses have accounts.
///
/// The owner of a paused account is notified by mail instead.
fn wrong() -> Error {
    Fault::new(
        FaultCode::SignInFailed,
        format!("邮箱或密码不正确，或账户已停用；连续输错 {MAX_FAILURES} 次起，每次错误都会暂停登录，时间逐次加倍"),
        format!(
            "the address or password is wrong, or the account is disabled; from the {MAX_FAILURES}th consecutive wrong \
             password on, each one pauses the account for twice as long as the one before"
        ),
        &["input"],
    )
    .into()
}

fn asks_for_code() -> Error {
    Fault::new(
        FaultCode::SecondFactorRequired,
        "请输入验证器应用中的 6 位验证码，或一个恢复代码",
        "enter the six-digit code of your authenticator app, or a recovery code",
        &["input", "code"],
    )
    .into()
}

/// Opens a session of a demo account, which has no password.
pub async fn open_demo(acting: &Acting<'_>, account: Option<i64>) -> Result<Opened> {
    let unknown = || fault::unknown(Thing::DemoAccount, &["accountId"]);
    let account = account.ok_or_else(unknown)?;
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await.map_err(|_| unknown())?;
    let found = get(&transaction, account).await?;
    if !found.is_demo || !is_usable(&found, acting) {
        return Err(unknown().into());
    }
    let wanted = NewSession::of(account, "演示账户一键登录", acting.now + SESSION);
    let opened = begin(&transaction, acting, wanted, json!({ "means": "DEMO" })).await?;
    transaction.commit().await?;
    Ok(opened)
}

/// A successful or failed sign-in of the caller's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// The moment of the sign-in, in UTC.
    pub at: DateTime<Utc>,
    /// The network address of the client; `None` if it is not known.
    pub address: Option<String>,
    /// Whether the sign-in opened a session.
    pub has_succeeded: bool,
    /// The means of the sign-in: `PASSWORD`, `TOTP`, `RECOVERY_CODE`, `PROVIDER`, `DELEGATION`, `DEMO` or `SET_UP`;
    /// `None` for a failed one.
    pub means: Option<String>,
}

/// Returns the recent sign-ins of the caller's account, the newest first; none for a delegate.
pub async fn recent(acting: &Acting<'_>, most: u64) -> Result<Vec<SignIn>> {
    let Some(account) = acting.by.principal.own_account() else { return Ok(Vec::new()) };
    let entries = audit_entry::Entity::find()
        .filter(audit_entry::Column::Chain.eq(format!("account_{account}")))
        .filter(audit_entry::Column::Act.is_in(["SIGNED_IN", "SIGN_IN_FAILED", "DELEGATE_SIGNED_IN"]))
        .order_by_desc(audit_entry::Column::Position)
        .limit(most)
        .all(acting.db)
        .await?;
    let told = |entry: audit_entry::Model| {
        let said: Value = serde_json::from_str(&entry.after).unwrap_or_default();
        let means = match entry.act.as_str() {
            "DELEGATE_SIGNED_IN" => Some("DELEGATION".to_owned()),
            _ => said["means"].as_str().map(str::to_owned),
        };
        SignIn { at: entry.at, address: entry.address, has_succeeded: entry.act != "SIGN_IN_FAILED", means }
    };
    Ok(entries.into_iter().map(told).collect())
}
