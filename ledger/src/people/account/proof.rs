//! The proof of the caller's identity that acts on credentials and rights require.

use chrono::TimeDelta;
use entity::session;
use sea_orm::EntityTrait;

use super::failures::fail;
use super::password;
use super::row::{get, hold};
use crate::fault::{Fault, FaultCode};
use crate::record::database;
use crate::work::Acting;
use crate::{Error, Result};

/// The time after signing in during which an account without a password need not prove its identity again.
const FRESH: TimeDelta = TimeDelta::minutes(10);

/// Refuses a caller who does not prove their identity again, before an act on credentials or rights.
///
/// The proof is the current password or, for an account without one, a sign-in within the last ten minutes. The
/// program itself needs no proof.
pub(crate) async fn prove(acting: &Acting<'_>, current: Option<&str>) -> Result<()> {
    let Some(account) = acting.by.principal.account else { return Ok(()) };
    acting.by.principal.in_person()?;
    let path = ["input", "currentPassword"];
    let found = get(acting.db, account).await?;
    if found.password_hash.is_none() {
        let session = match acting.by.session {
            Some(session) => session::Entity::find_by_id(session).one(acting.db).await?,
            None => None,
        };
        if session.is_some_and(|session| acting.now - session.created_at <= FRESH) {
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
    let is_paused = found.locked_until.is_some_and(|until| until > acting.now);
    if !is_paused && password::is_right(given, found.password_hash.clone()).await? {
        return Ok(());
    }
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    let found = get(&transaction, account).await?;
    if found.locked_until.is_none_or(|until| until <= acting.now) {
        fail(&transaction, acting, &found, "the current password is wrong").await?;
        transaction.commit().await?;
    }
    Err(refused(
        "当前密码不正确；连续输错会暂停账户",
        "the current password is wrong; repeated failures pause the account",
    ))
}
