//! `rectify audit`: whether the record of changes is whole; the job `seal-audit` seals it every night.

use super::current;
use crate::settings::Settings;
use crate::{Failure, say};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Audit {
    /// 核验全部审计链与每日封存；有缺失或改动时退出码为 1
    Verify,
}

pub(crate) async fn run(settings: &Settings, command: &Audit) -> Result<(), Failure> {
    let db = current(settings).await?;
    let key = settings.audit_key()?;
    let Audit::Verify = command;
    let found = ledger::audit::verify(&db, key.as_deref()).await?;
    let unsigned =
        if found.unsigned > 0 { format!("，其中 {} 日未签名", found.unsigned) } else { String::new() };
    say!("审计记录 {} 条，{} 条链，封存 {} 日{unsigned}", found.entries, found.chains, found.days);
    if let Some(since) = found.unsealed_since {
        let day = ledger::calendar::local_day(since, settings.zone());
        say!(
            "尚未封存 {} 条，最早的在 {day}：每夜由 seal-audit 封存，早于昨日的说明它没有运行，或封存被删除",
            found.unsealed
        );
    }
    if !found.faults.is_empty() {
        return Err(Failure::Rejected(format!("发现问题：\n{}", found.faults.join("\n"))));
    }
    say!("全部相接，无缺失，无改动");
    Ok(())
}
