//! The doorbell: tokio-cron-scheduler rings once a minute, in memory, in UTC; what is due is read from tables. A ring while
//! the last one is still being answered goes unheard, a panic is caught, and stopping waits for what is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::Mutex;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::task::TaskTracker;

use crate::tick::{Bench, Round, deliver, tick};

/// Every minute, at its beginning.
const RING: &str = "0 * * * * *";
/// How long settling the figures may take before the jobs go first.
const PATIENCE: Duration = Duration::from_mins(1);

/// Answers one ring, unless the last is still being answered; returns the delivery that is due.
async fn at_the_door(bench: &Bench, last_tick: &AtomicI64, door: &Mutex<()>) -> Option<Round> {
    let _guard = door.try_lock().ok()?;
    match tokio::time::timeout(PATIENCE, ledger::statistics::kept::settle(&bench.db)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "figures could not be settled; trying again at the next ring"),
        Err(_) => tracing::warn!("settling figures took too long; trying again at the next ring"),
    }
    match tick(bench).await {
        Ok(round) => {
            last_tick.store((bench.clock)().timestamp(), Ordering::Relaxed);
            round
        }
        Err(error) => {
            tracing::error!(%error, "a tick failed");
            None
        }
    }
}

/// A running doorbell.
pub struct Doorbell {
    scheduler: JobScheduler,
    answering: TaskTracker,
    last_tick: Arc<AtomicI64>,
}

impl Doorbell {
    /// Hangs the bell up and answers it once at once, so that what was missed is caught up at the start.
    pub async fn hang(bench: Arc<Bench>) -> Result<Self, JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        let answering = TaskTracker::new();
        let last_tick = Arc::new(AtomicI64::new((bench.clock)().timestamp()));
        let door = Arc::new(Mutex::new(()));
        let gate = Arc::new(Mutex::new(()));
        let answer = {
            let (answering, last_tick) = (answering.clone(), last_tick.clone());
            move || {
                let (bench, last_tick, door, gate) = (bench.clone(), last_tick.clone(), door.clone(), gate.clone());
                answering.spawn(async move {
                    let Some(round) = at_the_door(&bench, &last_tick, &door).await else { return };
                    // Mail goes out beside the next ticks, one delivery at a time.
                    let Ok(_guard) = gate.try_lock() else { return };
                    if let Err(error) = deliver(&bench, round).await {
                        tracing::error!(%error, "a delivery failed");
                    }
                });
            }
        };
        answer();
        let ring = Job::new_async(RING, move |_, _| {
            answer();
            Box::pin(std::future::ready(()))
        })?;
        scheduler.add(ring).await?;
        scheduler.start().await?;
        Ok(Self { scheduler, answering, last_tick })
    }

    /// When the last tick went well.
    pub fn last_tick(&self) -> Arc<AtomicI64> {
        self.last_tick.clone()
    }

    /// Takes the bell down and waits for what is under way; what takes longer than the grace is left to its lease.
    pub async fn take_down(mut self, grace: Duration) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!(%error, "the doorbell did not stop by itself");
        }
        self.answering.close();
        if tokio::time::timeout(grace, self.answering.wait()).await.is_err() {
            tracing::warn!("a job was still running at the end; its lease will run out");
        }
    }

    /// The age of the last good tick at a moment, in seconds.
    pub fn age(last_tick: &AtomicI64, now: DateTime<Utc>) -> i64 {
        now.timestamp() - last_tick.load(Ordering::Relaxed)
    }
}
