//! Finds the primary among the servers of a PostgreSQL database, waits for it, says in words why none can be used, and
//! follows it when another server takes over.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sea_orm::sqlx::{self, Connection, Row};
use secrecy::SecretString;

use crate::secret::Server;
use crate::{Failure, secret};

/// How long a server may take to answer a program that starts.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a server may take to answer while the primary is followed.
const WATCH: Duration = Duration::from_secs(2);
/// How often the log says that no server can be used.
const TELLING: Duration = Duration::from_secs(5);
/// How long after an attempt the next one follows.
const PAUSE: Duration = Duration::from_secs(1);
/// A parameter of each session, by which a session is recognised that has them.
pub(super) const PLANS: (&str, &str) = ("plan_cache_mode", "force_generic_plan");

/// The primary among the servers of a database, as far as it is known.
#[derive(Clone)]
pub(super) struct Primary {
    servers: Arc<[PgConnectOptions]>,
    known: Arc<Mutex<Known>>,
}

/// Which server is the primary, and since when it has been known to be.
#[derive(Clone, Copy)]
struct Known {
    place: usize,
    since: Instant,
}

impl Primary {
    /// Waits until one of the servers takes connections and can be written to. Fails when `patience` is over, and at
    /// once for what time does not mend. `shown` names the database.
    pub(super) async fn find(
        servers: Vec<PgConnectOptions>,
        (shown, password): (&str, Option<&SecretString>),
        patience: Duration,
    ) -> Result<Self, Failure> {
        let begun = Instant::now();
        let mut told: Option<Instant> = None;
        loop {
            let why = match reach(&servers, PATIENCE).await {
                Ok((place, connection)) => {
                    // The server is there, whether or not it takes leave.
                    let _ = connection.close().await;
                    let known = Known { place, since: begun };
                    return Ok(Self { servers: servers.into(), known: Arc::new(Mutex::new(known)) });
                }
                Err(why) => why,
            };
            let waited = begun.elapsed();
            let is_passing = why.iter().any(|away| away.is_passing);
            let why = in_one(&servers, &why, password);
            if !is_passing || waited >= patience {
                let waited = if is_passing && !patience.is_zero() {
                    let seconds = waited.as_secs();
                    format!("（已等待 {seconds} 秒 / waited {seconds} seconds）")
                } else {
                    String::new()
                };
                return Err(Failure::Rejected(format!(
                    "数据库 {shown} 无法使用 / the database cannot be used{waited}\n  {why}"
                )));
            }
            if told.is_none_or(|told| told.elapsed() >= TELLING) {
                told = Some(Instant::now());
                let (seconds, most) = (waited.as_secs(), patience.as_secs());
                tracing::warn!(database = shown, why, "waiting for the database: {seconds} of at most {most} seconds");
            }
            tokio::time::sleep(PAUSE.min(patience.saturating_sub(waited))).await;
        }
    }

    /// Returns how to connect to the primary.
    pub(super) fn server(&self) -> &PgConnectOptions {
        &self.servers[self.known().place]
    }

    /// Whether a connection that was opened so long ago leads to the server that is the primary now.
    pub(super) fn is_reached_since(&self, age: Duration) -> bool {
        age <= self.known().since.elapsed()
    }

    fn known(&self) -> Known {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the pool connect to whichever server is the primary, until the pool is closed. Returns at once where there
    /// is one server only.
    pub(super) async fn follow(self, pool: PgPool) {
        let mut watched: Option<PgConnection> = None;
        while self.servers.len() > 1 && !pool.is_closed() {
            tokio::time::sleep(PAUSE).await;
            if let Some(connection) = &mut watched
                && matches!(tokio::time::timeout(WATCH, admit(connection)).await, Ok(Ok(())))
            {
                continue;
            }
            watched = match reach(&self.servers, WATCH).await {
                Ok((place, connection)) => {
                    self.move_to(place, &pool);
                    Some(connection)
                }
                // What waits for a connection is told.
                Err(_) => None,
            };
        }
    }

    /// Notes which server is the primary.
    fn move_to(&self, place: usize, pool: &PgPool) {
        if place == self.known().place {
            return;
        }
        let server = &self.servers[place];
        pool.set_connect_options(server.clone());
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Known { place, since: Instant::now() };
        tracing::warn!(host = server.get_host(), port = server.get_port(), "another server of the database took over");
    }
}

/// Why a server cannot be used.
struct Away {
    /// Whether time may mend it.
    is_passing: bool,
    zh: String,
    en: &'static str,
    /// What the server or the driver said.
    said: String,
}

impl Away {
    fn passing(zh: impl Into<String>, en: &'static str, said: impl fmt::Display) -> Self {
        Self { is_passing: true, zh: zh.into(), en, said: said.to_string() }
    }

    fn lasting(zh: &str, en: &'static str, said: impl fmt::Display) -> Self {
        Self { is_passing: false, ..Self::passing(zh, en, said) }
    }

    /// Returns the reason in Chinese and English, without the password.
    fn why(&self, password: Option<&SecretString>) -> String {
        let Self { zh, en, .. } = self;
        let said = secret::scrubbed(&self.said, password);
        if said.is_empty() { format!("{zh} / {en}") } else { format!("{zh} / {en}: {said}") }
    }
}

/// Returns the reasons of all servers, each with its server if there are several.
fn in_one(servers: &[PgConnectOptions], why: &[Away], password: Option<&SecretString>) -> String {
    if let [away] = why {
        return away.why(password);
    }
    let each = servers.iter().zip(why).map(|(server, away)| {
        let (host, port) = (server.get_host().trim_matches(['[', ']']).to_owned(), server.get_port());
        format!("{}: {}", Server { host, port }, away.why(password))
    });
    each.collect::<Vec<_>>().join("\n  ")
}

/// Opens a connection to the server that first proves to be a primary, and returns it with the server's place. Fails
/// with the reasons of all servers, in their order.
async fn reach(servers: &[PgConnectOptions], patience: Duration) -> Result<(usize, PgConnection), Vec<Away>> {
    let opening = servers.iter().enumerate();
    let mut opening: FuturesUnordered<_> =
        opening.map(async |(place, server)| (place, open(server, patience).await)).collect();
    let mut why = Vec::new();
    while let Some((place, reached)) = opening.next().await {
        match reached {
            Ok(connection) => return Ok((place, connection)),
            Err(away) => why.push((place, away)),
        }
    }
    why.sort_unstable_by_key(|(place, _)| *place);
    Err(why.into_iter().map(|(_, away)| away).collect())
}

/// Opens a connection to a server.
async fn open(server: &PgConnectOptions, patience: Duration) -> Result<PgConnection, Away> {
    let opening = async {
        look_up(server).await?;
        let mut connection = PgConnection::connect_with(server).await.map_err(|error| in_words(&error))?;
        admit(&mut connection).await.map_err(|error| in_words(&error))?;
        Ok(connection)
    };
    tokio::time::timeout(patience, opening).await.unwrap_or_else(|_| {
        Err(Away::passing(format!("{} 秒内没有应答", patience.as_secs()), "there was no answer in that time", ""))
    })
}

/// Fails if a server's host has a name that is not known.
async fn look_up(server: &PgConnectOptions) -> Result<(), Away> {
    let host = server.get_host().trim_matches(['[', ']']);
    if server.get_socket().is_some() || host.starts_with('/') {
        return Ok(());
    }
    tokio::net::lookup_host((host, server.get_port())).await.map(|_| ()).map_err(|error| {
        // Passing, because containers that start together learn each other's names late.
        let zh = format!("没有名为 {host} 的主机，请检查地址或名称解析");
        Away::passing(zh, "there is no such host; check the address or the resolution of names", error)
    })
}

/// Why a session is of no use.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("the server is a standby, which cannot be written to")]
    Standby,
    #[error("a pooler between has dropped the parameters of the session")]
    Pooled,
}

/// Fails unless a new session leads to a primary and has the parameters that it was given.
pub(super) async fn admit(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let (name, value) = PLANS;
    let question =
        format!("SELECT pg_is_in_recovery() AS is_standby, current_setting('{name}') = '{value}' AS is_whole");
    let row = sqlx::raw_sql(sqlx::AssertSqlSafe(question)).fetch_one(connection).await?;
    if row.try_get("is_standby")? {
        return Err(sqlx::Error::Configuration(Unfit::Standby.into()));
    }
    if !row.try_get::<bool, _>("is_whole")? {
        return Err(sqlx::Error::Configuration(Unfit::Pooled.into()));
    }
    Ok(())
}

/// Says in words why connecting failed.
fn in_words(error: &sqlx::Error) -> Away {
    let pooled = |said: &dyn fmt::Display| {
        Away::lasting(
            "中间有连接池（如 PgBouncer），它会改变或拆分会话。请直接连接 PostgreSQL 或经 HAProxy 连接；\
             连接数由 database_connections 限定",
            "a pooler such as PgBouncer stands between, which changes or splits sessions; connect to PostgreSQL itself \
             or through HAProxy. database_connections limits the connections",
            said,
        )
    };
    match error {
        sqlx::Error::Database(answer) => {
            let said = answer.message();
            match &*answer.code().unwrap_or_default() {
                "08P01" if said.contains("startup parameter") => pooled(&said),
                "28P01" | "28000" => Away::lasting(
                    "登录被拒绝，请检查用户名、密码和 pg_hba.conf",
                    "the sign-in was refused; check user, password and pg_hba.conf",
                    said,
                ),
                "3D000" => Away::lasting(
                    "服务器上没有这个数据库，请先建立（createdb）或检查名称",
                    "the server has no such database; create it (createdb) or check the name",
                    said,
                ),
                "57P03" => Away::passing("数据库正在启动", "the database is starting", said),
                code if code.starts_with("08") || ["57P01", "57P02", "53000", "53200"].contains(&code) => {
                    Away::passing("数据库正在重新启动", "the database is restarting", said)
                }
                "53300" => Away::passing(
                    "数据库的连接已用尽，请检查 max_connections 和 database_connections",
                    "the database has no free connection; check max_connections and database_connections",
                    said,
                ),
                _ => Away::lasting("数据库拒绝了连接", "the database refused the connection", said),
            }
        }
        sqlx::Error::Io(error) if error.kind() != std::io::ErrorKind::InvalidData => Away::passing(
            "没有连上，请检查地址和端口、数据库是否已启动",
            "it cannot be reached; check address and port, and whether the database runs",
            error,
        ),
        // A certificate that is not believed comes as invalid data.
        sqlx::Error::Tls(_) | sqlx::Error::Io(_) => Away::lasting(
            "TLS 加密未能建立，请检查 sslmode（database_tls）和证书",
            "TLS failed; check sslmode (database_tls) and the certificates",
            error,
        ),
        sqlx::Error::Configuration(why) => match why.downcast_ref::<Unfit>() {
            Some(unfit @ Unfit::Pooled) => pooled(unfit),
            Some(Unfit::Standby) => Away::passing(
                "这是备用服务器，不能写入；等待它成为主服务器，或把主服务器也写进设置",
                "it is a standby, which cannot be written to; it may take over, or name the primary in the setting too",
                "",
            ),
            None => Away::lasting("无法连接", "connecting failed", why),
        },
        other => Away::lasting("无法连接", "connecting failed", other),
    }
}
