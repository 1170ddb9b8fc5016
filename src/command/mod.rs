//! The commands, one file for each noun.

pub(crate) mod demo;
pub(crate) mod import;
pub(crate) mod job;
pub(crate) mod mail;
pub(crate) mod region;
pub(crate) mod unit;

use std::sync::Arc;

use scheduler::{Bench, Letters, Post};
use sea_orm::DatabaseConnection;

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
    let post = Post::open(&settings.mail_url(), &settings.mail_from).map_err(Failure::Usage)?;
    let letters =
        Letters::new(&settings.public_url()).map_err(|error| Failure::Rejected(format!("邮件模板有误：{error}")))?;
    Ok(Bench {
        db: db.clone(),
        zone: settings.zone(),
        timing: settings.timing(),
        letters,
        post,
        token: format!("{}-{}", std::process::id(), clock::now().timestamp_micros()),
        clock: Arc::new(clock::now),
        stopping: Arc::new(|| false),
    })
}
