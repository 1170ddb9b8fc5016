//! `rectify statistics check`: compares the stored statistics with a full recount.

use ledger::statistics::kept;

use crate::settings::Settings;
use crate::{Failure, say};

/// The subcommands of `rectify statistics`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Statistics {
    /// 核对统计数与全面重算是否一致
    Check {
        /// 不一致时全面重算
        #[arg(long)]
        mend: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(settings: &Settings, statistics: &Statistics) -> Result<(), Failure> {
    let Statistics::Check { mend } = statistics;
    let db = super::current(settings).await?;
    let reading = ledger::record::database::begin_to_read(&db).await?;
    let differences = kept::differences(&reading).await?;
    reading.rollback().await?;
    if differences == 0 {
        say!("统计数与全面重算一致");
        return Ok(());
    }
    if !mend {
        return Err(Failure::Rejected(format!("统计数与全面重算有 {differences} 处不一致，请用 --mend 重算")));
    }
    let transaction = ledger::record::database::begin(&db).await?;
    kept::rebuild(&transaction).await?;
    transaction.commit().await?;
    say!("统计数有 {differences} 处不一致，已重算");
    Ok(())
}
