//! Export and erasure of personal data.
//!
//! Source: 个人信息保护法 (PIPL), articles 45 to 47: people have the right to a copy of their data and to its erasure.

use entity::account;
use entity::one_time_secret;
use entity::{delegation, identity, mail, saved_view, session, unit_address};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveEnum, ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder,
};
use serde_json::{Value, json};

use super::proof::prove;
use super::row::{get, hold, note};
use super::security_log::log_change;
use super::session as sessions;
use crate::Result;
use crate::record::database;
use crate::record::database::Transaction;
use crate::record::outbox;
use crate::rule::name_order::name_order;
use crate::work::Acting;

/// The kinds of mails that are about accounts.
const KINDS: &[&str] = &[
    "account-locked",
    "address-changed",
    "second-factor-set",
    "second-factor-removed",
    "password-set",
    "password-reset",
    "invitation",
    // Of earlier versions.
    "account-changed",
];
/// The name of an erased account, followed by its key.
const ERASED: &str = "已注销用户";
/// The maximum number of rows of each kind in an export; the newest are included.
const MAX_ROWS: u64 = 10_000;

/// Exports the personal data of an account as JSON: the account, sessions and tokens, delegations, identities, mails
/// and audit.
///
/// Users export their own data in person, administrators those of any account. The export is recorded in the audit.
pub async fn export(acting: &Acting<'_>, account: i64) -> Result<Value> {
    acting.by.principal.require_managed(account)?;
    acting.by.principal.in_person()?;
    let found = get(acting.db, account).await?;
    let either =
        Condition::any().add(delegation::Column::AccountId.eq(account)).add(delegation::Column::DelegateId.eq(account));
    let delegations =
        delegation::Entity::find().filter(either).order_by_asc(delegation::Column::Id).all(acting.db).await?;
    let opened = latest(session::Entity::find().filter(session::Column::AccountId.eq(account)), session::Column::Id);
    let identities = identity::Entity::find().filter(identity::Column::AccountId.eq(account)).all(acting.db).await?;
    let views = saved_view::Entity::find().filter(saved_view::Column::AccountId.eq(account)).all(acting.db).await?;
    let mails = latest(mail::Entity::find().filter(mail::Column::Recipient.eq(found.email.as_str())), mail::Column::Id);
    let noted = crate::record::audit::of_chain(acting.db, &format!("account_{account}"), MAX_ROWS).await?;
    let copy = json!({
        "account": {
            "id": format!("account_{account}"), "name": found.name, "email": found.email, "phone": found.phone,
            "role": found.role.to_value(), "unit": found.unit_id.map(|id| format!("unit_{id}")),
            "region": found.region_id.map(|id| format!("region_{id}")), "createdAt": found.created_at,
            "signedInAt": found.signed_in_at, "validUntil": found.valid_until, "isDisabled": found.is_disabled,
            "hasPassword": found.password_hash.is_some(), "hasSecondFactor": found.totp_since.is_some(),
        },
        "sessions": opened.all(acting.db).await?.into_iter().map(|row| json!({
            "kind": row.kind.to_value(), "name": row.name, "address": row.address, "createdAt": row.created_at,
            "expiresAt": row.expires_at, "revokedAt": row.revoked_at, "lastUsedAt": row.last_used_at,
        })).collect::<Vec<_>>(),
        "delegations": delegations.into_iter().map(|row| json!({
            "account": format!("account_{}", row.account_id), "delegate": format!("account_{}", row.delegate_id),
            "reason": row.reason, "beginsAt": row.begins_at, "endsAt": row.ends_at, "revokedAt": row.revoked_at,
        })).collect::<Vec<_>>(),
        "identities": identities.into_iter().map(|row| json!({
            "issuer": row.issuer, "subject": row.subject, "boundAt": row.bound_at,
        })).collect::<Vec<_>>(),
        "views": views.into_iter().map(|row| json!({
            "name": row.name, "list": row.list, "filter": row.filter_json, "orderBy": row.order_json,
            "columns": row.columns, "savedAt": row.saved_at,
        })).collect::<Vec<_>>(),
        "mails": mails.all(acting.db).await?.into_iter().map(|row| json!({
            "subject": row.subject, "state": row.state.to_value(), "createdAt": row.created_at, "sentAt": row.sent_at,
        })).collect::<Vec<_>>(),
        "audit": noted,
    });
    note_given(acting, account).await?;
    Ok(copy)
}

fn latest<E: EntityTrait>(query: sea_orm::Select<E>, by: E::Column) -> sea_orm::Select<E> {
    sea_orm::QuerySelect::limit(query.order_by_desc(by), MAX_ROWS)
}

async fn note_given(acting: &Acting<'_>, account: i64) -> Result<()> {
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    note(&transaction, acting.by, account, "DATA_EXPORTED", json!({}), acting.now).await?;
    Ok(transaction.commit().await?)
}

/// Erases the personal data of an account for good. For administrators, with their current password.
///
/// Removes name, address, telephone number, password, second factor, identities and the address in mails, and ends all
/// sessions and tokens. What the account has done stays under its key, so that the audit remains complete. An
/// administrator cannot erase their own account.
pub async fn erase(acting: &Acting<'_>, account: i64, current: Option<&str>) -> Result<i64> {
    acting.by.principal.may_erase(account)?;
    prove(acting, current).await?;
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    let found = get(&transaction, account).await?;
    if found.erased_at.is_some() {
        return Ok(account);
    }
    let address = format!("erased-{account}@invalid");
    sessions::end_all(&transaction, account, acting.now).await?;
    session::Entity::update_many()
        .col_expr(session::Column::Address, Expr::value(Option::<String>::None))
        .filter(session::Column::AccountId.eq(account))
        .exec(&transaction)
        .await?;
    one_time_secret::Entity::delete_many()
        .filter(one_time_secret::Column::AccountId.eq(account))
        .exec(&transaction)
        .await?;
    identity::Entity::delete_many().filter(identity::Column::AccountId.eq(account)).exec(&transaction).await?;
    saved_view::Entity::delete_many().filter(saved_view::Column::AccountId.eq(account)).exec(&transaction).await?;
    forget_mails(&transaction, account, &found.email, &address).await?;
    let name = format!("{ERASED} {account}");
    let change = account::ActiveModel {
        id: Set(account),
        name_order: Set(name_order(&name)),
        name: Set(name),
        email: Set(address),
        phone: Set(None),
        password_hash: Set(None),
        totp_secret: Set(None),
        totp_since: Set(None),
        totp_step: Set(None),
        is_disabled: Set(true),
        signed_in_at: Set(None),
        erased_at: Set(Some(acting.now)),
        version: Set(found.version + 1),
        ..Default::default()
    };
    change.update(&transaction).await?;
    note(&transaction, acting.by, account, "ACCOUNT_ERASED", json!({ "isDisabled": true }), acting.now).await?;
    log_change(acting.by, account, "account-erased");
    transaction.commit().await?;
    Ok(account)
}

/// Removes a person's current and earlier addresses from the outbox and cancels mails that are still to be sent.
///
/// Other mails to an address that is also a unit's stay unchanged.
async fn forget_mails(db: &Transaction, account: i64, email: &str, address: &str) -> Result<()> {
    let units = unit_address::Entity::find().filter(unit_address::Column::Address.eq(email)).one(db).await?;
    // Mails about the account may have gone to an earlier address, so they are found by their cause.
    let about = KINDS
        .iter()
        .fold(Condition::any(), |about, kind| about.add(mail::Column::Cause.starts_with(format!("{kind}:{account}:"))));
    let of_person = if units.is_none() { about.add(mail::Column::Recipient.eq(email)) } else { about };
    outbox::forget(db, of_person, address).await?;
    Ok(())
}
