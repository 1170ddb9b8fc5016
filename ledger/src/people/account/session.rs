//! Sessions of people and tokens of integrations: opening, authenticating and ending them.
//!
//! A secret is shown once and stored as a hash.

use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::account::Role;
use entity::delegation;
use entity::session::{self, SessionKind};
use planner::{Freshness, Premise, Reader, numbered};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, DatabaseConnection, DbBackend, EntityTrait,
    FromQueryResult, QueryFilter, Statement,
};
use serde_json::json;

use super::row::{hold, note};
use super::secret::digest;
use super::security_log::log_change;
use crate::fault::{self, Fault, FaultCode, Thing};
use crate::people::policy::{Place, Principal, Reach};
use crate::record::database;
use crate::record::database::Transaction;
use crate::rule::calendar;
use crate::work::Acting;
use crate::{Result, random};

/// The maximum lifetime of a session.
pub const SESSION: TimeDelta = TimeDelta::hours(12);
/// The maximum lifetime of a token, in days.
const MAX_TOKEN_DAYS: i64 = 366;
/// How long a session is new: longer than a standby may lag, at most 300 seconds (`database_read_lag`).
const NEW: TimeDelta = TimeDelta::minutes(10);

/// The minimum time between two records of the last use of a session.
const NOTED: TimeDelta = TimeDelta::minutes(1);

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

/// The caller that a secret authenticates.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The key of the session or token.
    pub session: i64,
    /// The caller and their rights.
    pub principal: Principal,
    /// Whether the use must be recorded ([`touch`]), as the last record is at least a minute old.
    pub is_stale: bool,
    /// How fresh its reads must be: they show all that it has written.
    pub freshness: Freshness,
    /// The same caller, for requests that follow soon.
    pub remembered: Remembered,
}

/// A caller that a secret has authenticated, for requests that follow soon: their reads may presume that nothing has
/// changed, and check it in their own statements.
#[derive(Debug, Clone)]
pub struct Remembered {
    /// The key of the session or token.
    pub session: i64,
    /// The caller and their rights.
    pub principal: Principal,
    /// The hash of the secret.
    pub hash: String,
    /// What [`RIGHTS`] gave.
    rights: String,
    /// When the secret was authenticated.
    since: DateTime<Utc>,
    /// When the use must be recorded.
    until: DateTime<Utc>,
}

impl Remembered {
    /// Returns what a read has to check to rely on this caller; none if the secret must be authenticated anew: after a
    /// minute, on another day, because accounts expire with a day, or if the clock was set back.
    pub fn premise(&self, (now, zone): (DateTime<Utc>, Tz)) -> Option<Premise> {
        let is_same_day = calendar::local_day(self.since, zone) == calendar::local_day(now, zone);
        (self.since <= now && now < self.until && is_same_day).then(|| Premise {
            sql: PREMISE.as_str(),
            values: vec![self.hash.clone().into(), now.into(), false.into()],
            expected: self.rights.clone(),
        })
    }
}

/// The tables and the condition by which a secret is found. Each `?` is a value: the hash, the moment, and whether the
/// secret opens a calendar.
const FOUND: &str = "FROM session s JOIN account a ON a.id = s.account_id LEFT JOIN unit u ON u.id = a.unit_id \
     LEFT JOIN region r ON r.id = a.region_id LEFT JOIN account d ON d.id = s.actor_id \
     WHERE s.hash = ? AND s.revoked_at IS NULL AND s.expires_at > ? AND s.is_calendar = ? \
     AND NOT a.is_disabled AND NOT coalesce(d.is_disabled, FALSE)";

/// The unit that an account answers for as well as its own: the party committee and the government of a county answer
/// jointly.
const GOVERNMENT: &str = "(SELECT min(g.id) FROM unit g WHERE g.region_id = u.region_id AND g.kind = 'GOVERNMENT' \
     AND u.kind = 'PARTY_COMMITTEE' AND u.name IN (r.name || '委', '中共' || r.name || '委员会'))";

/// Everything from which the rights of a caller follow, as one text, which is only compared. Each column of [`Row`] of
/// which [`find`] makes a principal has to be here.
static RIGHTS: LazyLock<String> = LazyLock::new(|| {
    let columns = [
        "s.id",
        "s.kind",
        "s.actor_id",
        "s.is_read_only",
        "s.is_limited",
        "a.id",
        "a.role",
        "a.valid_until",
        "d.valid_until",
        "a.unit_id",
        "r.id",
        "r.path",
        GOVERNMENT,
    ];
    columns.map(|column| format!("coalesce(CAST({column} AS text), '')")).join(" || ' ' || ")
});

static PREMISE: LazyLock<String> = LazyLock::new(|| format!("SELECT {} {FOUND}", *RIGHTS));

/// The query for a [`Row`].
static SESSION_ROW: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT s.id AS session, s.kind, s.actor_id, s.is_read_only, s.is_limited, s.last_used_at, s.created_at, \
                s.written_to, a.id AS account, a.role, a.valid_until, d.valid_until AS delegate_until, a.unit_id, \
                r.id AS region, r.path, {GOVERNMENT} AS government, {} AS rights {}",
        *RIGHTS,
        numbered(FOUND, 1),
    )
});

#[derive(FromQueryResult)]
struct Row {
    session: i64,
    kind: SessionKind,
    actor_id: Option<i64>,
    is_read_only: bool,
    is_limited: bool,
    last_used_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    written_to: Option<i64>,
    account: i64,
    role: Role,
    valid_until: Option<NaiveDate>,
    delegate_until: Option<NaiveDate>,
    unit_id: Option<i64>,
    region: Option<i64>,
    path: Option<String>,
    government: Option<i64>,
    rights: String,
}

/// Authenticates a secret with one statement, on the connection that the read which follows uses next.
///
/// Returns `None` if the secret is unknown, expired, revoked or idle for longer than `idle`, or if its account (or
/// delegate) is disabled or expired. The idle time does not apply to tokens.
pub async fn authenticate(
    db: &Reader,
    secret: &str,
    (now, zone): (DateTime<Utc>, Tz),
    idle: Option<TimeDelta>,
) -> Result<Option<Authenticated>> {
    find(db, (secret, false), (now, zone), idle).await
}

/// Authenticates the secret of a calendar like [`authenticate`]; it opens nothing else, and no other secret opens it.
pub async fn authenticate_calendar(
    db: &Reader,
    secret: &str,
    (now, zone): (DateTime<Utc>, Tz),
) -> Result<Option<Authenticated>> {
    find(db, (secret, true), (now, zone), None).await
}

async fn find(
    db: &Reader,
    (secret, is_calendar): (&str, bool),
    (now, zone): (DateTime<Utc>, Tz),
    idle: Option<TimeDelta>,
) -> Result<Option<Authenticated>> {
    let hash = digest(secret);
    let values = [hash.clone().into(), now.into(), is_calendar.into()];
    let statement = Statement::from_sql_and_values(db.backend(), SESSION_ROW.as_str(), values);
    let Some(row) = db.row(statement).await? else { return Ok(None) };
    let row = Row::from_query_result(&row, "")?;
    let today = calendar::local_day(now, zone);
    if [row.valid_until, row.delegate_until].into_iter().flatten().any(|day| day < today) {
        return Ok(None);
    }
    let unused = row.last_used_at.map_or(TimeDelta::MAX, |at| now - at);
    let is_idle = idle.is_some_and(|idle| row.last_used_at.is_some() && unused > idle);
    if row.kind == SessionKind::Session && is_idle {
        return Ok(None);
    }
    let place = row.region.zip(row.path).map(|(region, path)| Place { region, path });
    let answers = row.unit_id.into_iter().chain(row.government).collect();
    let reach =
        if row.is_limited { Reach::Nothing } else { Reach::Role { role: row.role, place, unit: row.unit_id, answers } };
    let principal = Principal {
        account: Some(row.account),
        delegate: row.actor_id,
        is_read_only: row.is_read_only,
        is_token: row.kind == SessionKind::Token,
        reach,
        nation: None,
    };
    let freshness = match row.written_to {
        // What opened it may have written something before.
        None if now - row.created_at < NEW => Freshness::Latest,
        written_to => Freshness::Since { position: written_to.unwrap_or_default(), session: row.session },
    };
    let is_stale = unused >= NOTED;
    let until = row.last_used_at.filter(|_| !is_stale).map_or(now, |at| at.min(now)) + NOTED;
    let remembered =
        Remembered { session: row.session, principal: principal.clone(), hash, rights: row.rights, since: now, until };
    Ok(Some(Authenticated { session: row.session, principal, is_stale, freshness, remembered }))
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
