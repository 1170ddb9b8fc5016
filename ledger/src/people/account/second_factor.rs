//! The second factor (两步验证): six-digit codes of an authenticator app (TOTP, RFC 6238), and recovery codes in case
//! it is lost.

use chrono::{DateTime, Utc};
use entity::account;
use entity::one_time_secret::{self, Purpose};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter};
use serde_json::json;
use totp_rs::{Builder, Secret, Totp};

use super::failures::fail;
use super::proof::prove;
use super::row::{get, hold, note, tell};
use super::secret::digest;
use super::security_log::log_change;
use super::session;
use crate::fault::{Fault, FaultCode};
use crate::record::database;
use crate::record::database::Transaction;
use crate::work::Acting;
use crate::{Error, Result, random};

/// The issuer that authenticator apps show with the address.
const ISSUER: &str = "Rectify";
/// The number of recovery codes of an account.
const RECOVERY_CODES: usize = 10;
/// The random bytes of a recovery code (80 bits).
const RECOVERY_BYTES: usize = 10;

/// The secret to enter into an authenticator app; it is shown once.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The secret in Base32, for manual entry.
    pub secret: String,
    /// The `otpauth://` URL of the secret, for a QR code.
    pub url: String,
}

/// Generates a new second-factor secret for the caller's own account, after a proof by the current password.
///
/// Sign-in does not require the second factor until [`confirm`] has received a code of it.
pub async fn enrol(acting: &Acting<'_>, current: Option<&str>) -> Result<Enrolment> {
    let account = own(acting)?;
    prove(acting, current).await?;
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    let found = get(&transaction, account).await?;
    if found.totp_since.is_some() {
        let (zh, en) =
            ("已启用两步验证，请先停用再重新设置", "the account already has a second factor: remove it first");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input"]).into());
    }
    let bytes = random::bytes::<20>()?;
    let secret = Secret::new_stack(bytes).to_base32();
    let totp = Builder::new()
        .with_secret(Secret::new_stack(bytes))
        .with_issuer(Some(ISSUER))
        .with_account_name(found.email.replace(':', ""))
        .build()
        .map_err(|_| Error::failed("creating a second factor"))?;
    let url = totp.to_url().map_err(|_| Error::failed("creating a second factor"))?;
    let change =
        account::ActiveModel { id: Set(account), totp_secret: Set(Some(secret.clone())), ..Default::default() };
    change.update(&transaction).await?;
    transaction.commit().await?;
    Ok(Enrolment { secret, url })
}

/// Enables the second factor and returns its recovery codes.
///
/// `code` proves that the authenticator app has the secret. The recovery codes are shown this once only. The caller's
/// session, if it only served to set up the second factor, gets the rights of the account.
pub async fn confirm(acting: &Acting<'_>, code: &str) -> Result<Vec<String>> {
    let account = own(acting)?;
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    let found = get(&transaction, account).await?;
    if found.totp_secret.is_none() || found.totp_since.is_some() {
        let (zh, en) =
            ("没有待确认的两步验证，请先设置", "there is no second factor to confirm: start its set-up first");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input"]).into());
    }
    let Some(step) = step_of(&found, code, acting.now) else {
        return Err(wrong(&["input", "code"]).into());
    };
    let change = account::ActiveModel {
        id: Set(account),
        totp_since: Set(Some(acting.now)),
        totp_step: Set(Some(step)),
        ..Default::default()
    };
    let now = change.update(&transaction).await?;
    let codes = renew_codes(&transaction, acting, account).await?;
    let unlimited = entity::session::ActiveModel { is_limited: Set(false), ..Default::default() };
    entity::session::Entity::update_many()
        .set(unlimited)
        .filter(entity::session::Column::AccountId.eq(account))
        .filter(entity::session::Column::Id.eq(acting.by.session.unwrap_or_default()))
        .exec(&transaction)
        .await?;
    note(&transaction, acting.by, account, "SECOND_FACTOR_SET", json!({}), acting.now).await?;
    log_change(acting.by, account, "second-factor-set");
    tell(&transaction, &now, ("second-factor-set", json!({})), acting).await?;
    transaction.commit().await?;
    Ok(codes)
}

/// Removes the second factor of an account (`None` means the caller's own), and ends its sessions except the caller's.
///
/// One's own is removed with the current password and a code; an administrator removes that of any account with the
/// administrator's current password.
pub async fn remove(
    acting: &Acting<'_>,
    account: Option<i64>,
    current: Option<&str>,
    code: Option<&str>,
) -> Result<()> {
    let by = &acting.by.principal;
    let account = account.map_or_else(|| own(acting), Ok)?;
    let is_own = by.account == Some(account);
    by.require_managed(account)?;
    by.in_person()?;
    prove(acting, current).await?;
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    let found = get(&transaction, account).await?;
    if found.totp_since.is_none() {
        let (zh, en) = ("没有启用两步验证", "the account has no second factor");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input"]).into());
    }
    if is_own && take(&transaction, &found, code.unwrap_or_default(), acting.now).await?.is_none() {
        fail(&transaction, acting, &found, "the code of the second factor is wrong").await?;
        transaction.commit().await?;
        return Err(wrong(&["input", "code"]).into());
    }
    let change = account::ActiveModel {
        id: Set(account),
        totp_secret: Set(None),
        totp_since: Set(None),
        totp_step: Set(None),
        ..Default::default()
    };
    let now = change.update(&transaction).await?;
    one_time_secret::Entity::delete_many().filter(codes_of(account)).exec(&transaction).await?;
    let others = Condition::all()
        .add(entity::session::Column::AccountId.eq(account))
        .add(entity::session::Column::Kind.eq(entity::session::SessionKind::Session))
        .add(entity::session::Column::Id.ne(acting.by.session.unwrap_or_default()));
    session::end(&transaction, others, acting.now).await?;
    note(&transaction, acting.by, account, "SECOND_FACTOR_REMOVED", json!({}), acting.now).await?;
    log_change(acting.by, account, "second-factor-removed");
    tell(&transaction, &now, ("second-factor-removed", json!({})), acting).await?;
    Ok(transaction.commit().await?)
}

/// Verifies and uses up a code of the app or a recovery code of an account, which the caller has locked.
///
/// Returns `TOTP` or `RECOVERY_CODE`, or `None` if the code is wrong. Each code is accepted once.
pub(super) async fn take(
    db: &Transaction,
    found: &account::Model,
    code: &str,
    now: DateTime<Utc>,
) -> Result<Option<&'static str>> {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    if let Some(step) = step_of(found, &plain, now) {
        let change = account::ActiveModel { id: Set(found.id), totp_step: Set(Some(step)), ..Default::default() };
        account::Entity::update(change).exec(db).await?;
        return Ok(Some("TOTP"));
    }
    let used = one_time_secret::Entity::delete_many()
        .filter(codes_of(found.id))
        .filter(one_time_secret::Column::Hash.eq(digest(&recovery(&plain))))
        .exec(db)
        .await?;
    Ok((used.rows_affected == 1).then_some("RECOVERY_CODE"))
}

/// Returns the time step of a valid code, or `None` if the code is wrong or its step was used before.
///
/// A step has 30 seconds; the steps before and after the current one are accepted too.
fn step_of(found: &account::Model, code: &str, now: DateTime<Utc>) -> Option<i64> {
    let secret = Secret::try_from_base32(found.totp_secret.as_deref()?).ok()?;
    let totp: Totp = Builder::new().with_secret(secret).build().ok()?;
    let step = totp.check(code.trim(), u64::try_from(now.timestamp()).ok()?)?;
    let step = i64::try_from(step).ok()?;
    found.totp_step.is_none_or(|last| step > last).then_some(step)
}

fn codes_of(account: i64) -> Condition {
    Condition::all()
        .add(one_time_secret::Column::AccountId.eq(account))
        .add(one_time_secret::Column::Purpose.eq(Purpose::Recovery))
}

/// Replaces the recovery codes of an account and returns the new ones.
async fn renew_codes(db: &Transaction, acting: &Acting<'_>, account: i64) -> Result<Vec<String>> {
    one_time_secret::Entity::delete_many().filter(codes_of(account)).exec(db).await?;
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        codes.push(hex::encode(random::bytes::<RECOVERY_BYTES>()?));
    }
    let row = |code: &String| one_time_secret::ActiveModel {
        account_id: Set(Some(account)),
        purpose: Set(Purpose::Recovery),
        hash: Set(digest(&recovery(code))),
        created_at: Set(acting.now),
        expires_at: Set(None),
        ..Default::default()
    };
    database::insert_all(db, codes.iter().map(row)).await?;
    let grouped = |code: String| {
        let parts: Vec<&str> = (0..code.len()).step_by(5).map(|at| &code[at..(at + 5).min(code.len())]).collect();
        parts.join("-")
    };
    Ok(codes.into_iter().map(grouped).collect())
}

/// Returns the text of a recovery code that is hashed.
fn recovery(code: &str) -> String {
    format!("recovery:{}", code.to_ascii_lowercase())
}

/// Returns the error for a wrong or used code.
pub(super) fn wrong(path: &[&str]) -> Fault {
    let (zh, en) = (
        "验证码不正确或已使用：请输入验证器应用中当前的 6 位数字，并确认手机时间准确",
        "the code is wrong or was already used: enter the six digits that the app shows now, and make sure that the \
         device's clock is right",
    );
    Fault::new(FaultCode::SignInFailed, zh, en, path)
}

/// Returns the caller's own account; refuses delegates, tokens and callers without an account.
fn own(acting: &Acting<'_>) -> Result<i64> {
    acting.by.principal.in_person()?;
    acting.by.principal.account.ok_or_else(|| {
        let (zh, en) = ("请以本人账户登录后办理", "sign in with your own account to do this");
        Fault::new(FaultCode::NotAllowed, zh, en, &["input"]).into()
    })
}
