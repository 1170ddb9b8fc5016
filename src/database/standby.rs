//! Watches the standbys that reads may use (`database_read_url`): how far each has replayed the write-ahead log of the
//! primary. A standby that lags too much, cannot be reached or is no standby of this database is not used, and the
//! program's log says so.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use planner::Replica;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sea_orm::sqlx::{self, Connection, Row};
use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use secrecy::SecretString;
use tokio::sync::watch;

use super::primary::PLANS;
use super::{connect, sent};
use crate::secret::Server;
use crate::settings::{Database, Settings};
use crate::{Failure, metrics, secret};

/// How often positions are compared.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The position of a standby that no read may use.
const UNUSED: i64 = -1;

/// Opens the standbys that reads of the API may use, and watches them until the database is closed.
pub(crate) fn open(settings: &Settings, db: &DatabaseConnection) -> Result<Vec<Replica>, Failure> {
    let Some(Database { url, others, password }) = settings.database_to_read()? else { return Ok(Vec::new()) };
    let servers = connect::servers(settings, "database_read_url", (&url, &others), password.as_ref())?;
    let primary = db.get_postgres_connection_pool().clone();
    let wal = Arc::new(PrimaryWal::new(Duration::from_secs(settings.database_read_lag)));
    tokio::spawn(wal.clone().follow(primary.clone()));
    let most = u32::try_from(super::readers(db, settings)).unwrap_or(u32::MAX).max(1);
    let standbys = servers.into_iter().map(|server| {
        let (standby, watched) = watched(server, most, password.clone());
        tokio::spawn(watched.watch(wal.clone(), primary.clone()));
        standby
    });
    Ok(standbys.collect())
}

/// Makes the pool of a standby, and what watches it.
fn watched(server: PgConnectOptions, most: u32, password: Option<SecretString>) -> (Replica, Watched) {
    let (replayed, seen) = watch::channel(UNUSED);
    let shared = Arc::new(Shared::default());
    let (known, position) = (shared.clone(), seen.clone());
    let pool = PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(PATIENCE)
        .after_connect(move |connection, _| {
            let (known, position) = (known.clone(), position.clone());
            Box::pin(async move {
                let found = Found::ask(connection).await?;
                if known.identity().as_ref() != Some(&found.identity) {
                    known.is_doubted.store(true, Ordering::Relaxed);
                    return Err(sqlx::Error::Configuration(Unfit::Another.into()));
                }
                // After a crash, a server replays again what it had.
                let is_as_far = found.position >= *position.borrow();
                if is_as_far { Ok(()) } else { Err(sqlx::Error::Configuration(Unfit::Lagging.into())) }
            })
        })
        .connect_lazy_with(server.clone());
    let mut db = SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
    db.set_metric_callback(|done| sent(&done.statement.sql, done.elapsed));
    let name = Server { host: server.get_host().trim_matches(['[', ']']).to_owned(), port: server.get_port() };
    let name = name.to_string();
    let watched = Watched { name, server, password, pool, replayed, shared, connection: None, told: None };
    (Replica { db, replayed: seen }, watched)
}

/// A server of a database, as long as it runs: the cluster, and when the server was started.
type Identity = (i64, String);

/// What the connections to a standby know of it.
#[derive(Default)]
struct Shared {
    /// The server that its connections must lead to, once it is known.
    identity: Mutex<Option<Identity>>,
    /// Whether a connection has led to another server: the standby was started again, or a balancer stands between.
    is_doubted: AtomicBool,
}

impl Shared {
    fn identity(&self) -> MutexGuard<'_, Option<Identity>> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a server says of itself.
struct Found {
    is_standby: bool,
    identity: Identity,
    /// How far it has written the write-ahead log or, as a standby, replayed it.
    position: i64,
}

impl Found {
    async fn ask(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        let (name, value) = PLANS;
        let question = format!(
            "SELECT pg_is_in_recovery() AS is_standby, current_setting('{name}') = '{value}' AS is_whole, \
               (SELECT system_identifier FROM pg_control_system()) AS cluster, \
               pg_postmaster_start_time()::text AS started, \
               (CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') \
                  ELSE pg_current_wal_lsn() END - '0/0')::bigint AS position"
        );
        let row = sqlx::raw_sql(sqlx::AssertSqlSafe(question)).fetch_one(connection).await?;
        if !row.try_get::<bool, _>("is_whole")? {
            return Err(sqlx::Error::Configuration(Unfit::Pooled.into()));
        }
        Ok(Self {
            is_standby: row.try_get("is_standby")?,
            identity: (row.try_get("cluster")?, row.try_get("started")?),
            position: row.try_get("position")?,
        })
    }
}

/// Why a standby is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Unfit {
    #[error("the address leads to several servers; name each standby by itself")]
    Another,
    #[error("a pooler stands between, which drops the parameters of the session")]
    Pooled,
    #[error("it belongs to another database cluster")]
    Foreign,
    #[error("it is no standby")]
    Primary,
    #[error("it lags")]
    Lagging,
    #[error("it is not known how far the primary is, because it does not answer")]
    Unknown,
    #[error("it does not answer")]
    Silent,
    /// It cannot be reached, or refuses to answer.
    #[error("{0}")]
    Away(String),
}

impl From<sqlx::Error> for Unfit {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Configuration(why) => match why.downcast::<Self>() {
                Ok(unfit) => *unfit,
                Err(why) => Self::Away(why.to_string()),
            },
            sqlx::Error::Database(said) => Self::Away(said.message().to_owned()),
            error => Self::Away(error.to_string()),
        }
    }
}

/// Where the write-ahead log of the primary was at the latest moments.
struct PrimaryWal {
    /// How long ago a moment may be.
    most_lag: Duration,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    cluster: Option<i64>,
    /// Moments, the newest last, each with the position that the log had reached then or a little later.
    moments: VecDeque<(Instant, i64)>,
}

impl PrimaryWal {
    fn new(most_lag: Duration) -> Self {
        Self { most_lag, seen: Mutex::default() }
    }

    /// Notes the position of the primary's write-ahead log until its pool is closed. Asks on a connection of its own,
    /// because those of the pool may all be in use.
    async fn follow(self: Arc<Self>, primary: PgPool) {
        let mut held: Option<(PgConnection, Arc<PgConnectOptions>)> = None;
        while !primary.is_closed() {
            let (began, server) = (Instant::now(), primary.connect_options());
            let asked = async {
                let (connection, _) = match held.take().filter(|(_, known)| Arc::ptr_eq(known, &server)) {
                    Some(connected) => held.insert(connected),
                    None => held.insert((PgConnection::connect_with(&server).await?, server)),
                };
                Found::ask(connection).await
            };
            match tokio::time::timeout(PATIENCE, asked).await {
                Ok(Ok(found)) if !found.is_standby => self.note(began, &found),
                _ => held = None,
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn note(&self, at: Instant, found: &Found) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.cluster = Some(found.identity.0);
        seen.moments.push_back((at, found.position));
        while seen.moments.front().is_some_and(|(at, _)| at.elapsed() > self.most_lag) {
            seen.moments.pop_front();
        }
    }

    /// Returns the position up to which a standby that may be used has the write-ahead log.
    fn judge(&self, found: &Found) -> Result<i64, Unfit> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.cluster.is_some_and(|cluster| cluster != found.identity.0) {
            return Err(Unfit::Foreign);
        }
        if !found.is_standby {
            return Err(Unfit::Primary);
        }
        // It has what the primary had at one of the moments that are not too long ago.
        let mut near = seen.moments.iter().filter(|(at, _)| at.elapsed() <= self.most_lag).peekable();
        if near.peek().is_none() {
            return Err(Unfit::Unknown);
        }
        if near.any(|(_, position)| *position <= found.position) { Ok(found.position) } else { Err(Unfit::Lagging) }
    }
}

/// A standby that is watched.
struct Watched {
    name: String,
    server: PgConnectOptions,
    password: Option<SecretString>,
    pool: PgPool,
    /// Tells readers the position, or that it is [`UNUSED`].
    replayed: watch::Sender<i64>,
    shared: Arc<Shared>,
    connection: Option<PgConnection>,
    /// What the last comparison said, as it was logged; none before the first.
    told: Option<Result<(), Unfit>>,
}

impl Watched {
    async fn watch(mut self, wal: Arc<PrimaryWal>, primary: PgPool) {
        while !primary.is_closed() {
            self.compare(&wal).await;
            tokio::time::sleep(PAUSE).await;
        }
        self.pool.close().await;
    }

    /// Lets reads use the standby, or not, by how far it is.
    async fn compare(&mut self, wal: &PrimaryWal) {
        let found = match tokio::time::timeout(PATIENCE, self.ask()).await {
            Ok(found) => found.map_err(Unfit::from),
            Err(_) => Err(Unfit::Silent),
        };
        if found.is_err() {
            self.connection = None;
        }
        let position = found.and_then(|found| wal.judge(&found));
        let told = position.as_ref().map(|_| ()).map_err(Clone::clone);
        self.replayed.send_replace(position.unwrap_or(UNUSED));
        metrics::standby(&self.name, (told != Err(Unfit::Primary)).then_some(told.is_ok()));
        // The first question to the primary may be under way.
        let is_beginning = self.told.is_none() && told == Err(Unfit::Unknown);
        if is_beginning || self.told.as_ref() == Some(&told) {
            return;
        }
        match &told {
            Ok(()) => tracing::info!(standby = self.name, "reads use this standby"),
            Err(why @ Unfit::Primary) => tracing::info!(server = self.name, %why, "reads do not use this server"),
            Err(why) => {
                // What is connected to it may never answer.
                self.pool.set_connect_options(self.server.clone());
                let why = secret::scrubbed(&why.to_string(), self.password.as_ref());
                tracing::warn!(standby = self.name, why, "reads do not use this standby");
            }
        }
        self.told = Some(told);
    }

    async fn ask(&mut self) -> Result<Found, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(PgConnection::connect_with(&self.server).await?),
        };
        let found = Found::ask(connection).await?;
        let known = self.shared.identity().replace(found.identity.clone());
        if known.is_some_and(|known| known != found.identity) {
            // Readers give up connections that were opened to another server.
            self.pool.set_connect_options(self.server.clone());
        }
        if self.shared.is_doubted.swap(false, Ordering::Relaxed) {
            // Both answer at the same time, so one was not started again in place of the other.
            let mut second = PgConnection::connect_with(&self.server).await?;
            let other = Found::ask(&mut second).await?.identity;
            let _ = second.close().await;
            if other != found.identity && Found::ask(connection).await?.identity == found.identity {
                self.shared.is_doubted.store(true, Ordering::Relaxed);
                return Err(sqlx::Error::Configuration(Unfit::Another.into()));
            }
        }
        Ok(found)
    }
}
