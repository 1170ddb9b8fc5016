//! `rectify audit`: whether the record of changes is whole, and its daily seal.

use chrono::{Days, NaiveTime};

use super::current;
use crate::settings::Settings;
use crate::{Failure, clock, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Audit {
    /// 核验全部审计链与每日封存；有缺失或改动时退出码为 1
    Verify,
    /// 立即封存截至昨日的记录（平时由定时任务办理）
    Seal,
}

pub(crate) async fn run(settings: &Settings, command: &Audit) -> Result<(), Failure> {
    let db = current(settings).await?;
    let key = settings.audit_key()?;
    match command {
        Audit::Verify => {
            let found = ledger::audit::verify(&db, key.as_deref()).await?;
            say!("审计记录 {} 条，{} 条链，封存 {} 日", found.entries, found.chains, found.days);
            if !found.faults.is_empty() {
                return Err(Failure::Rejected(format!("发现问题：\n{}", found.faults.join("\n"))));
            }
            say!("全部相接，无缺失，无改动");
        }
        Audit::Seal => {
            let zone = settings.zone();
            let today = ledger::calendar::local_day(clock::now(), zone);
            let until = ledger::calendar::moment(today, NaiveTime::MIN, zone);
            let yesterday = today.checked_sub_days(Days::new(1)).unwrap_or(today);
            let is_new = ledger::audit::seal(&db, yesterday, until, key.as_deref(), clock::now()).await?;
            say!("{}", if is_new { format!("已封存截至 {yesterday} 的记录") } else { "已是最新".to_owned() });
        }
    }
    Ok(())
}
