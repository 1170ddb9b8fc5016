//! The second factor: six digits of an authenticator app (TOTP, RFC 6238), and recovery codes for who has lost it.

use chrono::{DateTime, Utc};
use entity::account;
use entity::one_time_secret::{self, Purpose};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter};
use serde_json::json;
use totp_rs::{Builder, Secret, Totp};

use super::{digest, failed, hold, in_person, note, sign_in, tell};
use crate::Result;
use crate::fault::{Fault, FaultCode};
use crate::people::policy::{Act, not_allowed};
use crate::record::database;
use crate::record::database::Transaction;
use crate::work::Desk;

/// What authenticator apps show above the address.
const ISSUER: &str = "Rectify";
/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;
/// The bytes of a recovery code: 80 bits.
const RECOVERY_BYTES: usize = 10;

/// What an authenticator app has to be told; shown once.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The secret in Base32, to be typed.
    pub secret: String,
    /// The same as an `otpauth://` address, to be shown as a QR code.
    pub url: String,
}

/// Draws a new secret for one's own account. Nothing is asked for at sign-in until `confirm` has seen a code of it.
pub async fn enrol(desk: &Desk<'_>, current: Option<&str>) -> Result<Enrolment> {
    let account = own(desk)?;
    sign_in::prove(desk, current).await?;
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, account).await?;
    let found = super::get(&transaction, account).await?;
    if found.totp_since.is_some() {
        let (zh, en) = ("已启用两步验证，请先停用再重新设置", "there is a second factor: remove it first");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input"]).into());
    }
    let mut bytes = [0_u8; 20];
    getrandom::fill(&mut bytes).map_err(|_| failed("asking for random numbers"))?;
    let secret = Secret::new_stack(bytes).to_base32();
    let totp = Builder::new()
        .with_secret(Secret::new_stack(bytes))
        .with_issuer(Some(ISSUER))
        .with_account_name(found.email.replace(':', ""))
        .build()
        .map_err(|_| failed("making a second factor"))?;
    let url = totp.to_url().map_err(|_| failed("making a second factor"))?;
    let change =
        account::ActiveModel { id: Set(account), totp_secret: Set(Some(secret.clone())), ..Default::default() };
    change.update(&transaction).await?;
    transaction.commit().await?;
    Ok(Enrolment { secret, url })
}

/// Asks for the second factor from now on, once a code shows that the app has its secret. Gives the recovery codes, which are
/// shown this once. A session that only served to set it up gets the account's rights.
pub async fn confirm(desk: &Desk<'_>, code: &str) -> Result<Vec<String>> {
    let account = own(desk)?;
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, account).await?;
    let found = super::get(&transaction, account).await?;
    if found.totp_secret.is_none() || found.totp_since.is_some() {
        let (zh, en) = ("没有待确认的两步验证，请先设置", "there is no second factor to confirm: set it up first");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input"]).into());
    }
    let Some(step) = step_of(&found, code, desk.now) else {
        return Err(wrong(&["input", "code"]).into());
    };
    let change = account::ActiveModel {
        id: Set(account),
        totp_since: Set(Some(desk.now)),
        totp_step: Set(Some(step)),
        ..Default::default()
    };
    let now = change.update(&transaction).await?;
    let codes = renew_codes(&transaction, desk, account).await?;
    let unlimited = entity::session::ActiveModel { is_limited: Set(false), ..Default::default() };
    entity::session::Entity::update_many()
        .set(unlimited)
        .filter(entity::session::Column::AccountId.eq(account))
        .filter(entity::session::Column::Id.eq(desk.by.session.unwrap_or_default()))
        .exec(&transaction)
        .await?;
    note(&transaction, desk.by, account, "SECOND_FACTOR_SET", json!({}), desk.now).await?;
    sign_in::log_change(desk.by, account, "second-factor-set");
    let (subject, reason) =
        ("【账户安全】已启用两步验证", "账户已启用两步验证，今后登录须同时输入验证器应用中的验证码。");
    tell(&transaction, &now, ("account-changed", subject, reason), desk).await?;
    transaction.commit().await?;
    Ok(codes)
}

/// Removes the second factor: one's own, with the current password and a code, or as an administrator anybody's, with the
/// administrator's current password. Ends the account's sessions but the one that asks.
pub async fn remove(desk: &Desk<'_>, account: Option<i64>, current: Option<&str>, code: Option<&str>) -> Result<()> {
    let by = &desk.by.principal;
    let account = account.map_or_else(|| own(desk), Ok)?;
    let is_own = by.account == Some(account);
    if !is_own && !by.may(Act::KeepAccounts) {
        return Err(not_allowed(Act::KeepAccounts).into());
    }
    in_person(desk.by)?;
    sign_in::prove(desk, current).await?;
    let transaction = database::begin(desk.db).await?;
    hold(&transaction, account).await?;
    let found = super::get(&transaction, account).await?;
    if found.totp_since.is_none() {
        let (zh, en) = ("没有启用两步验证", "there is no second factor");
        return Err(Fault::new(FaultCode::WrongState, zh, en, &["input"]).into());
    }
    if is_own && take(&transaction, &found, code.unwrap_or_default(), desk.now).await?.is_none() {
        sign_in::fail(&transaction, desk, &found, "the code of the second factor is wrong").await?;
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
        .add(entity::session::Column::Id.ne(desk.by.session.unwrap_or_default()));
    super::session::end(&transaction, others, desk.now).await?;
    note(&transaction, desk.by, account, "SECOND_FACTOR_REMOVED", json!({}), desk.now).await?;
    sign_in::log_change(desk.by, account, "second-factor-removed");
    let (subject, reason) = ("【账户安全】已停用两步验证", "账户已停用两步验证，今后登录只需密码。");
    tell(&transaction, &now, ("account-changed", subject, reason), desk).await?;
    Ok(transaction.commit().await?)
}

/// Takes a code of the app or a recovery code of an account that is held, each once; says what it was, none where it is
/// wrong.
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

/// The time step of a code that is right now, and of which none was taken before; a step has 30 seconds, and the one before
/// and the one after are taken as well.
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

/// Draws new recovery codes in place of the old ones.
async fn renew_codes(db: &Transaction, desk: &Desk<'_>, account: i64) -> Result<Vec<String>> {
    one_time_secret::Entity::delete_many().filter(codes_of(account)).exec(db).await?;
    let mut codes = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let mut bytes = [0_u8; RECOVERY_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| failed("asking for random numbers"))?;
        codes.push(hex::encode(bytes));
    }
    let row = |code: &String| one_time_secret::ActiveModel {
        account_id: Set(Some(account)),
        purpose: Set(Purpose::Recovery),
        hash: Set(digest(&recovery(code))),
        created_at: Set(desk.now),
        expires_at: Set(None),
        ..Default::default()
    };
    one_time_secret::Entity::insert_many(codes.iter().map(row)).exec_without_returning(db).await?;
    let grouped = |code: String| {
        let parts: Vec<&str> = (0..code.len()).step_by(5).map(|at| &code[at..(at + 5).min(code.len())]).collect();
        parts.join("-")
    };
    Ok(codes.into_iter().map(grouped).collect())
}

/// What is hashed of a recovery code.
fn recovery(code: &str) -> String {
    format!("recovery:{}", code.to_ascii_lowercase())
}

/// The refusal of a code.
pub(super) fn wrong(path: &[&str]) -> Fault {
    let (zh, en) = (
        "验证码不正确或已使用：请输入验证器应用中当前的 6 位数字，并确认手机时间准确",
        "the code is wrong or was used: give the six digits that the app shows now, and see that its clock is right",
    );
    Fault::new(FaultCode::SignInFailed, zh, en, path)
}

/// The account that asks, for itself.
fn own(desk: &Desk<'_>) -> Result<i64> {
    in_person(desk.by)?;
    desk.by.principal.account.ok_or_else(|| {
        let (zh, en) = ("请以本人账户登录后办理", "sign in with your own account");
        Fault::new(FaultCode::NotAllowed, zh, en, &["input"]).into()
    })
}
