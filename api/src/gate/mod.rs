//! The gate: whose request it is. A token or session says so; without one, the program itself is taken to ask as long as the
//! installation is open to who asks, and nobody after that.

pub(crate) mod credentials;
pub(crate) mod rate;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use chrono::{DateTime, TimeDelta, Utc};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ledger::people::account::{self, sign_in};
use ledger::people::policy::Principal;
use ledger::record::audit::By;
use ledger::work::Desk;
use sea_orm::{DatabaseConnection, DbBackend, SqlxPostgresConnector, SqlxSqliteConnector};

use crate::error::{Code, Refused, failed};

/// Tells the time; injected, so that tests stand still.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// How old the knowledge that nobody has an account may be, in milliseconds.
const FRESH: i64 = 1_000;

/// Whose request it is.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub(crate) principal: Principal,
    /// The session or token, and its secret to ask again with, where there is one.
    pub(crate) session: Option<(i64, String)>,
}

impl Admitted {
    /// Nobody: until the gate has said who.
    pub(crate) fn nobody() -> Self {
        Self { principal: Principal::nobody(), session: None }
    }
}

/// Says whose requests are.
pub(crate) struct Gate {
    db: DatabaseConnection,
    /// The same pool; what the gate asks for itself is no operation's statement.
    own: DatabaseConnection,
    clock: Clock,
    zone: chrono_tz::Tz,
    /// Whether the settings let the installation be open until somebody has an account.
    opens: bool,
    /// After how long without use a session ends.
    idle: Option<TimeDelta>,
    /// Denials that go into the audit, by account.
    denials: DefaultKeyedRateLimiter<i64>,
    is_closed: AtomicBool,
    asked_at: AtomicI64,
}

impl Gate {
    pub(crate) fn new(
        db: DatabaseConnection,
        clock: Clock,
        zone: chrono_tz::Tz,
        opens: bool,
        idle: Option<TimeDelta>,
    ) -> Self {
        let own = match sea_orm::ConnectionTrait::get_database_backend(&db) {
            DbBackend::Postgres => {
                SqlxPostgresConnector::from_sqlx_postgres_pool(db.get_postgres_connection_pool().clone())
            }
            _ => SqlxSqliteConnector::from_sqlx_sqlite_pool(db.get_sqlite_connection_pool().clone()),
        };
        let (is_closed, asked_at) = (AtomicBool::new(false), AtomicI64::new(i64::MIN));
        let denials = RateLimiter::keyed(Quota::per_minute(NonZeroU32::MIN));
        Self { db, own, clock, zone, opens, idle, denials, is_closed, asked_at }
    }

    /// Whose request it is, by the words of its `Authorization`, and whether a proxy has passed it on.
    pub(crate) async fn admit(&self, authorization: Option<&str>, is_forwarded: bool) -> Result<Admitted, Refused> {
        let Some(words) = authorization else {
            let principal = if self.is_open(is_forwarded).await? { Principal::local() } else { Principal::nobody() };
            return Ok(Admitted { principal, session: None });
        };
        let secret = words.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let secret = secret.map(|(_, secret)| secret.trim().to_owned()).ok_or_else(unauthenticated)?;
        let now = (self.clock)();
        let found = account::authenticate(&self.db, &secret, (now, self.zone), self.idle)
            .await
            .map_err(|error| failed(&error))?;
        let found = found.ok_or_else(unauthenticated)?;
        if found.is_stale {
            let (own, session) = (self.own.clone(), found.session);
            // Beside the answer: who reads does not wait for it, and reads on where it fails.
            tokio::spawn(async move {
                if let Err(error) = account::session::touch(&own, session, now).await {
                    tracing::debug!(%error, "the use of a session was not noted");
                }
            });
        }
        Ok(Admitted { principal: found.principal, session: Some((found.session, secret)) })
    }

    /// Whether whoever was admitted still is: sessions end, and an open installation closes.
    pub(crate) async fn still_admits(&self, admitted: &Admitted) -> Result<bool, Refused> {
        let again = match &admitted.session {
            Some((_, secret)) => self.admit(Some(&format!("Bearer {secret}")), false).await,
            None => self.admit(None, !admitted.principal.is_somebody()).await,
        };
        match again {
            Ok(again) => Ok(again.principal == admitted.principal),
            Err(refused) if refused.code == Code::Unauthenticated => Ok(false),
            Err(refused) => Err(refused),
        }
    }

    /// Writes into the security log that somebody was denied something, and into the audit of the account, there at most once
    /// a minute, so that whoever tries and tries fills nothing.
    pub(crate) async fn note_denied(&self, by: &By, what: &str) {
        tracing::warn!(
            target: sign_in::SECURITY,
            event = "denied",
            account = by.principal.account,
            delegate = by.principal.delegate,
            address = by.address,
            what,
            "somebody was denied something"
        );
        let Some(account) = by.principal.account.filter(|account| self.denials.check_key(account).is_ok()) else {
            return;
        };
        let desk = Desk { db: &self.own, by, now: (self.clock)(), zone: self.zone, grace_days: 0 };
        if let Err(error) = sign_in::note_denied(&desk, account, what).await {
            tracing::error!(%error, "a denial was not noted");
        }
    }

    /// Whether the installation is open to a request: the settings allow it, nobody has an account but the demo's, and no
    /// proxy has passed the request on.
    pub(crate) async fn is_open(&self, is_forwarded: bool) -> Result<bool, Refused> {
        Ok(self.opens && !is_forwarded && !self.has_accounts().await?)
    }

    /// Whether anybody has an account but the demo's. Once somebody has, the answer stays yes.
    pub(crate) async fn has_accounts(&self) -> Result<bool, Refused> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let now = (self.clock)().timestamp_millis();
        if now.saturating_sub(self.asked_at.load(Ordering::Relaxed)) < FRESH {
            return Ok(false);
        }
        if account::any(&self.own).await.map_err(|error| failed(&error))? {
            self.is_closed.store(true, Ordering::Relaxed);
            return Ok(true);
        }
        self.asked_at.store(now, Ordering::Relaxed);
        Ok(false)
    }
}

/// The words of the `Authorization` header.
pub(crate) fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION).map(|words| words.to_str().unwrap_or_default())
}

/// Refuses a token that was made only to read.
pub(crate) fn may_change(principal: &Principal) -> Result<(), Refused> {
    if principal.is_read_only && principal.is_somebody() {
        return Err(Refused::new(
            Code::Forbidden,
            "此令牌只读，不能办理变更",
            "this token only reads: nothing is changed with it",
        ));
    }
    Ok(())
}

pub(crate) fn unauthenticated() -> Refused {
    Refused::new(
        Code::Unauthenticated,
        "请先登录：令牌缺失、无效或已过期",
        "sign in first: the token is missing, unknown or over",
    )
}
