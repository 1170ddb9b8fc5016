//! Who serves a database: only one server may use an SQLite file, and nothing is restored where somebody serves.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use ledger::file::storage::{create_private, create_private_folder};
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::{Use, connect};
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
    let Some(file) = connect::file(&url) else { return Ok(None) };
    let mut name = file.into_os_string();
    name.push(".lock");
    let name = Path::new(&name);
    let cannot = |error: std::io::Error| {
        Failure::Rejected(format!("锁文件 {} 无法使用：{error} / the lock cannot be used", name.display()))
    };
    if let Some(folder) = name.parent() {
        create_private_folder(folder).map_err(cannot)?;
    }
    let lock = create_private(name).map_err(cannot)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Err(served(&url)),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

/// Refuses a database that is served: a server would go on with what it knows of the ledger that was there, such as the
/// key that signs links in mails. Returns the lock of an SQLite database, which keeps servers away until it is dropped.
pub(super) async fn refuse_served(settings: &Settings, db: &DatabaseConnection) -> Result<Option<File>, Failure> {
    let lock = lock(settings)?;
    if lock.is_none() && has_servers(db).await? {
        return Err(served(&settings.database()?.url));
    }
    Ok(lock)
}

fn served(url: &str) -> Failure {
    let shown = secret::shown(url);
    Failure::Rejected(format!(
        "已有一个 rectify serve 在使用数据库 {shown}，没有写入任何内容；请先停止 rectify serve\n\
         The database {shown} is in use by rectify serve, and nothing was written; stop it first"
    ))
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
