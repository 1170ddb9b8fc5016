//! The running scheduler: tokio-cron-scheduler ticks once a minute, in memory, in UTC; what is due is read from tables.
//! A tick that comes while the last one is still at work is dropped, a panic is caught, and stopping waits for what is
//! under way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use tokio::sync::Mutex;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::context::Context;
use crate::tick::{Pending, carry_out, tick};
use crate::{wake, webhook};

/// The pattern of ticks: every minute, at its beginning.
const EVERY_MINUTE: &str = "0 * * * * *";
/// The time that settling the figures, and indexing texts, may take before the jobs run without it.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long no tick has to have begun until one is begun without the ticker. It waits by the wall clock: after that was
/// set back, it would wait for as long.
const SILENCE: Duration = Duration::from_secs(90);
/// How often that is looked at.
const LOOK: Duration = Duration::from_secs(15);

/// When the last tick succeeded. Its age is measured by the monotonic clock.
#[derive(Debug)]
pub struct LastTick(StdMutex<(DateTime<Utc>, Instant)>);

impl LastTick {
    fn new(at: DateTime<Utc>) -> Self {
        Self(StdMutex::new((at, Instant::now())))
    }

    fn set(&self, at: DateTime<Utc>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (at, Instant::now());
    }

    /// The moment, by the clock of that moment.
    pub fn at(&self) -> DateTime<Utc> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// How long ago it was.
    pub fn age(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.elapsed()
    }
}

/// The locks by which a job that runs beside the ticks runs once at a time in this process.
#[derive(Default)]
pub(crate) struct Beside(StdMutex<HashMap<&'static str, Arc<Mutex<()>>>>);

impl Beside {
    /// Returns the lock of a job, which is held while it runs.
    pub(crate) fn of(&self, job: &'static str) -> Arc<Mutex<()>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(job).or_default().clone()
    }
}

/// Ticks, unless the last tick is still at work. Returns the runs that are due beside the ticks.
async fn tick_alone(context: &Context, last_tick: &LastTick, ticking: &Mutex<()>) -> Vec<Pending> {
    let Ok(_guard) = ticking.try_lock() else { return Vec::new() };
    match tokio::time::timeout(PATIENCE, ledger::statistics::kept::settle(&context.db)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the figures could not be settled; the next tick tries again"),
        Err(_) => tracing::warn!("settling the figures took too long; the next tick tries again"),
    }
    match tokio::time::timeout(PATIENCE, ledger::search::index_pending(&context.db)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(%error, "texts could not be indexed; the next tick tries again"),
        Err(_) => tracing::info!("there are more texts to index; the next tick goes on"),
    }
    match tick(context).await {
        Ok(pending) => {
            last_tick.set(context.now());
            pending
        }
        Err(error) => {
            tracing::error!(%error, "a tick failed");
            Vec::new()
        }
    }
}

/// Carries out a run beside the next ticks, unless the last one of its job is still at work.
async fn carry_out_alone(context: &Context, run: Pending, beside: &Beside) {
    let lock = beside.of(run.job().name);
    let Ok(_guard) = lock.try_lock() else { return };
    if let Err(error) = carry_out(context, run).await {
        tracing::error!(%error, "a run beside the ticks failed");
    }
}

/// A running scheduler.
pub struct Scheduler {
    ticker: JobScheduler,
    under_way: TaskTracker,
    last_tick: Arc<LastTick>,
    /// Ends waiting for queued mail.
    stop: CancellationToken,
}

impl Scheduler {
    /// Starts the scheduler and ticks once at once, to catch up on missed runs. Mails and messages to other systems are
    /// delivered as soon as they are queued.
    pub async fn start(context: Arc<Context>) -> Result<Self, JobSchedulerError> {
        let ticker = JobScheduler::new().await?;
        let under_way = TaskTracker::new();
        let last_tick = Arc::new(LastTick::new(context.now()));
        let last_begun = Arc::new(LastTick::new(context.now()));
        let ticking = Arc::new(Mutex::new(()));
        let beside = Arc::new(Beside::default());
        let stop = CancellationToken::new();
        under_way.spawn(wake::deliver_when_queued(context.clone(), beside.clone(), stop.clone()));
        under_way.spawn(webhook::deliver_when_queued(context.clone(), stop.clone()));
        let begin = {
            let (under_way, last_tick, last_begun) = (under_way.clone(), last_tick.clone(), last_begun.clone());
            move || {
                last_begun.set(context.now());
                let (context, last_tick) = (context.clone(), last_tick.clone());
                let (ticking, beside) = (ticking.clone(), beside.clone());
                under_way.spawn(async move {
                    let pending = tick_alone(&context, &last_tick, &ticking).await;
                    join_all(pending.into_iter().map(|run| carry_out_alone(&context, run, &beside))).await;
                });
            }
        };
        begin();
        under_way.spawn(begin_when_silent(begin.clone(), last_begun, LOOK, stop.clone()));
        let every_minute = Job::new_async(EVERY_MINUTE, move |_, _| {
            begin();
            Box::pin(std::future::ready(()))
        })?;
        ticker.add(every_minute).await?;
        ticker.start().await?;
        Ok(Self { ticker, under_way, last_tick, stop })
    }

    /// When the last tick succeeded.
    pub fn last_tick(&self) -> Arc<LastTick> {
        self.last_tick.clone()
    }

    /// Stops ticking and waits for what is under way, for the grace at most; what takes longer is left to its lease.
    pub async fn stop(mut self, grace: Duration) {
        if let Err(error) = self.ticker.shutdown().await {
            tracing::warn!(%error, "the scheduler did not stop by itself");
        }
        self.stop.cancel();
        self.under_way.close();
        if tokio::time::timeout(grace, self.under_way.wait()).await.is_err() {
            tracing::warn!("a job was still running at the end; its lease will expire");
        }
    }
}

/// Begins a tick whenever none has begun for some time, until it is told to stop. Looks that often.
async fn begin_when_silent(begin: impl Fn(), last_begun: Arc<LastTick>, look: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(look) => {}
        }
        if last_begun.age() > SILENCE {
            tracing::warn!("no tick has begun for some time, as after the clock was set back; one begins now");
            begin();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_begins_without_the_ticker_when_none_has_begun_for_some_time() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let begun_after = |silence: Duration| {
            let at = Instant::now().checked_sub(silence).unwrap();
            let last_begun = Arc::new(LastTick(StdMutex::new((DateTime::UNIX_EPOCH, at))));
            let (count, stop) = (StdMutex::new(0), CancellationToken::new());
            let begin = || {
                last_begun.set(DateTime::UNIX_EPOCH);
                *count.lock().unwrap() += 1;
            };
            let look = Duration::from_millis(1);
            runtime.block_on(async {
                let looking = begin_when_silent(begin, last_begun.clone(), look, stop.clone());
                let stopping = async {
                    tokio::time::sleep(look * 20).await;
                    stop.cancel();
                };
                tokio::join!(looking, stopping);
            });
            count.into_inner().unwrap()
        };
        assert_eq!(begun_after(SILENCE + LOOK), 1, "one tick, and then the ticker may go on");
        assert_eq!(begun_after(Duration::ZERO), 0);
    }
}
