//! Identities: the accounts to which the subjects of an identity provider (OpenID Connect) are bound.
//!
//! The first sign-in binds a subject to the account with its verified e-mail address; from then on, only the subject
//! counts. The page that started the sign-in receives a single-use code, which it redeems for a session. No account is
//! created here.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::{account, identity, sign_in_code};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseConnection, EntityTrait, QueryFilter,
};
use serde_json::json;

use crate::fault::{Fault, FaultCode};
use crate::people::account::security_log::log_refused;
use crate::people::account::{self as accounts, NewSession, Opened, SESSION, session, sign_in};
use crate::people::policy::Act;
use crate::record::audit::By;
use crate::record::database;
use crate::record::database::Transaction;
use crate::rule::calendar;
use crate::work::Acting;
use crate::{Result, random};

/// The lifetime of the code of a sign-in.
pub const CODE: TimeDelta = TimeDelta::seconds(60);

/// The claims of an identity provider about a user, from a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vouched {
    /// The issuer identifier of the provider (`iss`).
    pub issuer: String,
    /// The identifier of the user at the provider (`sub`).
    pub subject: String,
    /// The e-mail address of the user; `None` unless the provider has verified it.
    pub verified_email: Option<String>,
}

/// Finds the account of a subject, binding it at the first sign-in, and returns a code for a session of it.
///
/// The code can only be redeemed with the text whose SHA-256 is `challenge`. Every failure returns the same error, so
/// that no one learns who has an account.
pub async fn admit(
    db: &DatabaseConnection,
    by: &By,
    vouched: &Vouched,
    challenge: &str,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<String> {
    let transaction = database::begin(db).await?;
    let found = match bound(&transaction, vouched).await? {
        Some(found) => found,
        None => bind(&transaction, by, vouched, (now, zone)).await?,
    };
    usable(&transaction, found.account_id, (now, zone)).await?;
    sign_in_code::Entity::delete_many().filter(sign_in_code::Column::ExpiresAt.lte(now)).exec(&transaction).await?;
    let code = random::hexadecimal()?;
    let row = sign_in_code::ActiveModel {
        identity_id: Set(found.id),
        hash: Set(accounts::digest(&code)),
        challenge: Set(challenge.to_owned()),
        expires_at: Set(now + CODE),
        ..Default::default()
    };
    row.insert(&transaction).await?;
    transaction.commit().await?;
    Ok(code)
}

async fn bound<C: ConnectionTrait>(db: &C, vouched: &Vouched) -> Result<Option<identity::Model>> {
    let found = identity::Entity::find()
        .filter(identity::Column::Issuer.eq(vouched.issuer.as_str()))
        .filter(identity::Column::Subject.eq(vouched.subject.as_str()));
    Ok(found.one(db).await?)
}

/// Binds a subject to the account with its verified e-mail address.
async fn bind(db: &Transaction, by: &By, vouched: &Vouched, times: (DateTime<Utc>, Tz)) -> Result<identity::Model> {
    let Some(email) = vouched.verified_email.as_ref().map(|email| email.trim().to_lowercase()) else {
        return Err(refused("the provider has not verified an e-mail address of the subject"));
    };
    let Some(found) = account::Entity::find().filter(account::Column::Email.eq(email)).one(db).await? else {
        return Err(refused("no account has the subject's e-mail address"));
    };
    // With the account locked, a concurrent sign-in of the same subject finds the identity already bound.
    accounts::hold(db, found.id).await?;
    usable(db, found.id, times).await?;
    let before = identity::Entity::find()
        .filter(identity::Column::AccountId.eq(found.id))
        .filter(identity::Column::Issuer.eq(vouched.issuer.as_str()));
    match before.one(db).await? {
        Some(before) if before.subject == vouched.subject => return Ok(before),
        Some(_) => return Err(refused("the account is bound to another subject of this provider")),
        None => {}
    }
    let row = identity::ActiveModel {
        account_id: Set(found.id),
        issuer: Set(vouched.issuer.clone()),
        subject: Set(vouched.subject.clone()),
        bound_at: Set(times.0),
        ..Default::default()
    };
    let row = row.insert(db).await?;
    let after = json!({ "identity": row.id, "issuer": row.issuer });
    accounts::note(db, &of(by, found.id), found.id, "IDENTITY_BOUND", after, times.0).await?;
    Ok(row)
}

/// Refuses an account that cannot sign in through a provider: one that is disabled, expired, or part of the demo.
async fn usable<C: ConnectionTrait>(db: &C, account: i64, (now, zone): (DateTime<Utc>, Tz)) -> Result<()> {
    let found = account::Entity::find_by_id(account).one(db).await?;
    let is_over = |day: chrono::NaiveDate| day < calendar::local_day(now, zone);
    match found {
        Some(found) if found.is_demo => Err(refused("the account is a demo account")),
        Some(found) if found.is_disabled => Err(refused("the account is disabled")),
        Some(found) if found.valid_until.is_some_and(is_over) => Err(refused("the account has expired")),
        Some(_) => Ok(()),
        None => Err(refused("the account no longer exists")),
    }
}

/// Redeems a code for a session, if `proof` is the text that matches the challenge of the code.
///
/// The first attempt uses the code up, whether the proof is right or not.
pub async fn redeem(acting: &Acting<'_>, (code, proof): (&str, &str)) -> Result<Opened> {
    let (now, zone) = (acting.now, acting.zone);
    let transaction = database::begin(acting.db).await?;
    let given = sign_in_code::Entity::find().filter(sign_in_code::Column::Hash.eq(accounts::digest(code)));
    let Some(given) = given.one(&transaction).await? else { return Err(spent()) };
    let used = sign_in_code::Entity::delete_by_id(given.id).exec(&transaction).await?;
    let is_right = used.rows_affected == 1 && given.expires_at > now && accounts::digest(proof) == given.challenge;
    let found = identity::Entity::find_by_id(given.identity_id).one(&transaction).await?;
    let Some(found) = found.filter(|_| is_right) else {
        transaction.commit().await?;
        return Err(spent());
    };
    let account = found.account_id;
    accounts::hold(&transaction, account).await?;
    if let Err(refused) = usable(&transaction, account, (now, zone)).await {
        transaction.commit().await?;
        return Err(refused);
    }
    let wanted = NewSession::of(account, "统一身份认证登录", now + SESSION);
    let said = json!({ "means": "PROVIDER", "identity": found.id });
    let opened = sign_in::begin(&transaction, acting, wanted, said).await?;
    transaction.commit().await?;
    Ok(opened)
}

/// Unbinds an account from every provider and ends its sessions, so that the next sign-in binds it anew.
///
/// Returns false if the account was not bound. For administrators.
pub async fn unbind(acting: &Acting<'_>, account: i64) -> Result<bool> {
    let (by, now) = (acting.by, acting.now);
    by.principal.require(Act::KeepAccounts)?;
    let transaction = database::begin(acting.db).await?;
    accounts::hold(&transaction, account).await?;
    let unbound =
        identity::Entity::delete_many().filter(identity::Column::AccountId.eq(account)).exec(&transaction).await?;
    if unbound.rows_affected == 0 {
        return Ok(false);
    }
    session::end_signed_in(&transaction, account, now).await?;
    accounts::note(&transaction, by, account, "IDENTITY_UNBOUND", json!({}), now).await?;
    transaction.commit().await?;
    Ok(true)
}

/// Returns the account itself as the actor, with the origin of the request.
fn of(by: &By, account: i64) -> By {
    By { principal: accounts::of_account(account), ..by.clone() }
}

/// Logs the reason of a refused sign-in for operators, and returns the error for the caller.
///
/// The error is the same for every reason, so that no one learns who has an account.
fn refused(why: &str) -> crate::Error {
    log_refused(why);
    Fault::new(
        FaultCode::SignInFailed,
        "统一身份认证已通过，但没有可以登录的账户：请联系系统管理员，核对账户邮箱与认证系统中已验证的邮箱是否一致",
        "the provider has authenticated you, but you have no account to sign in to: ask the administrator whether the \
         account's e-mail address is the one that the provider has verified",
        &["input"],
    )
    .into()
}

fn spent() -> crate::Error {
    Fault::new(
        FaultCode::SignInFailed,
        "登录凭据无效、已使用或已过期，请重新登录",
        "the code is invalid, already used or expired: sign in again",
        &["input"],
    )
    .into()
}
