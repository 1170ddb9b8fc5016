//! Empties the outbox. A run claims batches of mails, each while the one before is being sent, writes several at a time
//! from what the ledger says now, sends them over several connections, and records what became of them, until nothing
//! is due. A fault of the mail server ends the run and begins an outage, during which only probes are sent.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use entity::mail::{self, Priority};
use futures_util::future::join_all;
use ledger::Result;
use ledger::record::delivery::{self, Claimed, Fate, Recipients};
use ledger::record::{outage, trace};
use ledger::reminder::{Rules, kind_of};
use ledger::rule::calendar;
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit, mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::context::Context;
use crate::mail::Unwritten;
use crate::mail::batch::Batch;
use crate::mail::post::{Letter, PostError};

/// The most mails of one claim.
const BATCH: usize = 64;
/// How many mails the first claim takes for each connection: few, for it is not known yet how fast the server is.
const FIRST: usize = 4;
/// How long a batch may take to be sent, so that a notice which is queued meanwhile waits no longer. The next batches
/// are smaller or larger accordingly.
const PATIENCE: Duration = Duration::from_secs(1);
/// The largest factor by which a claim exceeds the one before.
const GROWTH: usize = 4;
/// How many more mails are written or recorded at a time than connections send. A kill repeats what a server accepted
/// and the outbox has not recorded, so this is few.
const AHEAD: usize = 2;
/// How often a run renews its lease, well within [`delivery::LEASE`].
const RENEWAL: Duration = Duration::from_secs(5);
/// How often recording outcomes is tried again, a second apart, when the database fails.
const TRIES: usize = 30;

/// What a run did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// Mails that a server has accepted.
    pub(crate) sent: usize,
    /// Mails that had nothing left to say.
    pub(crate) cancelled: usize,
    /// Mails that failed.
    pub(crate) failed: usize,
    /// How long until the mail server is probed next, and what it said; none while it takes mails.
    pub(crate) outage: Option<(Duration, String)>,
}

impl Delivered {
    /// Whether there was nothing to do.
    pub(crate) fn is_idle(&self) -> bool {
        self.sent + self.cancelled + self.failed == 0
    }

    fn add(&mut self, other: &Self) {
        self.sent += other.sent;
        self.cancelled += other.cancelled;
        self.failed += other.failed;
    }
}

/// Delivers what is queued for `due_by` or earlier; by default, what falls due while the run goes on.
///
/// During an outage of the mail server, sends a probe if it is time for one or `due_by` is given, and the other mails
/// only after the server has answered it.
pub(crate) async fn deliver(context: &Context, due_by: Option<DateTime<Utc>>) -> Result<Delivered> {
    let taken_back = context.answered(delivery::take_back(&context.db, context.now())).await?;
    if taken_back > 0 {
        tracing::error!(
            mails = taken_back,
            "mails waited for a moment that only a clock which was ahead can have set; they are due now"
        );
    }
    let mut done = Delivered::default();
    if is_out(context, due_by, &mut done).await? {
        return Ok(done);
    }
    let run = Run::new(context, due_by, false);
    run.go().await?;
    done.add(&run.delivered());
    done.outage = run.outage().await?;
    Ok(done)
}

/// Checks whether the mail server is out, and probes it if it is time to.
async fn is_out(context: &Context, due_by: Option<DateTime<Utc>>, done: &mut Delivered) -> Result<bool> {
    let Some(outage) = context.answered(outage::current(&context.db)).await? else { return Ok(false) };
    // The settings name another server now.
    if outage.server != context.post.name() {
        context.answered(outage::end(&context.db)).await?;
        return Ok(false);
    }
    if due_by.is_none() && !context.answered(outage::take_probe(&context.db, &outage, context.now())).await? {
        done.outage = Some((time_until(outage.probe_at, context.now()), outage.reason));
        return Ok(true);
    }
    loop {
        let probe = Run::new(context, due_by, true);
        probe.go().await?;
        done.add(&probe.delivered());
        done.outage = probe.outage().await?;
        if done.outage.is_some() {
            return Ok(true);
        }
        let has_answered = probe.has_answered.load(Ordering::Relaxed);
        if !has_answered && probe.delivered().is_idle() {
            // No mail waits. The server is only asked whether it lets us in.
            if let Err(error) = context.post.reach().await {
                probe.stop(&error.to_string()).await?;
                done.outage = probe.outage().await?;
                return Ok(true);
            }
        } else if !has_answered {
            // The mail had nothing left to say; the next one may.
            continue;
        }
        if context.answered(outage::end(&context.db)).await? {
            tracing::info!(server = outage.server, since = %outage.since, "the mail server takes mails again");
        }
        return Ok(false);
    }
}

fn time_until(moment: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (moment - now).to_std().unwrap_or_default()
}

/// A mail that is to be sent, and what it is written from.
type Work = (Claimed, Arc<Batch>);
/// Mails that were claimed together.
type Claim = (Vec<Claimed>, Arc<Batch>);
/// What became of a mail.
type Outcome = (Claimed, Fate);
/// An outcome that is to be recorded, and whom to tell that it is.
type Report = (Outcome, oneshot::Sender<()>);

/// One run.
struct Run<'a> {
    context: &'a Context,
    due_by: Option<DateTime<Utc>>,
    /// Whether it sends one mail only, to learn whether the server takes mails again.
    is_probe: bool,
    /// The rules that say when digests are sent, read with the first digest.
    rules: OnceCell<Rules>,
    lease: String,
    /// How many mails the next claim takes.
    size: AtomicUsize,
    /// The keys of the mails that it has claimed and not settled.
    held: Mutex<HashSet<i64>>,
    /// A place for each connection. One is taken away when the server accepts no further connection.
    places: Semaphore,
    /// How many places there are still, taken or free.
    left_places: AtomicUsize,
    /// Whether nothing more is sent.
    is_over: AtomicBool,
    /// Whether the server has answered about a mail.
    has_answered: AtomicBool,
    /// How often recording outcomes is tried again when the database fails.
    most_tries: AtomicUsize,
    /// Why the run failed.
    error: Mutex<Option<ledger::Error>>,
    sent: AtomicUsize,
    cancelled: AtomicUsize,
    failed: AtomicUsize,
}

impl<'a> Run<'a> {
    fn new(context: &'a Context, due_by: Option<DateTime<Utc>>, is_probe: bool) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        Self {
            rules: OnceCell::new(),
            context,
            due_by,
            is_probe,
            lease: format!("{}:{}", context.token, COUNT.fetch_add(1, Ordering::Relaxed)),
            size: AtomicUsize::new(if is_probe { 1 } else { (context.post.connections() * FIRST).min(BATCH) }),
            held: Mutex::default(),
            places: Semaphore::new(context.post.connections()),
            left_places: AtomicUsize::new(context.post.connections()),
            is_over: AtomicBool::new(false),
            has_answered: AtomicBool::new(false),
            most_tries: AtomicUsize::new(TRIES),
            error: Mutex::default(),
            sent: AtomicUsize::new(0),
            cancelled: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
        }
    }

    fn delivered(&self) -> Delivered {
        let count = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let (sent, cancelled, failed) = (count(&self.sent), count(&self.cancelled), count(&self.failed));
        Delivered { sent, cancelled, failed, outage: None }
    }

    /// The outage that the run has met, if any.
    async fn outage(&self) -> Result<Option<(Duration, String)>> {
        if !self.is_over.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let outage = self.context.answered(outage::current(&self.context.db)).await?;
        Ok(outage.map(|outage| (time_until(outage.probe_at, self.context.now()), outage.reason)))
    }

    /// Claims, sends and settles until nothing is due, or the run is over. What is being sent then is sent to its end.
    async fn go(&self) -> Result<()> {
        let (to_hand_out, claims) = mpsc::channel::<Claim>(1);
        let (to_send, queue) = mpsc::channel::<Work>(1);
        let (done, outcomes) = mpsc::unbounded_channel::<Report>();
        let queue = tokio::sync::Mutex::new(queue);
        let writers = self.context.post.connections() + AHEAD;
        let sending = join_all((0..writers).map(|_| self.send_all(&queue, done.clone())));
        let handing_out = self.hand_out(claims, to_send);
        let work = async {
            tokio::join!(self.claim_all(to_hand_out, done), handing_out, sending, self.record_reports(outcomes))
        };
        tokio::select! {
            _ = work => {}
            () = self.renew() => {}
        }
        match self.error.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed) || (self.context.stopping)()
    }

    /// Ends the run because of an error. Only the first is kept.
    fn fail(&self, error: ledger::Error) {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Ends the run because the mail server takes no mails.
    async fn stop(&self, why: &str) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        let server = self.context.post.name();
        let beginning = outage::begin(&self.context.db, &server, why, self.context.now());
        if self.context.answered(beginning).await? {
            tracing::error!(server, why, "the mail server takes no mails; nothing is sent until a probe succeeds");
        }
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renews the lease on what is claimed, for as long as the run goes on.
    async fn renew(&self) {
        loop {
            tokio::time::sleep(RENEWAL).await;
            let held: Vec<i64> = self.held().iter().copied().collect();
            if held.is_empty() {
                continue;
            }
            let renewing = delivery::renew(&self.context.db, &self.lease, held, self.context.now());
            // One that takes longer than the next is due is lost; the next may go over another connection.
            if let Err(error) = self.context.answered_within(RENEWAL, renewing).await {
                tracing::warn!(%error, "the lease on mails could not be renewed");
            }
        }
    }

    /// Claims mails in batches and hands each on.
    async fn claim_all(&self, to_hand_out: mpsc::Sender<Claim>, done: mpsc::UnboundedSender<Report>) {
        while !self.is_over() {
            // The next batch is claimed when the one before begins to be sent, and not earlier.
            let Ok(room) = to_hand_out.reserve().await else { return };
            let now = self.context.now();
            let moments = (self.due_by.unwrap_or(now), now);
            let size = self.size.load(Ordering::Relaxed);
            let claiming = delivery::claim(&self.context.db, &self.lease, moments, size);
            let claimed = match self.context.answered(claiming).await {
                Ok(claimed) => claimed,
                Err(error) => return self.fail(error),
            };
            if claimed.is_empty() {
                return;
            }
            self.held().extend(claimed.iter().map(|claimed| claimed.mail.id));
            let reading = Batch::read(&self.context.db, claimed.iter().map(|claimed| &claimed.mail));
            match self.context.answered(reading).await {
                Ok(batch) => room.send((claimed, Arc::new(batch))),
                Err(error) => {
                    for claimed in claimed {
                        let _ = done.send(((claimed, Fate::Waits), oneshot::channel().0));
                    }
                    return self.fail(error);
                }
            }
            if self.is_probe {
                return;
            }
        }
    }

    /// Hands mails out to those that send them, and sizes the next claims by how long that takes.
    async fn hand_out(&self, mut claims: mpsc::Receiver<Claim>, to_send: mpsc::Sender<Work>) {
        while let Some((claimed, batch)) = claims.recv().await {
            let (count, began) = (claimed.len(), Instant::now());
            for claimed in claimed {
                let _ = to_send.send((claimed, batch.clone())).await;
            }
            let size = self.size.load(Ordering::Relaxed);
            let fitting = count as f64 * PATIENCE.as_secs_f64() / began.elapsed().as_secs_f64();
            // The first mails are taken at once, however slow the server is, so that sizes grow in steps.
            self.size.store((fitting as usize).clamp(1, BATCH.min(size.max(count) * GROWTH)), Ordering::Relaxed);
        }
    }

    /// Takes mails and sends them, one after the other, each after the outcome of the one before is recorded.
    async fn send_all(&self, queue: &tokio::sync::Mutex<mpsc::Receiver<Work>>, done: mpsc::UnboundedSender<Report>) {
        loop {
            let work = queue.lock().await.recv().await;
            let Some((claimed, batch)) = work else { return };
            let span = tracing::info_span!("mail", id = claimed.mail.id, kind = claimed.mail.kind);
            if let Some(trace) = &claimed.mail.trace {
                trace::continue_in(&span, trace);
            }
            let fate = match self.send(&claimed.mail, &batch).instrument(span).await {
                Ok(fate) => fate,
                Err(error) => {
                    self.fail(error);
                    Fate::Waits
                }
            };
            let (tell, is_recorded) = oneshot::channel();
            // Neither fails while the run goes on: outcomes are recorded until the last writer is done.
            let _ = done.send(((claimed, fate), tell));
            let _ = is_recorded.await;
        }
    }

    /// Writes a mail from what the ledger says now, and sends it.
    async fn send(&self, mail: &mail::Model, batch: &Batch) -> Result<Fate> {
        if self.is_over() {
            return Ok(Fate::Waits);
        }
        let (context, now) = (self.context, self.context.now());
        let read_again;
        let batch = if batch.is_fresh() {
            batch
        } else {
            read_again = context.answered(Batch::read(&context.db, std::iter::once(mail))).await?;
            &read_again
        };
        let recipients = &batch.recipients;
        if let Some(why) = recipients.refusal(mail, calendar::local_day(now, context.zone)) {
            return Ok(Fate::Cancelled(why.to_owned()));
        }
        if let Some(until) = self.held_until(mail, recipients, now).await? {
            return Ok(Fate::HeldUntil(until));
        }
        let writing = context.writer.write(&context.db, (mail, batch), (now, context.zone));
        let message = match context.answered(writing).await {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(Fate::Cancelled("发送前复核：所列事项均已完成、销号或不涉及".to_owned())),
            // A reminder of an earlier version.
            Err(Unwritten::Unknown) => return Ok(Fate::Refused(format!("没有名为 {} 的提醒", mail.kind))),
            Err(Unwritten::Database(error)) => return Err(error.into()),
            Err(Unwritten::Ledger(error)) => return Err(error),
            Err(error) => {
                tracing::error!(
                    mail = mail.id,
                    error = &error as &dyn std::error::Error,
                    "a mail could not be written"
                );
                return Ok(Fate::Retry("邮件内容生成失败".to_owned()));
            }
        };
        let subject = message.subject.clone();
        let posted = match context.post.letter(message, (mail, &context.writer.message_id(mail)), now) {
            Ok(letter) => self.post(letter).await,
            Err(error) => Some(Err(error)),
        };
        Ok(match posted {
            None => Fate::Waits,
            Some(Ok(())) => Fate::Sent(subject),
            Some(Err(PostError::Refused(why))) => Fate::Refused(why),
            Some(Err(PostError::Unavailable(why))) => Fate::Retry(why),
            Some(Err(PostError::Down(why) | PostError::Doubtful(why) | PostError::Crowded(why))) => {
                self.stop(&why).await?;
                Fate::WaitsBehind(why)
            }
        })
    }

    /// Returns until when a digest is held back because of a day off or the quiet hours, if it is. What somebody sends
    /// by hand is not.
    async fn held_until(
        &self,
        mail: &mail::Model,
        recipients: &Recipients,
        now: DateTime<Utc>,
    ) -> Result<Option<DateTime<Utc>>> {
        let Some(kind) = kind_of(&mail.kind).filter(|_| self.due_by.is_none() && mail.priority == Priority::Digest)
        else {
            return Ok(None);
        };
        let reading = || self.context.answered(Rules::read(&self.context.db, &self.context.timing));
        let rules = self.rules.get_or_try_init(reading).await?;
        let region = recipients.unit(mail).map(|unit| unit.region_id);
        let until = rules.of(kind, region).sent_from(now, self.context.zone);
        Ok((until > now).then_some(until))
    }

    /// Sends a letter as soon as a connection is free; none if the run ends before.
    async fn post(&self, letter: Letter) -> Option<std::result::Result<(), PostError>> {
        let letter = Arc::new(letter);
        loop {
            // Places are never closed.
            let place = self.places.acquire().await.ok()?;
            if self.is_over() {
                return None;
            }
            match self.carry(letter.clone()).await {
                Err(PostError::Crowded(why)) => {
                    // A server that does not let in the only one is away.
                    if !self.give_up(place) {
                        return Some(Err(PostError::Crowded(why)));
                    }
                    tracing::info!(why, "the mail server accepts no further connection; fewer are used");
                }
                // A probe asks about the server, not about the mail.
                Err(PostError::Doubtful(why)) if !self.is_probe && self.context.post.blames(&letter) => {
                    return Some(Err(PostError::Unavailable(why)));
                }
                posted => {
                    if !matches!(posted, Err(PostError::Down(_) | PostError::Doubtful(_))) {
                        self.has_answered.store(true, Ordering::Relaxed);
                    }
                    return Some(posted);
                }
            }
        }
    }

    /// Gives up a place on the mail server, and returns true. The last one stays, and false is returned.
    fn give_up(&self, place: SemaphorePermit<'_>) -> bool {
        let fewer = |left: usize| left.checked_sub(1).filter(|left| *left > 0);
        let is_given_up = self.left_places.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer).is_ok();
        if is_given_up {
            place.forget();
        }
        is_given_up
    }

    /// Carries a letter to the server in a task of its own, so that it does not wait while other mails are written. The
    /// task ends with the run.
    async fn carry(&self, letter: Arc<Letter>) -> std::result::Result<(), PostError> {
        let post = self.context.post.clone();
        let carried = AbortOnDropHandle::new(tokio::spawn(async move { post.send(&letter).await })).await;
        carried.unwrap_or_else(|failure| Err(PostError::Unavailable(format!("发送中断：{failure}"))))
    }

    /// Records what became of mails, as it is known.
    async fn record_reports(&self, mut reports: mpsc::UnboundedReceiver<Report>) {
        let mut batch = Vec::new();
        while reports.recv_many(&mut batch, BATCH).await > 0 {
            let (outcomes, waiting): (Vec<Outcome>, Vec<_>) = batch.drain(..).unzip();
            self.record_outcomes(&outcomes).await;
            for (claimed, fate) in outcomes {
                self.held().remove(&claimed.mail.id);
                let count = match fate {
                    Fate::Sent(_) => &self.sent,
                    Fate::Cancelled(_) => &self.cancelled,
                    Fate::Retry(_) | Fate::Refused(_) => &self.failed,
                    Fate::Waits | Fate::HeldUntil(_) | Fate::WaitsBehind(_) => continue,
                };
                count.fetch_add(1, Ordering::Relaxed);
            }
            for tell in waiting {
                let _ = tell.send(());
            }
        }
    }

    /// Records outcomes. An accepted mail whose outcome is not recorded is sent again, so a database that fails is
    /// given some time.
    async fn record_outcomes(&self, batch: &[Outcome]) {
        for tries in 0.. {
            let settling = delivery::settle(&self.context.db, &self.lease, batch, self.context.now());
            match self.context.answered(settling).await {
                Ok(0) => return,
                // A try that failed may have recorded them.
                Ok(_) if tries > 0 => return,
                Ok(lost) => {
                    tracing::warn!(mails = lost, "the lease on mails was lost: another process delivers them");
                    return;
                }
                Err(error) if tries == self.most_tries.load(Ordering::Relaxed) => {
                    // After a database that was waited for in vain, nothing else is waited for.
                    self.most_tries.store(0, Ordering::Relaxed);
                    return self.fail(error);
                }
                Err(error) => {
                    tracing::warn!(%error, "the outcomes of mails could not be recorded; trying again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}
