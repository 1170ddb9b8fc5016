//! `rectify evidence`: verifies that the stored evidence files match the ledger.

use std::collections::HashSet;

use entity::evidence;
use futures_util::TryStreamExt;
use ledger::file::storage::Found;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::current;
use crate::settings::Settings;
use crate::{Failure, say};

/// Number of rows read per statement.
const BATCH: u64 = 1_000;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Evidence {
    /// 逐个重算佐证材料的 SHA-256 并与台账核对；有缺失或改动时退出码为 1
    Verify,
}

pub(crate) async fn run(settings: &Settings, command: &Evidence) -> Result<(), Failure> {
    let Evidence::Verify = command;
    let db = current(settings).await?;
    let storage = settings.storage_to_read()?;
    let failed = |error: object_store::Error| Failure::Rejected(format!("佐证材料存储出错：{error}"));
    let (mut rows, mut last, mut faults) = (0, 0, Vec::new());
    // Evidence with identical content shares one stored file, which is hashed once.
    let mut whole: HashSet<String> = HashSet::new();
    loop {
        let batch = evidence::Entity::find()
            .filter(evidence::Column::Id.gt(last))
            .order_by_asc(evidence::Column::Id)
            .limit(BATCH)
            .all(&db)
            .await?;
        let Some(end) = batch.last() else { break };
        last = end.id;
        for row in batch {
            rows += 1;
            if whole.contains(&row.place) {
                continue;
            }
            let (id, name) = (row.id, &row.name);
            match storage.verify(&row.place, &row.sha256).await.map_err(failed)? {
                Found::Whole => {
                    whole.insert(row.place);
                }
                Found::Changed(now) => {
                    faults.push(format!("evidence_{id}（{name}）：内容被改动，应为 {}，现为 {now}", row.sha256));
                }
                Found::Missing => faults.push(format!("evidence_{id}（{name}）：文件缺失")),
            }
        }
    }
    say!("佐证材料 {rows} 份，文件 {} 个与台账相符", whole.len());
    if !faults.is_empty() {
        return Err(Failure::Rejected(format!("发现问题：\n{}", faults.join("\n"))));
    }
    let strays: Vec<String> = storage
        .places()
        .try_filter(|place| std::future::ready(!whole.contains(place)))
        .try_collect()
        .await
        .map_err(failed)?;
    if !strays.is_empty() {
        say!("另有 {} 个文件不属于任何佐证材料（可能正在上传）：\n{}", strays.len(), strays.join("\n"));
    }
    Ok(())
}
