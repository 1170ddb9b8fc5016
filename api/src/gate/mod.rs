//! The gate: authenticates requests. A request with the secret of a session or token is made for its account. A request
//! without one is made for the program itself (the local administrator) while the installation is open to the caller,
//! and is anonymous otherwise.

pub(crate) mod credentials;
pub(crate) mod lanes;
pub(crate) mod rate;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use chrono::{DateTime, TimeDelta, Utc};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use ledger::people::account::authentication::Remembered;
use ledger::people::account::{self, digest, security_log, sign_in};
use ledger::people::policy::Principal;
use ledger::record::audit::By;
use ledger::work::Acting;
use planner::{Freshness, Premise, Reader};
use quick_cache::sync::Cache;
use sea_orm::{ConnAcquireErr, DatabaseConnection, DbBackend, DbErr, SqlxPostgresConnector, SqlxSqliteConnector};
use tokio::task::JoinHandle;

use crate::error::{Code, Refused, failed};

/// Returns the current time. It is injected, so that tests can stop the clock.
pub type Clock = Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>;

/// For how many milliseconds the gate relies on its last answer that no account exists.
const FRESH: i64 = 1_000;

/// How long admitting a request may take. It reads a row or two, so if it takes longer, the database cannot be reached
/// or has no free connection, and the caller hears so rather than waiting as long as a job would.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many callers are remembered.
const MAX_REMEMBERED: usize = 10_000;
/// How long a session that has written reads the primary, whatever a standby has.
const RECENT: Duration = Duration::from_secs(10);
/// How long an answer waits until its change is noted, which takes a millisecond or so.
const NOTING: Duration = Duration::from_millis(500);

/// The principal that a request acts for, with its session.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub(crate) principal: Principal,
    /// The key of the session or token with its secret, which is needed to check it again; none for requests without
    /// one.
    pub(crate) session: Option<(i64, String)>,
    /// How fresh its reads are, until it writes.
    freshness: Freshness,
    /// Whether it has written, or lasts so long that another request of the session may have.
    is_latest: Arc<AtomicBool>,
}

impl Admitted {
    /// Returns the anonymous caller, which every caller is until the gate has admitted the request.
    pub(crate) fn nobody() -> Self {
        Self::without_session(Principal::nobody())
    }

    fn without_session(principal: Principal) -> Self {
        Self { principal, session: None, freshness: Freshness::Latest, is_latest: Arc::default() }
    }

    /// Returns how fresh its reads are.
    pub(crate) fn freshness(&self) -> Freshness {
        if self.is_latest.load(Ordering::Relaxed) { Freshness::Latest } else { self.freshness }
    }

    /// Lets all reads that follow show what is committed.
    pub(crate) fn show_latest(&self) {
        self.is_latest.store(true, Ordering::Relaxed);
    }
}

/// A caller who was admitted a moment ago, and makes another request. It may be answered only by reads whose premise
/// holds.
pub(crate) struct Presumed {
    pub(crate) admitted: Admitted,
    pub(crate) premise: Premise,
}

/// A change by a session that is not noted yet. It is noted when this is dropped, too, because a change may be
/// committed although nobody waits for its answer any more.
struct Writing {
    gate: Arc<Gate>,
    session: Option<i64>,
}

impl Writing {
    /// Notes the change. Goes on in the background if this takes long, so that the answer is not lost.
    async fn note(mut self) {
        if let Some(noting) = self.begin() {
            let _ = tokio::time::timeout(NOTING, noting).await;
        }
    }

    fn begin(&mut self) -> Option<JoinHandle<()>> {
        let (session, gate) = (self.session.take()?, self.gate.clone());
        gate.note_writer(session);
        Some(tokio::spawn(async move {
            if let Err(error) = account::session::note_written(&gate.own, session).await {
                tracing::warn!(%error, "it could not be noted that a session has written; its reads may lag");
            }
        }))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        drop(self.begin());
    }
}

/// Authenticates requests.
pub(crate) struct Gate {
    /// Runs the check of sessions, so that it needs no connection of the pool.
    pub(crate) reader: Arc<Reader>,
    /// A second handle on the pool, for the gate's own statements, which do not count as statements of an operation.
    own: DatabaseConnection,
    clock: Clock,
    zone: chrono_tz::Tz,
    /// Whether the settings allow the installation to be open until the first account exists.
    opens: bool,
    /// How long a session may remain unused before it ends; none for no limit.
    idle: Option<TimeDelta>,
    /// Limits how many denials of an account are written to the audit trail.
    denials: DefaultKeyedRateLimiter<i64>,
    /// The callers of the last minute, by their secrets' hashes.
    remembered: Cache<String, Arc<Remembered>>,
    /// The sessions that have just written, and when.
    recent_writers: Mutex<HashMap<i64, Instant>>,
    is_closed: AtomicBool,
    asked_at: AtomicI64,
    nation: OnceLock<i64>,
}

impl Gate {
    /// Makes a gate. `reader` runs the check of sessions. `opens` tells whether the settings allow an open
    /// installation, and `idle` how long a session may remain unused.
    pub(crate) fn new(
        db: &DatabaseConnection,
        reader: Arc<Reader>,
        clock: Clock,
        zone: chrono_tz::Tz,
        (opens, idle): (bool, Option<TimeDelta>),
    ) -> Self {
        let own = match sea_orm::ConnectionTrait::get_database_backend(db) {
            DbBackend::Postgres => {
                SqlxPostgresConnector::from_sqlx_postgres_pool(db.get_postgres_connection_pool().clone())
            }
            _ => SqlxSqliteConnector::from_sqlx_sqlite_pool(db.get_sqlite_connection_pool().clone()),
        };
        let (is_closed, asked_at) = (AtomicBool::new(false), AtomicI64::new(i64::MIN));
        let denials = RateLimiter::keyed(Quota::per_minute(NonZeroU32::MIN));
        let remembered = Cache::new(MAX_REMEMBERED);
        let recent_writers = Mutex::default();
        Self {
            reader,
            own,
            clock,
            zone,
            opens,
            idle,
            denials,
            remembered,
            recent_writers,
            is_closed,
            asked_at,
            nation: OnceLock::new(),
        }
    }

    /// Authenticates a request by the value of its `Authorization` header. `is_forwarded` tells whether a proxy has
    /// forwarded the request; a forwarded request without a secret is always anonymous.
    ///
    /// # Errors
    ///
    /// Refuses a header that is not `Bearer …`, a secret that is unknown or expired, and any request while the database
    /// does not answer.
    pub(crate) async fn admit(&self, authorization: Option<&str>, is_forwarded: bool) -> Result<Admitted, Refused> {
        let admitted = tokio::time::timeout(PATIENCE, self.identify(authorization, is_forwarded)).await;
        admitted.map_err(|_| failed(&DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)))?
    }

    async fn identify(&self, authorization: Option<&str>, is_forwarded: bool) -> Result<Admitted, Refused> {
        let Some(words) = authorization else {
            let principal = if self.is_open(is_forwarded).await? {
                Principal { nation: self.nation().await?, ..Principal::local() }
            } else {
                Principal::nobody()
            };
            return Ok(Admitted::without_session(principal));
        };
        let secret = bearer(words).ok_or_else(unauthenticated)?.to_owned();
        let now = (self.clock)();
        let found = account::authenticate(&self.reader, &secret, (now, self.zone), self.idle)
            .await
            .map_err(|error| failed(&error))?;
        let Some(found) = found else {
            self.forget_secret(&secret);
            return Err(unauthenticated());
        };
        if found.is_stale {
            let (own, session) = (self.own.clone(), found.session);
            // In the background: the request neither waits for this update nor fails with it.
            tokio::spawn(async move {
                if let Err(error) = account::session::touch(&own, session, now).await {
                    tracing::debug!(%error, "the last use of a session could not be recorded");
                }
            });
        }
        self.remembered.insert(found.remembered.hash.clone(), Arc::new(found.remembered));
        let is_latest = Arc::new(AtomicBool::new(self.has_just_written(found.session)));
        let session = Some((found.session, secret));
        Ok(Admitted { principal: found.principal, session, freshness: found.freshness, is_latest })
    }

    /// Returns the caller that a header would have authenticated a moment ago. None if there was no such request, and
    /// where reads may use standbys, which may know less than the primary about who may read.
    pub(crate) fn presume(&self, authorization: Option<&str>) -> Option<Presumed> {
        if self.reader.has_replicas() {
            return None;
        }
        let secret = bearer(authorization?)?;
        let remembered = self.remembered.get(&digest(secret))?;
        let premise = remembered.premise(((self.clock)(), self.zone))?;
        let session = Some((remembered.session, secret.to_owned()));
        let admitted = Admitted { session, ..Admitted::without_session(remembered.principal.clone()) };
        Some(Presumed { admitted, premise })
    }

    /// Lets the next request of a caller be authenticated, whatever was found a moment ago.
    pub(crate) fn forget(&self, admitted: &Admitted) {
        if let Some((_, secret)) = &admitted.session {
            self.forget_secret(secret);
        }
    }

    fn forget_secret(&self, secret: &str) {
        self.remembered.remove(&digest(secret));
    }

    /// Carries out what may change the ledger for a caller, and notes it afterwards, whether it failed or not. Where
    /// reads may use standbys, those of the same session use none that lacks it.
    pub(crate) async fn writing<T>(self: &Arc<Self>, admitted: &Admitted, change: impl Future<Output = T>) -> T {
        admitted.show_latest();
        let session = admitted.session.as_ref().filter(|_| self.reader.has_replicas()).map(|(session, _)| *session);
        session.inspect(|session| self.note_writer(*session));
        let writing = Writing { gate: self.clone(), session };
        let done = change.await;
        writing.note().await;
        done
    }

    /// Lets the next requests of a session show what is committed: until the note is, and what was under way when its
    /// caller left.
    fn note_writer(&self, session: i64) {
        let mut writers = self.recent_writers.lock().unwrap_or_else(PoisonError::into_inner);
        writers.retain(|_, since| since.elapsed() < RECENT);
        writers.insert(session, Instant::now());
    }

    fn has_just_written(&self, session: i64) -> bool {
        let writers = self.recent_writers.lock().unwrap_or_else(PoisonError::into_inner);
        writers.get(&session).is_some_and(|since| since.elapsed() < RECENT)
    }

    /// Returns whether a caller who was admitted would be admitted again, with the same rights: sessions end, and an
    /// open installation closes. Waits longer than [`Gate::admit`] for a busy database, so that subscriptions stay.
    pub(crate) async fn still_admits(&self, admitted: &Admitted) -> Result<bool, Refused> {
        let again = match &admitted.session {
            Some((_, secret)) => self.identify(Some(&format!("Bearer {secret}")), false).await,
            None => self.identify(None, !admitted.principal.is_somebody()).await,
        };
        match again {
            // That the nation has been entered since changes no right.
            Ok(again) => Ok(Principal { nation: admitted.principal.nation, ..again.principal } == admitted.principal),
            Err(refused) if refused.code == Code::Unauthenticated => Ok(false),
            Err(refused) => Err(refused),
        }
    }

    /// Records that an act was denied: in the security log, and in the audit trail of the account. The audit trail gets
    /// at most one entry a minute for each account, so that repeated attempts cannot fill it.
    pub(crate) async fn note_denied(&self, by: &By, what: &str) {
        tracing::warn!(
            target: security_log::SECURITY,
            event = "denied",
            account = by.principal.account,
            delegate = by.principal.delegate,
            address = by.address,
            what,
            "access was denied"
        );
        let Some(account) = by.principal.account.filter(|account| self.denials.check_key(account).is_ok()) else {
            return;
        };
        let acting = Acting { db: &self.own, by, now: (self.clock)(), zone: self.zone, grace_days: 0, reader: None };
        if let Err(error) = sign_in::note_denied(&acting, account, what).await {
            tracing::error!(%error, "a denial could not be recorded in the audit trail");
        }
    }

    /// Returns whether the installation is open to a request: the settings allow it, no account exists except those of
    /// the demo, and no proxy has forwarded the request.
    pub(crate) async fn is_open(&self, is_forwarded: bool) -> Result<bool, Refused> {
        Ok(self.opens && !is_forwarded && !self.has_accounts().await?)
    }

    /// Returns the key of the nation; none before it is entered. Once it was found, it is remembered.
    async fn nation(&self) -> Result<Option<i64>, Refused> {
        if let Some(nation) = self.nation.get() {
            return Ok(Some(*nation));
        }
        let found = ledger::region::nation(&self.own).await.map_err(|error| failed(&error))?;
        Ok(found.inspect(|nation| {
            // Another request may have been first, with the same key.
            let _ = self.nation.set(*nation);
        }))
    }

    /// Returns whether any account exists, not counting demo accounts. Once one was found, the answer remains yes until
    /// the program ends.
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

/// Returns the secret of an `Authorization` header; none if the header is not `Bearer …`.
fn bearer(words: &str) -> Option<&str> {
    let (_, secret) = words.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))?;
    Some(secret.trim())
}

/// Returns the value of the `Authorization` header; an empty text if it is not visible ASCII.
pub(crate) fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION).map(|words| words.to_str().unwrap_or_default())
}

/// Refuses a change that is requested with a read-only token.
pub(crate) fn may_change(principal: &Principal) -> Result<(), Refused> {
    if principal.is_read_only && principal.is_somebody() {
        return Err(Refused::new(
            Code::Forbidden,
            "此令牌只读，不能办理变更",
            "this token is read-only: it cannot make changes",
        ));
    }
    Ok(())
}

/// Makes the refusal of a request that is not authenticated.
pub(crate) fn unauthenticated() -> Refused {
    Refused::new(
        Code::Unauthenticated,
        "请先登录：令牌缺失、无效或已过期",
        "sign in first: the token is missing, unknown or expired",
    )
}
