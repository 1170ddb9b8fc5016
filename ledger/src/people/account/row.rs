//! The row of an account: reading and locking it, recording acts on it in its audit chain, and telling its owner.

use chrono::{DateTime, Utc};
use entity::account;
use sea_orm::{ActiveEnum, ConnectionTrait, EntityTrait, QuerySelect};
use serde_json::{Value, json};

use crate::fault::{self, Thing};
use crate::people::policy::{Principal, Reach};
use crate::record::audit::{self, By, Entry};
use crate::record::database::Transaction;
use crate::record::outbox::{self, Notice};
use crate::work::Acting;
use crate::{Error, Result};

/// Returns the account with this key.
pub(super) async fn get<C: ConnectionTrait>(db: &C, account: i64) -> Result<account::Model> {
    account::Entity::find_by_id(account).one(db).await?.ok_or_else(missing)
}

/// Returns the error for an account that does not exist or may not be seen.
pub(super) fn missing() -> Error {
    fault::unknown(Thing::Account, &["input", "accountId"]).into()
}

/// Checks whether an account may be used today: it is neither disabled nor expired.
pub(super) fn is_usable(found: &account::Model, acting: &Acting<'_>) -> bool {
    !found.is_disabled && found.valid_until.is_none_or(|day| day >= acting.today())
}

/// Returns a principal that names an account in the audit and has no rights.
pub(crate) fn of_account(account: i64) -> Principal {
    Principal {
        account: Some(account),
        delegate: None,
        is_read_only: false,
        is_token: false,
        reach: Reach::Nothing,
        nation: None,
    }
}

/// Locks an account, so that its audit chain has one writer at a time.
pub(crate) async fn hold(db: &Transaction, account: i64) -> Result<()> {
    let found = account::Entity::find_by_id(account).select_only().column(account::Column::Id).lock_exclusive();
    let found: Option<i64> = found.into_tuple().one(db).await?;
    found.map(|_| ()).ok_or_else(missing)
}

/// Records an act on an account in the audit chain of that account, which the caller has locked.
pub(crate) async fn note(
    db: &Transaction,
    by: &By,
    account: i64,
    act: &str,
    after: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    note_change(db, by, account, act, (json!({}), after), now).await
}

/// Records a change of an account, with the values before and after it, in the audit chain of that account.
pub(super) async fn note_change(
    db: &Transaction,
    by: &By,
    account: i64,
    act: &str,
    (before, after): (Value, Value),
    now: DateTime<Utc>,
) -> Result<()> {
    let object = format!("account_{account}");
    let noted = Entry::of(act.to_owned(), object).changed(before, after);
    audit::note(db, by, noted, now).await
}

/// Queues a mail about an account to its owner; demo accounts get none.
pub(super) async fn tell(
    db: &Transaction,
    account: &account::Model,
    (kind, mut facts): (&'static str, Value),
    acting: &Acting<'_>,
) -> Result<()> {
    if account.is_demo {
        return Ok(());
    }
    // An address that the account no longer has is written to in its language all the same.
    if let Some(language) = account.language {
        facts["language"] = language.to_value().into();
    }
    let notice = Notice {
        cause: format!("{kind}:{}:{}:{}", account.id, account.email, acting.now.timestamp_micros()),
        kind,
        recipient: account.email.clone(),
        unit: account.unit_id,
        facts,
        items: Vec::new(),
        case: None,
    };
    outbox::notify(db, &notice, (acting.today(), acting.now)).await
}
