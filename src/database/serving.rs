//! Who serves a database: only one server may use an SQLite file, and nothing is restored where somebody serves.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use ledger::file::storage::{create_private, create_private_folder};
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::Use;
use crate::settings::Settings;
use crate::{Failure, secret};

/// The names under which PostgreSQL lists the connections of a server (also of `rectify migrate`), and of commands.
const SERVER: &str = "rectify serve";
const COMMAND: &str = "rectify";
/// How often, and after what time each, connections to PostgreSQL are counted: one that was closed just now is still
/// seen for a moment.
const COUNTS: (usize, Duration) = (10, Duration::from_millis(200));

/// Locks an SQLite database so that only one server uses it; other commands may still write to it. Returns `None` for
/// PostgreSQL, which any number of servers may use.
pub(crate) fn lock(settings: &Settings) -> Result<Option<File>, Failure> {
    let url = settings.database()?.url;
    let Some((file, name)) = lock_file(&url) else { return Ok(None) };
    let cannot = |error: std::io::Error| Failure::Rejected(format!("锁文件 {name} 无法创建：{error}"));
    if let Some(folder) = Path::new(&name).parent() {
        create_private_folder(folder).map_err(cannot)?;
    }
    let lock = create_private(name.as_ref()).map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(_) => Err(Failure::Rejected(format!("已有一个 rectify serve 在使用 {file}，请先停止它"))),
    }
}

/// Returns the file of an SQLite database and that of its lock.
fn lock_file(url: &str) -> Option<(&str, String)> {
    let file = url.strip_prefix("sqlite:")?;
    Some((file, format!("{}.lock", file.trim_start_matches("//").split('?').next().unwrap_or(file))))
}

/// Refuses a database that is served: a server would go on with what it knows of the ledger that was there, such as the
/// key that signs links in mails.
pub(super) async fn refuse_served(settings: &Settings, db: &DatabaseConnection) -> Result<(), Failure> {
    let url = settings.database()?.url;
    let is_served = match lock_file(&url) {
        Some((_, name)) => Path::new(&name).exists() && lock(settings).is_err(),
        None => has_servers(db).await?,
    };
    if !is_served {
        return Ok(());
    }
    let shown = secret::shown(&url);
    Err(Failure::Rejected(format!(
        "数据库 {shown} 正在被使用，没有写入任何内容；请先停止 rectify serve\n\
         The database {shown} is in use, and nothing was written; stop rectify serve first"
    )))
}

/// Names a connection to PostgreSQL after what it is for, unless its URL does. Servers are known by it.
pub(super) fn named(connection: PgConnectOptions, purpose: Use) -> PgConnectOptions {
    if connection.get_application_name().is_some() {
        return connection;
    }
    connection.application_name(if purpose == Use::Migrate { SERVER } else { COMMAND })
}

/// Whether servers are connected to a PostgreSQL database.
async fn has_servers(db: &DatabaseConnection) -> Result<bool, Failure> {
    let question = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() \
        AND application_name = $1) AS is_used";
    for _ in 0..COUNTS.0 {
        let asked = Statement::from_sql_and_values(DbBackend::Postgres, question, [SERVER.into()]);
        let row = db.query_one_raw(asked).await?;
        if !row.map_or(Ok(false), |row| row.try_get("", "is_used"))? {
            return Ok(false);
        }
        tokio::time::sleep(COUNTS.1).await;
    }
    Ok(true)
}
