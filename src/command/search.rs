//! `rectify search check`: compares the index of searches with the texts.

use ledger::search;

use crate::settings::Settings;
use crate::{Failure, say};

/// The subcommands of `rectify search`.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Search {
    /// 核对检索索引与台账文字是否一致
    Check {
        /// 不一致时重建
        #[arg(long)]
        mend: bool,
    },
    /// 重建检索索引
    Rebuild,
}

/// Runs the command.
pub(crate) async fn run(settings: &Settings, search: &Search) -> Result<(), Failure> {
    let db = super::current(settings).await?;
    let differences = match search {
        Search::Rebuild => 0,
        Search::Check { mend } => match search::differences(&db).await? {
            0 => {
                say!("检索索引与台账文字一致");
                return Ok(());
            }
            differences if !mend => {
                return Err(Failure::Rejected(format!(
                    "检索索引有 {differences} 个字对与台账文字不一致，请用 --mend 重建"
                )));
            }
            differences => differences,
        },
    };
    search::rebuild(&db).await?;
    search::index_pending(&db).await?;
    if differences == 0 {
        say!("检索索引已重建");
    } else {
        say!("检索索引有 {differences} 个字对与台账文字不一致，已重建");
    }
    Ok(())
}
