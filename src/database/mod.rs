//! Opens the database for every command (`connect`), follows its primary server (`primary`), watches the standbys that
//! reads may use (`standby`), sets it up or migrates it where the command may, knows who serves it (`serving`), and
//! checks its health (`health`).

mod connect;
mod health;
mod primary;
mod serving;
mod standby;

use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use migration::State;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

pub(crate) use self::connect::{check, file};
pub(crate) use self::health::Health;
pub(crate) use self::serving::lock;
pub(crate) use self::standby::open as open_standbys;
use crate::settings::Settings;
use crate::{Failure, metrics, secret, traces};

/// Milliseconds from which a statement is logged as slow; 0: never.
static SLOW: AtomicU64 = AtomicU64::new(0);
/// Most characters of a slow statement in the log.
const MAX_LOGGED: usize = 4_000;

/// What a command may do to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Create it, set it up and migrate it, and wait for it: `serve` and `migrate`.
    Migrate,
    /// Create it and set it up, but not migrate one that is in use: commands that begin a ledger.
    SetUp,
    /// Use it as it is: all other commands.
    Work,
}

/// A database at the newest schema.
pub(crate) struct Opened {
    pub(crate) db: DatabaseConnection,
    /// Names of the steps by which it was set up or migrated; empty if it was up to date.
    pub(crate) applied: Vec<String>,
}

/// Opens the database, and brings it to the newest schema as far as its use allows. Refuses any other, and one that a
/// newer version has migrated.
pub(crate) async fn open_for(settings: &Settings, purpose: Use) -> Result<Opened, Failure> {
    let url = settings.database()?.url;
    if purpose == Use::Work
        && let Some(file) = connect::file(&url)
        // An empty file is one that was never set up; opening it would write to it.
        && std::fs::metadata(&file).map_or(true, |file| file.len() == 0)
    {
        return Err(missing(settings, &url));
    }
    let patience = if purpose == Use::Migrate { Duration::from_secs(settings.database_wait) } else { Duration::ZERO };
    let db = connect::connect(settings, purpose, patience).await?;
    let applied = match (migration::state(&db).await?, purpose) {
        (State::Newer(unknown), _) => return Err(newer(&url, &unknown)),
        (State::Empty, Use::Work) => return Err(missing(settings, &url)),
        (State::Older, Use::SetUp | Use::Work) => return Err(older(&url)),
        (State::Current, Use::SetUp | Use::Work) => Vec::new(),
        (State::Empty, _) | (State::Older | State::Current, Use::Migrate) => migrate(&db).await?,
    };
    Ok(Opened { db, applied })
}

/// Opens a database in which there is nothing yet, creates it if it is a file, and gives it the schema that these steps
/// make. It may have been migrated, but not used.
///
/// Returns its connection, and what keeps servers from an SQLite database until it is dropped.
pub(crate) async fn open_empty(
    settings: &Settings,
    steps: &[String],
) -> Result<(DatabaseConnection, Option<File>), Failure> {
    let url = settings.database()?.url;
    let shown = secret::shown(&url);
    let db = connect::connect(settings, Use::SetUp, Duration::ZERO).await?;
    let lock = serving::refuse_served(settings, &db).await?;
    let state = migration::state(&db).await?;
    if let State::Newer(unknown) = &state {
        return Err(newer(&url, unknown));
    }
    if state != State::Empty && is_used(&db).await? {
        return Err(Failure::Rejected(format!(
            "数据库 {shown} 不是空的，没有写入任何内容；请用新建的空数据库\n\
             The database {shown} is not empty, and nothing was written; use a new one"
        )));
    }
    if !migration::to(&db, steps).await? {
        let version = env!("CARGO_PKG_VERSION");
        return Err(Failure::Rejected(format!(
            "内容来自更新的版本，本程序（{version}）不认识其结构；请使用那个更新的版本\n\
             The content is of a newer version, whose schema this program ({version}) does not know; use the newer one"
        )));
    }
    Ok((db, lock))
}

/// Whether anybody has used a database since it was migrated.
async fn is_used(db: &DatabaseConnection) -> Result<bool, Failure> {
    let tables = ["account", "unit", "problem", "inspection_case", "audit_entry"];
    let any = tables.map(|table| format!("EXISTS (SELECT 1 FROM {table})")).join(" OR ");
    let text = format!("SELECT CASE WHEN {any} THEN 1 ELSE 0 END AS is_used");
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), text)).await?;
    let is_used: i32 = row.map_or(Ok(0), |row| row.try_get("", "is_used"))?;
    Ok(is_used != 0)
}

/// Migrates the database to the newest schema and returns the names of the steps applied; empty if it was up to date.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<Vec<String>, Failure> {
    let applied = migration::up(db).await?;
    if !applied.is_empty() {
        tracing::info!(steps = applied.join(", "), "migrated the database");
    }
    ledger::statistics::kept::ensure(db).await?;
    ledger::record::name_order::ensure(db).await?;
    Ok(applied)
}

fn missing(settings: &Settings, url: &str) -> Failure {
    let (url, setting) = (secret::shown(url), settings.database_setting());
    Failure::Rejected(format!(
        "数据库 {url} 中还没有台账。请先运行 rectify migrate 或 rectify serve 建立；台账在别处时，请改设置 {setting}\n\
         There is no ledger in the database {url}. Run `rectify migrate` or `rectify serve` to set it up, or check the \
         setting {setting} if the ledger is elsewhere"
    ))
}

fn older(url: &str) -> Failure {
    let (url, version) = (secret::shown(url), env!("CARGO_PKG_VERSION"));
    Failure::Rejected(format!(
        "数据库 {url} 的结构比本程序（{version}）旧。请备份后运行 rectify migrate 升级\n\
         The database {url} is older than this program ({version}). Back it up and run `rectify migrate`"
    ))
}

fn newer(url: &str, unknown: &[String]) -> Failure {
    let (url, version, step) = (secret::shown(url), env!("CARGO_PKG_VERSION"), unknown.join(", "));
    Failure::Rejected(format!(
        "数据库 {url} 已由更新的版本升级，本程序（{version}）不认识其结构（{step}）。请使用那个更新的版本\n\
         A newer version has migrated the database {url}; this program ({version}) does not know its schema ({step}). \
         Use the newer version"
    ))
}

/// Returns how many statements of the API that read may run at once. Half of the connections to PostgreSQL; the other
/// half is for mutations, jobs and other uses of the pool. SQLite's connections are shared by all of them.
pub(crate) fn readers(db: &DatabaseConnection, settings: &Settings) -> usize {
    let readers = match db.get_database_backend() {
        DbBackend::Postgres => settings.database_connections / 2,
        _ => connect::SQLITE_CONNECTIONS,
    };
    readers as usize
}

/// Counts a statement, and logs it if it was slow: with placeholders for the values that were bound to it.
pub(crate) fn sent(sql: &str, elapsed: Duration) {
    metrics::statement(elapsed);
    traces::statement(elapsed, || without_values(sql));
    let slow = SLOW.load(Ordering::Relaxed);
    if slow > 0 && elapsed >= Duration::from_millis(slow) {
        let statement = without_values(sql);
        tracing::warn!(milliseconds = elapsed.as_millis() as u64, statement, "a slow statement");
    }
}

/// Returns a statement without the texts that are written in it, as far as it is logged.
fn without_values(sql: &str) -> String {
    let mut is_text = false;
    let kept = sql.chars().filter_map(|letter| {
        is_text ^= letter == '\'';
        match (letter, is_text) {
            ('\'', true) => Some('?'),
            ('\'', false) | (_, true) => None,
            (letter, false) => Some(letter),
        }
    });
    kept.take(MAX_LOGGED).collect()
}
