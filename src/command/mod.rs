//! The commands of the command line, one file per noun.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod backup;
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
pub(crate) mod reminder;
pub(crate) mod search;
pub(crate) mod statistics;
pub(crate) mod unit;
pub(crate) mod webhook;

use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use ledger::record::audit::By;
use ledger::record::link_key::LinkKey;
use ledger::work::Acting;
use scheduler::{Context, Links};
use sea_orm::{ColumnTrait, DatabaseConnection, EntityTrait, QueryFilter};

use crate::database::{self, Use};
use crate::settings::Settings;
use crate::{Failure, clock, say};

/// Runs `rectify migrate`: migrates the database to the newest schema.
pub(crate) async fn migrate(settings: &Settings) -> Result<(), Failure> {
    match database::open_for(settings, Use::Migrate).await?.applied.as_slice() {
        [] => say!("数据库已是最新结构"),
        applied => say!("数据库已升级：{}", applied.join("、")),
    }
    Ok(())
}

/// Builds the context that jobs run in from the settings.
pub(crate) async fn jobs_context(settings: &Settings, db: &DatabaseConnection) -> Result<Context, Failure> {
    let links = Links::new(&settings.public_url(), settings.link_template(), LinkKey::load(db).await?);
    let writer = scheduler::writer(links, settings.language()?)
        .map_err(|error| Failure::Rejected(format!("邮件模板有误：{error}")))?;
    Ok(Context {
        db: db.clone(),
        zone: settings.zone(),
        timing: settings.timing(),
        grace_days: settings.grace_days,
        retention: settings.retention(),
        writer,
        post: Arc::new(settings.post()?),
        bounce_mailbox: settings.bounce_mailbox(),
        webhooks: settings.webhooks()?,
        audit_key: settings.audit_keys()?.current,
        audit_head_mail: settings.audit_head_mail.clone(),
        patience: scheduler::PATIENCE,
        silence: scheduler::SILENCE,
        token: format!("{}-{}", std::process::id(), clock::now().timestamp_micros()),
        clock: Arc::new(clock::now),
        stopping: Arc::new(|| false),
    })
}

/// Builds the context in which a command changes the ledger: at the current time, on behalf of `by`.
pub(crate) fn acting<'a>(settings: &Settings, db: &'a DatabaseConnection, by: &'a By) -> Acting<'a> {
    Acting { db, by, now: clock::now(), zone: settings.zone(), grace_days: settings.grace_days, reader: None }
}

/// Returns the key of the region with a code, if one is given; fails if there is no such region.
pub(crate) async fn region_of(db: &DatabaseConnection, code: Option<&str>) -> Result<Option<i64>, Failure> {
    let Some(code) = code else { return Ok(None) };
    let found = entity::region::Entity::find().filter(entity::region::Column::Code.eq(code)).one(db).await?;
    found.map(|region| Some(region.id)).ok_or_else(|| Failure::Usage(format!("没有代码为 {code} 的地区")))
}

/// Parses a date argument in the format `YYYY-MM-DD`.
pub(crate) fn date(text: &str) -> Result<NaiveDate, String> {
    text.parse().map_err(|_| "应为日期，如 2023-04-30".to_owned())
}

/// Reads the file named by an argument. Rejects files larger than [`workbook::MAX_BYTES`].
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

/// Opens the database of a ledger for a command that neither creates nor migrates it.
pub(crate) async fn current(settings: &Settings) -> Result<DatabaseConnection, Failure> {
    Ok(database::open_for(settings, Use::Work).await?.db)
}

/// Opens the database for a command that may begin a ledger: an empty one is set up.
pub(crate) async fn set_up(settings: &Settings) -> Result<DatabaseConnection, Failure> {
    Ok(database::open_for(settings, Use::SetUp).await?.db)
}
