//! `rectify dossier`: packs all records and evidence of one measure into an archive (一措施一档案).

use std::io::BufWriter;
use std::path::PathBuf;

use ledger::people::policy::Principal;
use tokio::runtime::Handle;

use super::current;
use crate::settings::Settings;
use crate::{Failure, clock, say};

#[derive(Debug, clap::Args)]
pub(crate) struct Dossier {
    /// 措施编号，如 measure_12
    #[arg(value_parser = measure)]
    measure: i64,
    /// 写入的压缩包
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

fn measure(text: &str) -> Result<i64, String> {
    let key = text.strip_prefix("measure_").and_then(|key| key.parse().ok());
    key.ok_or_else(|| "应为措施编号，如 measure_12".to_owned())
}

pub(crate) async fn run(settings: &Settings, command: &Dossier) -> Result<(), Failure> {
    let db = current(settings).await?;
    let storage = settings.storage_to_read()?;
    let read =
        ledger::file::dossier::read(&db, &Principal::local(), command.measure, (clock::now(), settings.zone())).await?;
    let dossier = read.ok_or_else(|| Failure::Rejected(format!("没有 measure_{}", command.measure)))?;
    dossier.check(&storage).await.map_err(|why| Failure::Rejected(why.to_string()))?;
    let shown = command.out.display().to_string();
    let file = ledger::file::storage::create_private(&command.out)
        .map_err(|error| Failure::Rejected(format!("{shown} 无法写入：{error}")))?;
    let runtime = Handle::current();
    let packed = tokio::task::spawn_blocking(move || dossier.pack(&storage, &runtime, BufWriter::new(file))).await;
    let why = match packed {
        Ok(Ok(())) => {
            say!("已写入 {shown}；核验方法见其中的 README.txt");
            return Ok(());
        }
        Ok(Err(why)) => with_cause(&why),
        Err(why) => why.to_string(),
    };
    // Remove the incomplete archive, so that it is not mistaken for a complete one.
    let _ = std::fs::remove_file(&command.out);
    Err(Failure::Rejected(why))
}

fn with_cause(why: &dyn std::error::Error) -> String {
    why.source().map_or_else(|| why.to_string(), |cause| format!("{why}: {cause}"))
}
