//! The commands, one file for each noun.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod calendar;
pub(crate) mod demo;
pub(crate) mod dossier;
pub(crate) mod evidence;
pub(crate) mod export;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod job;
pub(crate) mod mail;
pub(crate) mod region;
pub(crate) mod statistics;
pub(crate) mod unit;

use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use ledger::record::audit::By;
use ledger::work::Desk;
use scheduler::{Bench, Letters, Post};
use sea_orm::DatabaseConnection;
use secrecy::ExposeSecret;

use crate::database;
use crate::settings::Settings;
use crate::{Failure, clock, say};

/// `rectify migrate`
pub(crate) async fn migrate(settings: &Settings) -> Result<(), Failure> {
    let db = database::open(settings).await?;
    match database::migrate(&db).await?.as_slice() {
        [] => say!("数据库已是最新结构"),
        applied => say!("数据库已升级：{}", applied.join("、")),
    }
    Ok(())
}

/// What jobs work with, by the settings.
pub(crate) fn bench(settings: &Settings, db: &DatabaseConnection) -> Result<Bench, Failure> {
    let post = Post::open(settings.mail_url()?.expose_secret(), &settings.mail_from).map_err(Failure::Usage)?;
    let letters =
        Letters::new(&settings.public_url()).map_err(|error| Failure::Rejected(format!("邮件模板有误：{error}")))?;
    Ok(Bench {
        db: db.clone(),
        zone: settings.zone(),
        timing: settings.timing(),
        grace_days: settings.grace_days,
        retention: settings.retention(),
        letters,
        post,
        audit_key: settings.audit_keys()?.current,
        audit_head_mail: settings.audit_head_mail.clone(),
        token: format!("{}-{}", std::process::id(), clock::now().timestamp_micros()),
        clock: Arc::new(clock::now),
        stopping: Arc::new(|| false),
    })
}

/// Where the acts of a command are done: by the program, now.
pub(crate) fn desk<'a>(settings: &Settings, db: &'a DatabaseConnection, by: &'a By) -> Desk<'a> {
    Desk { db, by, now: clock::now(), zone: settings.zone(), grace_days: settings.grace_days }
}

/// A date on the command line.
pub(crate) fn date(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "应为日期，如 2023-04-30".to_owned())
}

/// A file on the command line.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let size = std::fs::metadata(path).map(|file| file.len());
    let cannot = |error: std::io::Error| Failure::Rejected(format!("{} 无法读取：{error}", path.display()));
    if size.map_err(cannot)? > workbook::MAX_BYTES as u64 {
        return Err(Failure::Rejected(format!(
            "{} 超过 {} MB，请拆分后导入",
            path.display(),
            workbook::MAX_BYTES >> 20
        )));
    }
    std::fs::read(path).map_err(cannot)
}

/// The database, up to date.
pub(crate) async fn current(settings: &Settings) -> Result<sea_orm::DatabaseConnection, Failure> {
    database::open_current(settings).await
}
