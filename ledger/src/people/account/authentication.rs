//! Authentication: the caller and the rights that the secret of a session or token gives, as one statement finds them.

use std::sync::LazyLock;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::account::Role;
use entity::session::SessionKind;
use planner::{Freshness, Premise, Reader, numbered};
use sea_orm::{FromQueryResult, Statement};

use super::secret::digest;
use super::session::NOTED;
use crate::Result;
use crate::people::policy::{Place, Principal, Reach};
use crate::rule::calendar;

/// How long a session is new: longer than a standby may lag, at most 300 seconds (`database_read_lag`).
const NEW: TimeDelta = TimeDelta::minutes(10);

/// The caller that a secret authenticates.
#[derive(Debug, Clone)]
pub struct Authenticated {
    /// The key of the session or token.
    pub session: i64,
    /// The caller and their rights.
    pub principal: Principal,
    /// Whether the use must be recorded ([`touch`](super::session::touch)), as the last record is at least a minute
    /// old.
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

/// The most measures of a region whose rows are few: sorting them takes no longer than finding the first twenty in an
/// index of all of a nation.
const FEW_MEASURES: i64 = 1_000;

/// The number of measures that concern the account's region. No right follows from it.
const MEASURES: &str =
    "coalesce((SELECT t.amount FROM region_tally t WHERE t.region_id = r.id AND t.noun = 'MEASURE'), 0)";

/// Everything from which the rights of a caller follow, as one text, which is only compared. Each column of [`Row`] of
/// which [`find`] makes a right has to be here.
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
                r.id AS region, r.path, {MEASURES} AS measures, {GOVERNMENT} AS government, {} AS rights {}",
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
    measures: i64,
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
    let has_many_rows = row.measures > FEW_MEASURES;
    let place = row.region.zip(row.path).map(|(region, path)| Place { region, path, has_many_rows });
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
