//! Signing in with a password and, if the account has one, a second factor.
//!
//! Repeated failures pause the account for a time that doubles with each, and its owner is notified by mail. Users see
//! their own recent sign-ins.

use chrono::{DateTime, TimeDelta, Utc};
use entity::account::{self, Role};
use entity::{audit_entry, session};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde_json::{Value, json};

use super::session::{Opened, SESSION, Wanted, open};
use super::{hold, note, of_account, password, second_factor, tell};
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::record::audit::By;
use crate::record::database;
use crate::record::database::Transaction;
use crate::work::Desk;
use crate::{Error, Result};

/// The number of consecutive failures from which on an account is paused.
pub const MAX_FAILURES: i32 = 5;
/// The duration of the first pause; each further failure doubles it.
pub const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(1);
/// The maximum duration of a pause.
pub const LONGEST_PAUSE: TimeDelta = TimeDelta::hours(1);
/// The time without failures after which earlier ones no longer count.
const FORGOTTEN: TimeDelta = TimeDelta::hours(24);
/// The minimum time between two mails that notify the owner of a pause.
const TOLD: TimeDelta = TimeDelta::hours(1);
/// The time after signing in during which an account without a password need not prove its identity again.
const FRESH: TimeDelta = TimeDelta::minutes(10);

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
/// second factor. `demanding` are the roles that are required to have a second factor: until they have one, their
/// session only serves to set it up.
pub async fn sign_in(desk: &Desk<'_>, given: Given<'_>, demanding: &[Role]) -> Result<Opened> {
    let email = given.email.trim().to_lowercase();
    let found = account::Entity::find().filter(account::Column::Email.eq(email)).one(desk.db).await?;
    let hash = found.as_ref().and_then(|found| found.password_hash.clone());
    let is_right = password::is_right(given.password, hash.clone()).await?;
    let Some(found) = found else {
        denied(None, desk, "no account has this address");
        return Err(wrong());
    };
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, found.id).await?;
    // Read again under the lock: of many concurrent guesses, those after the one that pauses the account are not tried.
    let found = super::get(&transaction, found.id).await?;
    // During a pause, a right password gets the same answer as a wrong one, and nothing reveals that the account
    // exists.
    if found.locked_until.is_some_and(|until| until > desk.now) {
        denied(Some(found.id), desk, "the account is paused");
        return Err(wrong());
    }
    if !is_right || found.password_hash != hash {
        fail(&transaction, desk, &found, "the password is wrong").await?;
        transaction.commit().await?;
        return Err(wrong());
    }
    if !is_usable(&found, desk) {
        denied(Some(found.id), desk, "the account is disabled or has expired");
        return Err(wrong());
    }
    let mut is_limited = false;
    let means = if found.totp_since.is_some() {
        let Some(code) = given.code.filter(|code| !code.trim().is_empty()) else { return Err(asks_for_code()) };
        let Some(means) = second_factor::take(&transaction, &found, code, desk.now).await? else {
            fail(&transaction, desk, &found, "the code of the second factor is wrong").await?;
            transaction.commit().await?;
            return Err(second_factor::wrong(&["input", "code"]).into());
        };
        means
    } else {
        is_limited = demanding.contains(&found.role);
        "PASSWORD"
    };
    let wanted = Wanted { is_limited, ..Wanted::of(found.id, "密码登录", desk.now + SESSION) };
    let opened = begin(&transaction, desk, wanted, json!({ "means": means })).await?;
    transaction.commit().await?;
    Ok(opened)
}

/// Opens a session of an account whose identity is proven, and records the sign-in in the audit and the security log.
///
/// The caller has locked the account and commits. `said` is the content of the audit entry.
pub(crate) async fn begin(db: &Transaction, desk: &Desk<'_>, wanted: Wanted, mut said: Value) -> Result<Opened> {
    let account = wanted.account;
    let change = account::ActiveModel {
        id: Set(account),
        failures: Set(0),
        failed_at: Set(None),
        locked_until: Set(None),
        signed_in_at: Set(Some(desk.now)),
        ..Default::default()
    };
    account::Entity::update(change).exec(db).await?;
    let opened = open(db, wanted.from(desk.by.address.clone()), desk.now).await?;
    said["session"] = opened.session.id.into();
    let by = By { principal: of_account(account), ..desk.by.clone() };
    note(db, &by, account, "SIGNED_IN", said, desk.now).await?;
    tracing::info!(target: SECURITY, event = "signed-in", account, address = desk.by.address, "signed in");
    Ok(opened)
}

/// Checks whether an account may be used today: it is neither disabled nor expired.
pub(crate) fn is_usable(found: &account::Model, desk: &Desk<'_>) -> bool {
    !found.is_disabled && found.valid_until.is_none_or(|day| day >= desk.today())
}

/// Counts a wrong password or code of an account, which the caller has locked.
///
/// From the fifth consecutive failure on, each pauses the account for twice as long as the previous one, up to an hour,
/// and the owner is notified by mail.
pub(super) async fn fail(db: &Transaction, desk: &Desk<'_>, found: &account::Model, why: &'static str) -> Result<()> {
    let is_recent = found.failed_at.is_some_and(|at| desk.now - at < FORGOTTEN);
    let failures = if is_recent { found.failures.saturating_add(1) } else { 1 };
    let pause = pause_after(failures);
    let until = pause.map(|pause| desk.now + pause);
    let is_told = found.lock_told_at.is_some_and(|at| desk.now - at < TOLD && at <= desk.now);
    let tells = until.is_some() && !is_told;
    let change = account::ActiveModel {
        id: Set(found.id),
        failures: Set(failures),
        failed_at: Set(Some(desk.now)),
        locked_until: Set(until),
        lock_told_at: Set(if tells { Some(desk.now) } else { found.lock_told_at }),
        ..Default::default()
    };
    account::Entity::update(change).exec(db).await?;
    denied(Some(found.id), desk, why);
    let by = By { address: desk.by.address.clone(), request_id: desk.by.request_id.clone(), ..By::program() };
    note(db, &by, found.id, "SIGN_IN_FAILED", json!({ "failures": failures, "pausedUntil": until }), desk.now).await?;
    if tells {
        tell(db, found, ("account-locked", json!({ "failures": failures })), desk).await?;
    }
    Ok(())
}

/// Returns the duration of the pause after this number of consecutive failures, or `None` if there is no pause.
fn pause_after(failures: i32) -> Option<TimeDelta> {
    let beyond = u32::try_from(failures - MAX_FAILURES).ok()?;
    let minutes = 1_i32.checked_shl(beyond).filter(|minutes| *minutes > 0).unwrap_or(i32::MAX);
    Some(FIRST_PAUSE.checked_mul(minutes).unwrap_or(LONGEST_PAUSE).min(LONGEST_PAUSE))
}

/// The log target of security events, by which they can be filtered.
pub const SECURITY: &str = "rectify::security";

/// Writes a change of an account's rights or credentials to the security log.
pub(crate) fn log_change(by: &By, account: i64, event: &'static str) {
    let (actor, address) = (by.actor(), by.address.as_deref());
    tracing::info!(target: SECURITY, event, account, actor, address, "rights or credentials of the account changed");
}

/// Writes a failed sign-in to the security log, without the address and password that were given.
fn denied(account: Option<i64>, desk: &Desk<'_>, why: &'static str) {
    let address = desk.by.address.as_deref();
    tracing::warn!(target: SECURITY, event = "sign-in-failed", account, address, why, "sign-in failed");
}

/// Records in the audit that an account was denied an act.
pub async fn note_denied(desk: &Desk<'_>, account: i64, what: &str) -> Result<()> {
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, account).await?;
    note(&transaction, desk.by, account, "DENIED", json!({ "act": what }), desk.now).await?;
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

/// Refuses a caller who does not prove their identity again, before an act on credentials or rights.
///
/// The proof is the current password or, for an account without one, a sign-in within the last ten minutes. The
/// program itself needs no proof.
pub(super) async fn prove(desk: &Desk<'_>, current: Option<&str>) -> Result<()> {
    let Some(account) = desk.by.principal.account else { return Ok(()) };
    desk.by.principal.in_person()?;
    let path = ["input", "currentPassword"];
    let found = super::get(desk.db, account).await?;
    if found.password_hash.is_none() {
        let session = match desk.by.session {
            Some(session) => session::Entity::find_by_id(session).one(desk.db).await?,
            None => None,
        };
        if session.is_some_and(|session| desk.now - session.created_at <= FRESH) {
            return Ok(());
        }
        let (zh, en) =
            ("请重新登录，并在 10 分钟内办理此事", "sign in again and retry within ten minutes of signing in");
        return Err(Fault::new(FaultCode::NotAllowed, zh, en, &path).into());
    }
    let refused = |zh: &str, en: &str| Error::from(Fault::new(FaultCode::SignInFailed, zh, en, &path));
    let Some(given) = current else {
        return Err(refused("请输入当前密码", "enter your current password"));
    };
    let is_paused = found.locked_until.is_some_and(|until| until > desk.now);
    if !is_paused && password::is_right(given, found.password_hash.clone()).await? {
        return Ok(());
    }
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, account).await?;
    let found = super::get(&transaction, account).await?;
    if found.locked_until.is_none_or(|until| until <= desk.now) {
        fail(&transaction, desk, &found, "the current password is wrong").await?;
        transaction.commit().await?;
    }
    Err(refused(
        "当前密码不正确；连续输错会暂停账户",
        "the current password is wrong; repeated failures pause the account",
    ))
}

/// Opens a session of a demo account, which has no password.
pub async fn open_demo(desk: &Desk<'_>, account: Option<i64>) -> Result<Opened> {
    let unknown = || fault::unknown(Thing::DemoAccount, &["accountId"]);
    let account = account.ok_or_else(unknown)?;
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, account).await.map_err(|_| unknown())?;
    let found = super::get(&transaction, account).await?;
    if !found.is_demo || !is_usable(&found, desk) {
        return Err(unknown().into());
    }
    let wanted = Wanted::of(account, "演示账户一键登录", desk.now + SESSION);
    let opened = begin(&transaction, desk, wanted, json!({ "means": "DEMO" })).await?;
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
pub async fn recent(desk: &Desk<'_>, most: u64) -> Result<Vec<SignIn>> {
    let Some(account) = desk.by.principal.own_account() else { return Ok(Vec::new()) };
    let entries = audit_entry::Entity::find()
        .filter(audit_entry::Column::Chain.eq(format!("account_{account}")))
        .filter(audit_entry::Column::Act.is_in(["SIGNED_IN", "SIGN_IN_FAILED", "DELEGATE_SIGNED_IN"]))
        .order_by_desc(audit_entry::Column::Position)
        .limit(most)
        .all(desk.db)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_begin_with_the_fifth_failure_and_double_up_to_an_hour() {
        let minutes = |failures| pause_after(failures).map(|pause| pause.num_minutes());
        assert_eq!((1..=4).map(minutes).collect::<Vec<_>>(), [None; 4]);
        let paused: Vec<i64> = (5..=12).filter_map(minutes).collect();
        assert_eq!(paused, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(minutes(i32::MAX), Some(60));
    }
}
