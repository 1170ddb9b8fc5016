//! Sessions of people and tokens of integrations: opening and ending them, and noting their use.
//!
//! A secret is shown once and stored as a hash.

use chrono::{DateTime, TimeDelta, Utc};
use entity::delegation;
use entity::session::{self, SessionKind};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, DatabaseConnection, DbBackend, EntityTrait, QueryFilter,
};
use serde_json::json;

use super::row::{hold, note};
use super::secret::digest;
use super::security_log::log_change;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::record::database;
use crate::record::database::Transaction;
use crate::work::Acting;
use crate::{Result, random};

/// The maximum lifetime of a session.
pub const SESSION: TimeDelta = TimeDelta::hours(12);
/// The maximum lifetime of a token, in days.
const MAX_TOKEN_DAYS: i64 = 366;
/// The minimum time between two records of the last use of a session.
pub(super) const NOTED: TimeDelta = TimeDelta::minutes(1);

/// A new session with its secret, which is stored nowhere.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The secret, sent as `Authorization: Bearer …`; it begins with `rcs_`, that of a token with `rct_`.
    pub secret: String,
    /// The row of the session.
    pub session: session::Model,
}

/// A session or token to open.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The account whose rights it has.
    pub account: i64,
    /// The account that acts, if it is a delegate.
    pub actor: Option<i64>,
    /// Whether it is a session or a token.
    pub kind: SessionKind,
    /// What it is for, or how it was opened.
    pub name: String,
    /// Whether it may only be used for reading.
    pub is_read_only: bool,
    /// Whether it only serves to set up the second factor.
    pub is_limited: bool,
    /// Whether it only opens the calendar of the account's deadlines.
    pub is_calendar: bool,
    /// The network address of the client; `None` if it is not known.
    pub address: Option<String>,
    /// The moment at which it expires.
    pub expires_at: DateTime<Utc>,
}

impl NewSession {
    /// Returns a session of an account that has signed in.
    pub fn of(account: i64, name: &str, expires_at: DateTime<Utc>) -> Self {
        Self {
            account,
            actor: None,
            kind: SessionKind::Session,
            name: name.to_owned(),
            is_read_only: false,
            is_limited: false,
            is_calendar: false,
            address: None,
            expires_at,
        }
    }

    /// Sets the network address of the client.
    #[must_use]
    pub fn from(self, address: Option<String>) -> Self {
        Self { address, ..self }
    }
}

/// Opens a session or creates a token.
pub async fn open(db: &Transaction, wanted: NewSession, now: DateTime<Utc>) -> Result<Opened> {
    let random = random::hexadecimal()?;
    let prefix = match wanted.kind {
        SessionKind::Token if wanted.is_calendar => "rcc",
        SessionKind::Token => "rct",
        SessionKind::Session => "rcs",
    };
    let secret = format!("{prefix}_{random}");
    let row = session::ActiveModel {
        account_id: Set(wanted.account),
        actor_id: Set(wanted.actor),
        kind: Set(wanted.kind),
        name: Set(wanted.name),
        hash: Set(digest(&secret)),
        is_read_only: Set(wanted.is_read_only),
        is_limited: Set(wanted.is_limited),
        is_calendar: Set(wanted.is_calendar),
        address: Set(wanted.address),
        created_at: Set(now),
        expires_at: Set(wanted.expires_at),
        revoked_at: Set(None),
        last_used_at: Set(Some(now)),
        ..Default::default()
    };
    Ok(Opened { secret, session: row.insert(db).await? })
}

/// Creates a token for an integration, with all rights of the account or only those to read.
///
/// Users create tokens for their own account, administrators for any account; tokens and delegates create none. `days`
/// is the lifetime, from 1 to 366 days.
pub async fn make_token(
    acting: &Acting<'_>,
    account: i64,
    (name, days, is_read_only): (&str, i64, bool),
) -> Result<Opened> {
    let by = &acting.by.principal;
    if !by.manages(account) {
        return Err(fault::unknown(Thing::Account, &["input", "accountId"]).into());
    }
    by.in_person()?;
    check_days(days)?;
    let name = fault::line(name, 1..=60, ("令牌用途", "the purpose of the token"), &["input", "name"])?;
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    let until = acting.now + TimeDelta::days(days);
    let wanted = NewSession { kind: SessionKind::Token, is_read_only, ..NewSession::of(account, &name, until) };
    let opened = open(&transaction, wanted, acting.now).await?;
    let after =
        json!({ "session": opened.session.id, "expiresAt": opened.session.expires_at, "isReadOnly": is_read_only });
    note(&transaction, acting.by, account, "TOKEN_CREATED", after, acting.now).await?;
    log_change(acting.by, account, "token-created");
    transaction.commit().await?;
    Ok(opened)
}

fn check_days(days: i64) -> Result<(), Fault> {
    if (1..=MAX_TOKEN_DAYS).contains(&days) {
        return Ok(());
    }
    Err(Fault::invalid(
        format!("令牌的有效期应为 1 至 {MAX_TOKEN_DAYS} 天"),
        format!("the lifetime of a token must be 1 to {MAX_TOKEN_DAYS} days"),
        &["input", "days"],
    ))
}

/// Creates the secret address of the caller's calendar of deadlines (日历订阅), in place of any earlier one.
///
/// It is a token that opens nothing else. Tokens and delegates create none. `days` is the lifetime, from 1 to
/// 366 days.
pub async fn make_calendar(acting: &Acting<'_>, days: i64) -> Result<Opened> {
    let by = &acting.by.principal;
    by.in_person()?;
    check_days(days)?;
    let account = by.own_account().ok_or_else(|| {
        let (zh, en) = ("未登录，没有自己的日历", "you are not signed in, so there is no calendar of your own");
        Fault::new(FaultCode::NotAllowed, zh, en, &["input"])
    })?;
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, account).await?;
    let earlier =
        Condition::all().add(session::Column::AccountId.eq(account)).add(session::Column::IsCalendar.eq(true));
    end(&transaction, earlier, acting.now).await?;
    let until = acting.now + TimeDelta::days(days);
    let wanted = NewSession {
        kind: SessionKind::Token,
        is_read_only: true,
        is_calendar: true,
        ..NewSession::of(account, "日历订阅", until)
    };
    let opened = open(&transaction, wanted, acting.now).await?;
    let after = json!({ "session": opened.session.id, "expiresAt": opened.session.expires_at });
    note(&transaction, acting.by, account, "CALENDAR_CREATED", after, acting.now).await?;
    transaction.commit().await?;
    Ok(opened)
}

/// Ends a session or token, and returns false if it had been ended before.
///
/// Users end their own, administrators those of any account. A delegate can only end the session in which they act.
pub async fn revoke(acting: &Acting<'_>, session: i64) -> Result<bool> {
    let unknown = || fault::unknown(Thing::Session, &["input", "sessionId"]);
    let by = &acting.by.principal;
    let found = session::Entity::find_by_id(session).one(acting.db).await?.ok_or_else(unknown)?;
    if !by.may_end_session(found.account_id, acting.by.session == Some(session)) {
        return Err(unknown().into());
    }
    let transaction = database::begin(acting.db).await?;
    hold(&transaction, found.account_id).await?;
    if end(&transaction, Condition::all().add(session::Column::Id.eq(session)), acting.now).await? == 0 {
        return Ok(false);
    }
    note(&transaction, acting.by, found.account_id, "SESSION_REVOKED", json!({ "session": session }), acting.now)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Ends the sessions of an account; its tokens stay.
pub(crate) async fn end_signed_in(db: &Transaction, account: i64, now: DateTime<Utc>) -> Result<()> {
    let signed_in = Condition::all()
        .add(session::Column::AccountId.eq(account))
        .add(session::Column::Kind.eq(SessionKind::Session));
    end(db, signed_in, now).await?;
    Ok(())
}

/// Ends every session, token and delegation of an account.
///
/// This includes sessions in which the account acts for others, and delegations that it received.
pub(crate) async fn end_all(db: &Transaction, account: i64, now: DateTime<Utc>) -> Result<()> {
    let of_account =
        Condition::any().add(session::Column::AccountId.eq(account)).add(session::Column::ActorId.eq(account));
    end(db, of_account, now).await?;
    let either =
        Condition::any().add(delegation::Column::AccountId.eq(account)).add(delegation::Column::DelegateId.eq(account));
    delegation::Entity::update_many()
        .col_expr(delegation::Column::RevokedAt, Expr::value(now))
        .filter(either)
        .filter(delegation::Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(())
}

/// Ends the sessions and tokens that match a condition and were not ended before, and returns their number.
pub(crate) async fn end(db: &Transaction, which: Condition, now: DateTime<Utc>) -> Result<u64> {
    let ended = session::Entity::update_many()
        .col_expr(session::Column::RevokedAt, Expr::value(now))
        .filter(which)
        .filter(session::Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(ended.rows_affected)
}

/// Records that a session has written up to the present position of PostgreSQL's log. Does nothing on SQLite.
pub async fn note_written(db: &DatabaseConnection, session: i64) -> Result<()> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Ok(());
    }
    let position = "(pg_current_wal_insert_lsn() - '0/0')::bigint";
    session::Entity::update_many()
        .col_expr(session::Column::WrittenTo, Expr::cust(position))
        .filter(session::Column::Id.eq(session))
        .exec(db)
        .await?;
    Ok(())
}

/// Records that a session is in use, at most once a minute.
pub async fn touch(db: &DatabaseConnection, session: i64, now: DateTime<Utc>) -> Result<()> {
    let before =
        Condition::any().add(session::Column::LastUsedAt.is_null()).add(session::Column::LastUsedAt.lte(now - NOTED));
    session::Entity::update_many()
        .col_expr(session::Column::LastUsedAt, Expr::value(now))
        .filter(session::Column::Id.eq(session))
        .filter(before)
        .exec(db)
        .await?;
    Ok(())
}
