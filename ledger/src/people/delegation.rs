//! Delegation (委托): a colleague acts with the rights of an absent account. The audit records both accounts.

use chrono::{DateTime, TimeDelta, Utc};
use entity::{account, delegation, session};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, ConnectionTrait, DatabaseConnection, EntityTrait,
    PaginatorTrait, QueryFilter,
};
use serde_json::json;

use crate::Result;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::people::account::{self as accounts, NewSession, Opened, SESSION, security_log, session as sessions};
use crate::people::policy::is_colleague;
use crate::record::audit::By;
use crate::record::database;

/// The maximum duration of a delegation, in days.
pub const MAX_DAYS: i64 = 90;

/// A delegation to create.
#[derive(Debug, Clone)]
pub struct New {
    /// The account of the colleague who is to act.
    pub delegate: Option<i64>,
    /// The reason for the delegation (委托事由).
    pub reason: String,
    /// The moment at which the delegation ends, at most [`MAX_DAYS`] from now.
    pub ends_at: DateTime<Utc>,
}

/// Creates a delegation that lets a colleague act for the caller from now on.
///
/// A colleague is an account of the same unit or, if neither has a unit, of the same role and region.
pub async fn make(db: &DatabaseConnection, by: &By, new: &New, now: DateTime<Utc>) -> Result<delegation::Model> {
    let own = own(by)?;
    let reason = fault::line(&new.reason, 2..=200, ("委托事由", "the reason"), &["input", "reason"])?;
    if new.ends_at <= now || new.ends_at > now + TimeDelta::days(MAX_DAYS) {
        let zh = format!("委托的结束时间应晚于现在，且在 {MAX_DAYS} 天以内");
        let en = format!("the delegation must end later than now and within {MAX_DAYS} days");
        return Err(Fault::invalid(zh, en, &["input", "endsAt"]).into());
    }
    let own_account = account::Entity::find_by_id(own).one(db).await?;
    let delegate = match new.delegate.filter(|delegate| *delegate != own) {
        Some(delegate) => account::Entity::find_by_id(delegate).one(db).await?.filter(|found| !found.is_disabled),
        None => None,
    };
    let delegate =
        delegate.zip(own_account).filter(|(delegate, own)| is_colleague(own, delegate)).map(|(found, _)| found);
    let Some(delegate) = delegate else {
        return Err(fault::unknown(Thing::Delegate, &["input", "delegateId"]).into());
    };
    let transaction = database::begin(db).await?;
    accounts::hold(&transaction, own).await?;
    let in_force = delegation::Entity::find()
        .filter(delegation::Column::AccountId.eq(own))
        .filter(delegation::Column::DelegateId.eq(delegate.id))
        .filter(delegation::Column::RevokedAt.is_null())
        .filter(delegation::Column::EndsAt.gt(now))
        .count(&transaction)
        .await?;
    if in_force > 0 {
        let (zh, en) = (
            "已委托这位同事，如需更改请先撤销",
            "you have already delegated to this colleague: revoke that delegation first",
        );
        return Err(Fault::new(FaultCode::Conflict, zh, en, &["input", "delegateId"]).into());
    }
    let row = delegation::ActiveModel {
        account_id: Set(own),
        delegate_id: Set(delegate.id),
        reason: Set(reason),
        begins_at: Set(now),
        ends_at: Set(new.ends_at),
        created_at: Set(now),
        revoked_at: Set(None),
        ..Default::default()
    };
    let row = row.insert(&transaction).await?;
    let after = json!({ "delegation": row.id, "delegate": row.delegate_id, "endsAt": row.ends_at });
    accounts::note(&transaction, by, own, "DELEGATED", after, now).await?;
    security_log::log_change(by, own, "delegated");
    transaction.commit().await?;
    Ok(row)
}

/// Revokes a delegation that the caller made, and ends the sessions that were opened under it.
pub async fn revoke(
    db: &DatabaseConnection,
    by: &By,
    id: Option<i64>,
    now: DateTime<Utc>,
) -> Result<delegation::Model> {
    let own = own(by)?;
    let transaction = database::begin(db).await?;
    accounts::hold(&transaction, own).await?;
    let is_own = |found: &delegation::Model| found.account_id == own && found.revoked_at.is_none();
    let found = find(&transaction, id).await?.filter(is_own).ok_or_else(unknown)?;
    let ended = delegation::ActiveModel { id: Set(found.id), revoked_at: Set(Some(now)), ..Default::default() };
    let ended = ended.update(&transaction).await?;
    let acted =
        Condition::all().add(session::Column::AccountId.eq(own)).add(session::Column::ActorId.eq(found.delegate_id));
    sessions::end(&transaction, acted, now).await?;
    accounts::note(&transaction, by, own, "DELEGATION_ENDED", json!({ "delegation": found.id }), now).await?;
    security_log::log_change(by, own, "delegation-ended");
    transaction.commit().await?;
    Ok(ended)
}

/// Opens a session in which the caller acts for the account that delegated to them.
///
/// The session ends with the delegation at the latest.
pub async fn act(db: &DatabaseConnection, by: &By, id: Option<i64>, now: DateTime<Utc>) -> Result<Opened> {
    let own = own(by)?;
    let is_mine = |found: &delegation::Model| {
        found.delegate_id == own && found.revoked_at.is_none() && found.begins_at <= now && now < found.ends_at
    };
    let found = find(db, id).await?.filter(is_mine).ok_or_else(unknown)?;
    let transaction = database::begin(db).await?;
    accounts::hold(&transaction, found.account_id).await?;
    let wanted =
        NewSession::of(found.account_id, "受委托代办", found.ends_at.min(now + SESSION)).from(by.address.clone());
    let opened = accounts::open(&transaction, NewSession { actor: Some(own), ..wanted }, now).await?;
    let after = json!({ "delegation": found.id, "session": opened.session.id });
    accounts::note(&transaction, by, found.account_id, "DELEGATE_SIGNED_IN", after, now).await?;
    transaction.commit().await?;
    Ok(opened)
}

async fn find<C: ConnectionTrait>(db: &C, id: Option<i64>) -> Result<Option<delegation::Model>> {
    Ok(match id {
        Some(id) => delegation::Entity::find_by_id(id).one(db).await?,
        None => None,
    })
}

/// Returns the caller's account; refuses delegates and tokens, as rights are delegated in person only.
fn own(by: &By) -> Result<i64, Fault> {
    by.principal.account.filter(|_| by.principal.may_delegate()).ok_or_else(|| {
        let (zh, en) = ("请以本人账户登录后办理委托", "sign in with your own account to manage delegations");
        Fault::new(FaultCode::NotAllowed, zh, en, &["input"])
    })
}

fn unknown() -> Fault {
    fault::unknown(Thing::Delegation, &["input", "delegationId"])
}
