//! Examines the program and what it depends on, for administrators: what `/readyz` says in short, in detail.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api::{Examine, Examined, ExaminedDisk, ExaminedJob, ExaminedOutbox};

use crate::clock;
use crate::database::Health;
use crate::metrics::due_since;
use crate::serve::LastTick;
use crate::settings::{Fault, Settings};

/// How long to wait for what the disks have left: a network drive may hang.
const PATIENCE: Duration = Duration::from_secs(2);

/// Returns what examines the program. `last_tick` is the scheduler's last tick, if this process runs one.
pub(crate) fn examine(settings: &Settings, health: Health, last_tick: LastTick) -> Result<Examine, Fault> {
    let place = settings.evidence_place();
    let folders = Arc::new(folders(settings)?);
    Ok(Arc::new(move || {
        let (health, last_tick, folders) = (health.clone(), last_tick.clone(), folders.clone());
        let place = place.clone();
        Box::pin(async move {
            let (outbox, now) = (health.outbox().await, clock::now());
            let jobs = health.schedules().await.into_iter().map(|job| ExaminedJob {
                due_since: due_since(&job, now),
                succeeded_at: job.succeeded_at,
                failures: job.failures.unsigned_abs(),
                name: job.name,
            });
            Ok(Examined {
                version: env!("CARGO_PKG_VERSION"),
                ticked_at: last_tick.get().map(|last_tick| last_tick.at()),
                database: health.database().await?,
                outbox: ExaminedOutbox {
                    waiting: (outbox.queued + outbox.sending).unsigned_abs(),
                    failed: outbox.failed.unsigned_abs(),
                    oldest: outbox.oldest,
                    outage_since: health.mail_outage().await,
                },
                jobs: jobs.collect(),
                unindexed: health.unindexed().await,
                webhooks_failing_since: health.failing_webhooks().await,
                evidence: health.evidence().await?,
                evidence_place: place,
                disks: disks(folders).await,
                backup: health.backup().await,
            })
        })
    }))
}

/// Returns the folders of this machine that the ledger, its evidence and its mails are in.
fn folders(settings: &Settings) -> Result<Vec<PathBuf>, Fault> {
    let folder = |path: PathBuf| {
        let is_file = path.extension().is_some() && !path.is_dir();
        if is_file { path.parent().map_or_else(PathBuf::new, Path::to_owned) } else { path }
    };
    let mut folders: Vec<PathBuf> = settings.kept_here()?.into_iter().map(folder).collect();
    folders.sort();
    folders.dedup();
    Ok(folders)
}

/// Returns the free and the total bytes of the disk of a folder; none if it does not tell.
#[cfg(unix)]
fn space(folder: &Path) -> Option<(u64, u64)> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some((disk.f_bavail.saturating_mul(disk.f_frsize), disk.f_blocks.saturating_mul(disk.f_frsize)))
}

#[cfg(not(unix))]
fn space(_: &Path) -> Option<(u64, u64)> {
    None
}

/// Reads what is left of the disks of folders, one folder for each disk; none if a disk does not answer.
async fn disks(folders: Arc<Vec<PathBuf>>) -> Vec<ExaminedDisk> {
    let reading = tokio::task::spawn_blocking(move || {
        let mut disks = BTreeMap::new();
        for folder in folders.iter() {
            let Some((free, total)) = space(folder) else { continue };
            // Disks of one size with the same space left are one.
            let shown = ExaminedDisk { folder: folder.display().to_string(), free, total };
            disks.entry((total, free)).or_insert(shown);
        }
        disks.into_values().collect()
    });
    tokio::time::timeout(PATIENCE, reading).await.ok().and_then(Result::ok).unwrap_or_default()
}
