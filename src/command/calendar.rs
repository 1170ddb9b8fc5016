//! `rectify calendar`: sets holidays and working weekends (调休) in addition to the built-in ones.

use chrono::NaiveDate;
use ledger::keep::calendar as keep;
use ledger::record::audit::By;

use super::{acting, date, region_of, set_up};
use crate::settings::Settings;
use crate::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Calendar {
    /// 设置某日放假或上班，优先于内置的国务院放假安排
    Set {
        /// 日期，如 2027-02-05
        #[arg(value_parser = date)]
        day: NaiveDate,
        /// 地区的代码，其下各级一并适用；不写则为全国
        #[arg(long)]
        region: Option<String>,
        /// 当日上班（不写则为放假）
        #[arg(long)]
        work: bool,
        /// 名称，如 春节
        #[arg(long, default_value = "")]
        name: String,
    },
}

pub(crate) async fn run(settings: &Settings, command: &Calendar) -> Result<(), Failure> {
    let db = set_up(settings).await?;
    let Calendar::Set { day, region, work, name } = command;
    let by = By::program();
    let name = Some(name.clone()).filter(|name| !name.is_empty());
    let at = (*day, region_of(&db, region.as_deref()).await?.map(Some));
    keep::set(&acting(settings, &db, &by), at, Some((*work, name))).await?;
    let place = region.as_ref().map(|code| format!("（{code}）")).unwrap_or_default();
    say!("{day}{place}：{}", if *work { "上班" } else { "放假" });
    Ok(())
}
