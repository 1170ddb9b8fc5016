//! The gate: whose request it is. A token or session says so; without one, the local administrator asks as long as the
//! installation is open, and nobody after that.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use async_graphql::parser::types::OperationType;
use ledger::account;
use ledger::policy::Principal;
use sea_orm::{DatabaseConnection, DbBackend, SqlxPostgresConnector, SqlxSqliteConnector};

use crate::context::Clock;
use crate::document::Operation;
use crate::error::{Code, Refused, failed};

/// How old the knowledge that nobody has an account may be, in milliseconds.
const FRESH: i64 = 1_000;

/// The fields of the roots that nobody in particular may ask for; the schema itself is public where it is shown.
const PUBLIC: [&str; 10] = [
    "__typename",
    "__schema",
    "__type",
    "signIn",
    "signInAsDemo",
    "signInProvider",
    "signInWithCode",
    "demoAccounts",
    "publicNotices",
    "publicNotice",
];

/// Those of them whose answer does not depend on who asks.
const SHARED: [&str; 2] = ["__typename", "publicNotices"];
/// For how many seconds such an answer may be kept.
pub(crate) const SHARED_FOR: i32 = 60;

/// Whose request it is.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub(crate) principal: Principal,
    /// The session or token, and its secret to ask again with, where there is one.
    pub(crate) session: Option<(i64, String)>,
}

/// Says whose requests are.
pub(crate) struct Gate {
    db: DatabaseConnection,
    /// The same pool; what the gate asks for itself is no operation's statement.
    own: DatabaseConnection,
    clock: Clock,
    zone: chrono_tz::Tz,
    /// Whether the installation is open until somebody has an account.
    opens: bool,
    is_closed: AtomicBool,
    asked_at: AtomicI64,
}

impl Gate {
    pub(crate) fn new(db: DatabaseConnection, clock: Clock, zone: chrono_tz::Tz, opens: bool) -> Self {
        let own = match sea_orm::ConnectionTrait::get_database_backend(&db) {
            DbBackend::Postgres => {
                SqlxPostgresConnector::from_sqlx_postgres_pool(db.get_postgres_connection_pool().clone())
            }
            _ => SqlxSqliteConnector::from_sqlx_sqlite_pool(db.get_sqlite_connection_pool().clone()),
        };
        let (is_closed, asked_at) = (AtomicBool::new(!opens), AtomicI64::new(i64::MIN));
        Self { db, own, clock, zone, opens, is_closed, asked_at }
    }

    /// Whose request it is, by the words of its `Authorization`.
    pub(crate) async fn admit(&self, authorization: Option<&str>) -> Result<Admitted, Refused> {
        let Some(words) = authorization else {
            let principal = if self.is_open().await? { Principal::local() } else { Principal::nobody() };
            return Ok(Admitted { principal, session: None });
        };
        let secret = words.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let secret = secret.map(|(_, secret)| secret.trim().to_owned()).ok_or_else(unauthenticated)?;
        let found = account::authenticate(&self.db, &secret, (self.clock)(), self.zone)
            .await
            .map_err(|error| failed(&error))?;
        let found = found.ok_or_else(unauthenticated)?;
        Ok(Admitted { principal: found.principal, session: Some((found.session, secret)) })
    }

    /// Whether whoever was admitted still is: sessions end, and an open installation closes.
    pub(crate) async fn still_admits(&self, admitted: &Admitted) -> Result<bool, Refused> {
        let again = match &admitted.session {
            Some((_, secret)) => self.admit(Some(&format!("Bearer {secret}"))).await,
            None => self.admit(None).await,
        };
        match again {
            Ok(again) => Ok(again.principal == admitted.principal),
            Err(refused) if refused.code == Code::Unauthenticated => Ok(false),
            Err(refused) => Err(refused),
        }
    }

    async fn is_open(&self) -> Result<bool, Refused> {
        if !self.opens || self.is_closed.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let now = (self.clock)().timestamp_millis();
        if now.saturating_sub(self.asked_at.load(Ordering::Relaxed)) < FRESH {
            return Ok(true);
        }
        if account::any(&self.own).await.map_err(|error| failed(&error))? {
            self.is_closed.store(true, Ordering::Relaxed);
            return Ok(false);
        }
        self.asked_at.store(now, Ordering::Relaxed);
        Ok(true)
    }
}

/// The words of the `Authorization` header.
pub(crate) fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(AUTHORIZATION).map(|words| words.to_str().unwrap_or_default())
}

/// Refuses nobody's operation, unless everything that it asks for is public.
pub(crate) fn check(principal: &Principal, operation: Option<&Operation>) -> Result<(), Refused> {
    let is_public = operation.is_some_and(|operation| {
        operation.kind != OperationType::Subscription
            && operation.roots.iter().all(|root| PUBLIC.contains(&root.name()))
    });
    if !principal.is_somebody() && !is_public {
        return Err(unauthenticated());
    }
    let changes = operation.is_some_and(|operation| {
        operation.kind == OperationType::Mutation && operation.roots.iter().any(|root| root.name() != "signOut")
    });
    if changes && !is_public { may_change(principal) } else { Ok(()) }
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

/// Whether everybody gets the same answer, so that caches may keep it.
pub(crate) fn is_shared(operation: &Operation) -> bool {
    operation.kind == OperationType::Query && operation.roots.iter().all(|root| SHARED.contains(&root.name()))
}

pub(crate) fn unauthenticated() -> Refused {
    Refused::new(
        Code::Unauthenticated,
        "请先登录：令牌缺失、无效或已过期",
        "sign in first: the token is missing, unknown or over",
    )
}
