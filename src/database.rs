//! Opening the database: one way for all commands.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sea_orm::{ConnAcquireErr, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};

use crate::Failure;
use crate::settings::{Settings, without_password};

/// The statements that this process has sent, for `/metrics`.
pub(crate) static STATEMENTS: AtomicU64 = AtomicU64::new(0);

/// Opens the database; an SQLite file is made when it is not there.
pub(crate) async fn open(settings: &Settings) -> Result<DatabaseConnection, Failure> {
    let url = settings.database_url();
    let mut options = ConnectOptions::new(address(&url)?);
    options.sqlx_logging(false).acquire_timeout(Duration::from_secs(10));
    if url.starts_with("sqlite:") {
        // Readers side by side, one writer at a time; writers wait for each other rather than fail.
        options.test_before_acquire(false).max_connections(4).map_sqlx_sqlite_opts(|options| {
            options
                .busy_timeout(Duration::from_secs(30))
                .foreign_keys(true)
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "NORMAL")
                .pragma("temp_store", "MEMORY")
                .pragma("cache_size", "-16384")
        });
    } else {
        // A connection is asked before it is used: after a restart of the database none of them is good. A statement that
        // nobody waits for any more must not go on for ever.
        options.test_before_acquire(true).max_connections(settings.database_connections).map_sqlx_postgres_opts(
            |options| {
                options.options([
                    ("statement_timeout", "300s"),
                    ("idle_in_transaction_session_timeout", "600s"),
                    // The same statements come again and again: planning them once is what preparing is for, and compiling
                    // a plan costs more than any of them takes.
                    ("plan_cache_mode", "force_generic_plan"),
                    ("jit", "off"),
                ])
            },
        );
    }
    let mut db = Database::connect(options).await.map_err(|error| {
        let why = match error {
            DbErr::ConnectionAcquire(ConnAcquireErr::Timeout) => {
                "10 秒内没有连上，请确认地址和端口无误、数据库已启动且还有空闲连接".to_owned()
            }
            error => error.to_string(),
        };
        Failure::Rejected(format!("数据库 {} 无法打开：{why}", without_password(&url)))
    })?;
    db.set_metric_callback(|_| count());
    Ok(db)
}

/// Counts a statement.
pub(crate) fn count() {
    STATEMENTS.fetch_add(1, Ordering::Relaxed);
}

/// Opens the database and brings it up to date.
pub(crate) async fn open_current(settings: &Settings) -> Result<DatabaseConnection, Failure> {
    let db = open(settings).await?;
    migrate(&db).await?;
    Ok(db)
}

/// Brings the database up to date and says what was done.
pub(crate) async fn migrate(db: &DatabaseConnection) -> Result<Vec<String>, Failure> {
    let applied = migration::up(db).await?;
    if !applied.is_empty() {
        tracing::info!(steps = applied.join(", "), "the database was brought up to date");
    }
    ledger::statistics::kept::ensure(db).await?;
    Ok(applied)
}

/// Whether the database answers.
pub(crate) async fn answers(db: &DatabaseConnection) -> Result<(), String> {
    let question = tokio::time::timeout(Duration::from_secs(2), db.execute_unprepared("SELECT 1")).await;
    match question {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err("database: no answer".to_owned()),
    }
}

fn address(url: &str) -> Result<String, Failure> {
    let Some(file) = url.strip_prefix("sqlite:") else { return Ok(url.to_owned()) };
    let file = file.trim_start_matches("//");
    let name = file.split('?').next().unwrap_or(file);
    if let Some(folder) = Path::new(name).parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .map_err(|error| Failure::Rejected(format!("文件夹 {} 无法创建：{error}", folder.display())))?;
    }
    Ok(if file.contains('?') { format!("sqlite:{file}") } else { format!("sqlite:{file}?mode=rwc") })
}
