//! Watches the standbys that reads may use (`database_read_url`): how far each has replayed the log of the primary. A
//! standby that lags too much, cannot be reached or is no standby of this database is not used, and the log says so.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use planner::Replica;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sea_orm::sqlx::{self, Connection, Row};
use sea_orm::{DatabaseConnection, SqlxPostgresConnector};

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
    let most = super::readers(db, settings);
    let servers = connect::servers(settings, (&url, &others), password.as_ref())?;
    let (replicas, watched): (Vec<_>, Vec<_>) = servers.into_iter().map(|server| watched(server, most)).unzip();
    let lag = Duration::from_secs(settings.database_read_lag);
    tokio::spawn(watch(db.get_postgres_connection_pool().clone(), watched, lag));
    tracing::info!(standbys = secret::shown(&url), others = others.len(), "reads may use standbys");
    Ok(replicas)
}

/// Makes the pool of a standby, and what watches it.
fn watched(server: PgConnectOptions, most: usize) -> (Replica, Watched) {
    let identity = Arc::new(Mutex::new(None));
    let known = identity.clone();
    let pool = PgPoolOptions::new()
        .max_connections(u32::try_from(most).unwrap_or(u32::MAX).max(1))
        .acquire_timeout(PATIENCE)
        .after_connect(move |connection, _| {
            let known = known.clone();
            Box::pin(async move {
                let found = Found::ask(connection).await?.identity;
                // Behind a balancer, this connection may lead to another server than the one that is watched.
                let is_watched = known.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(&found);
                if is_watched { Ok(()) } else { Err(sqlx::Error::Configuration(Unfit::Another.into())) }
            })
        })
        .connect_lazy_with(server.clone());
    let mut db = SqlxPostgresConnector::from_sqlx_postgres_pool(pool.clone());
    db.set_metric_callback(|done| sent(&done.statement.sql, done.elapsed));
    let replayed = Arc::new(AtomicI64::new(UNUSED));
    let name = Server { host: server.get_host().trim_matches(['[', ']']).to_owned(), port: server.get_port() };
    let watched = Watched {
        name: name.to_string(),
        server,
        pool,
        replayed: replayed.clone(),
        identity,
        connection: None,
        told: None,
    };
    (Replica { db, replayed }, watched)
}

/// A standby that is watched.
struct Watched {
    name: String,
    server: PgConnectOptions,
    pool: PgPool,
    replayed: Arc<AtomicI64>,
    /// The server that its connections lead to, once it is known.
    identity: Arc<Mutex<Option<Identity>>>,
    connection: Option<PgConnection>,
    /// What the last comparison said, as it was logged; none before the first.
    told: Option<Result<(), Unfit>>,
}

/// A server of a database, as long as it runs: the cluster, and when the server was started.
type Identity = (i64, String);

/// What a server says of itself.
struct Found {
    is_standby: bool,
    identity: Identity,
    /// How far it has written the log or, as a standby, replayed it.
    position: i64,
}

impl Found {
    async fn ask(connection: &mut PgConnection) -> Result<Self, sqlx::Error> {
        Self::read(&sqlx::raw_sql(sqlx::AssertSqlSafe(question())).fetch_one(connection).await?)
    }

    fn read(row: &PgRow) -> Result<Self, sqlx::Error> {
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

fn question() -> String {
    let (name, value) = PLANS;
    format!(
        "SELECT pg_is_in_recovery() AS is_standby, current_setting('{name}') = '{value}' AS is_whole, \
           (SELECT system_identifier FROM pg_control_system()) AS cluster, \
           pg_postmaster_start_time()::text AS started, \
           (CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn(), '0/0') \
              ELSE pg_current_wal_lsn() END - '0/0')::bigint AS position"
    )
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

/// Positions of the primary's log, with when each was read: the newest last, none older than a standby may lag.
type Seen = VecDeque<(Instant, i64)>;

async fn watch(primary: PgPool, mut standbys: Vec<Watched>, most_lag: Duration) {
    let mut seen = Seen::new();
    let mut cluster = None;
    while !primary.is_closed() {
        let asked = async { Found::read(&sqlx::raw_sql(sqlx::AssertSqlSafe(question())).fetch_one(&primary).await?) };
        if let Ok(Ok(found)) = tokio::time::timeout(PATIENCE, asked).await {
            cluster = Some(found.identity.0);
            seen.push_back((Instant::now(), found.position));
        }
        while seen.front().is_some_and(|(at, _)| at.elapsed() > most_lag) {
            seen.pop_front();
        }
        join_all(standbys.iter_mut().map(|standby| standby.compare(cluster, &seen))).await;
        tokio::time::sleep(PAUSE).await;
    }
    for standby in standbys {
        standby.pool.close().await;
    }
}

impl Watched {
    /// Lets reads use the standby, or not, by how far it is.
    async fn compare(&mut self, cluster: Option<i64>, seen: &Seen) {
        let found = match tokio::time::timeout(PATIENCE, self.ask()).await {
            Ok(found) => found.map_err(Unfit::from),
            Err(_) => Err(Unfit::Silent),
        };
        if found.is_err() {
            self.connection = None;
        }
        let position = found.and_then(|found| judge(&found, cluster, seen));
        self.replayed.store(*position.as_ref().unwrap_or(&UNUSED), Ordering::Release);
        let told = position.map(|_| ());
        metrics::standby(&self.name, (told != Err(Unfit::Primary)).then_some(told.is_ok()));
        if self.told.as_ref() == Some(&told) {
            return;
        }
        match &told {
            Ok(()) => tracing::info!(standby = self.name, "reads use this standby"),
            Err(why @ Unfit::Primary) => tracing::info!(server = self.name, %why, "reads do not use this server"),
            Err(why) => tracing::warn!(standby = self.name, %why, "reads do not use this standby"),
        }
        self.told = Some(told);
    }

    async fn ask(&mut self) -> Result<Found, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => self.connection.insert(PgConnection::connect_with(&self.server).await?),
        };
        let found = Found::ask(connection).await?;
        let mut identity = self.identity.lock().unwrap_or_else(PoisonError::into_inner);
        if identity.as_ref() != Some(&found.identity) {
            *identity = Some(found.identity.clone());
            // Readers give up connections that were opened to another server.
            self.pool.set_connect_options(self.server.clone());
        }
        Ok(found)
    }
}

/// Returns the position up to which a standby that may be used has the log.
fn judge(found: &Found, cluster: Option<i64>, seen: &Seen) -> Result<i64, Unfit> {
    if cluster.is_some_and(|cluster| cluster != found.identity.0) {
        return Err(Unfit::Foreign);
    }
    if !found.is_standby {
        return Err(Unfit::Primary);
    }
    // It has what the primary had at one of the moments that are not too long ago.
    let is_near = seen.iter().any(|(_, position)| *position <= found.position);
    if is_near { Ok(found.position) } else { Err(Unfit::Lagging) }
}
