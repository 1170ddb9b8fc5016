//! `rectify calendar`: holidays and worked weekends beside those that are built in.

use chrono::NaiveDate;

use super::{current, date};
use crate::settings::Settings;
use crate::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Calendar {
    /// 设置某日放假或上班，优先于内置的国务院放假安排
    Set {
        /// 日期，如 2027-02-05
        #[arg(value_parser = date)]
        day: NaiveDate,
        /// 当日上班（不写则为放假）
        #[arg(long)]
        work: bool,
        /// 名称，如 春节
        #[arg(long, default_value = "")]
        name: String,
    },
}

pub(crate) async fn run(settings: &Settings, command: &Calendar) -> Result<(), Failure> {
    let db = current(settings).await?;
    let Calendar::Set { day, work, name } = command;
    ledger::holiday::set(&db, *day, *work, name).await?;
    say!("{day}：{}", if *work { "上班" } else { "放假" });
    Ok(())
}
