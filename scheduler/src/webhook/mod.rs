//! Delivers messages to other systems as soon as they are queued. Each receiver has a sender of its own, so that one
//! that hangs delays no other, and no mail.

mod client;
mod guard;
mod shape;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use entity::language::Language;
use futures_util::future::try_join_all;
use ledger::Result;
use ledger::record::webhook::{self as queue, Outcome};
use tokio::sync::Mutex;
use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;

use self::client::Client;
use self::guard::Guard;
use crate::context::Context;
use crate::wake::Announced;

/// How long the database may take to answer one question, shorter than the lease on a message.
const SILENCE: Duration = Duration::from_secs(20);
/// How long after a failure of the database delivery goes on, and after another process was at work on a receiver.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest time that delivery waits if nothing is announced, which may also be because an announcement was lost.
const MAX_PAUSE: Duration = Duration::from_mins(1);

/// Sends messages to other systems, as an installation is set up to.
pub struct Webhooks {
    client: Client,
    public_url: String,
    language: Language,
    /// Held by the sender that claims or settles. Any number of senders wait for answers, but only one of them occupies
    /// a connection to the database; the others of the pool serve requests.
    turn: Mutex<()>,
}

impl Webhooks {
    /// Sends messages to public addresses and to the networks and hosts that are `allowed`. `public_url` is where links
    /// lead, `language` that of the messages of robots. The error is a Chinese message for the operator.
    pub fn new(allowed: &[String], public_url: &str, language: Language) -> std::result::Result<Self, String> {
        let public_url = public_url.trim_end_matches('/').to_owned();
        Ok(Self { client: Client::new(guard(allowed)?), public_url, language, turn: Mutex::new(()) })
    }

    /// Checks the setting that names what is `allowed`. The error is a Chinese message for the operator.
    pub fn check(allowed: &[String]) -> std::result::Result<(), String> {
        guard(allowed).map(|_| ())
    }
}

fn guard(allowed: &[String]) -> std::result::Result<Guard, String> {
    Guard::new(allowed).map_err(|entry| {
        format!(
            "“{entry}”应为网络（如 10.1.0.0/16）、地址或主机名 / each must be a network (such as 10.1.0.0/16), an \
             address or a host name"
        )
    })
}

/// Takes back moments that a clock which was ahead has left.
async fn take_back(context: &Context) -> Result<()> {
    let taken_back = context.answered_within(SILENCE, queue::take_back(&context.db, context.now())).await?;
    if taken_back > 0 {
        tracing::error!(
            rows = taken_back,
            "messages to other systems waited for a moment that only a clock which was ahead can have set; \
             they are due now"
        );
    }
    Ok(())
}

/// Delivers at once, and then whenever messages are queued or fall due, until it is told to stop.
pub(crate) async fn deliver_when_queued(context: Arc<Context>, stop: CancellationToken) {
    let mut announced = Announced::of(&queue::QUEUE, &context.db);
    let mut senders = JoinSet::new();
    let mut busy: HashMap<Id, i64> = HashMap::new();
    let mut looked: Option<Instant> = None;
    loop {
        // Once in a while, because it writes.
        if looked.is_none_or(|at| at.elapsed() >= MAX_PAUSE) {
            looked = Some(Instant::now());
            if let Err(error) = take_back(&context).await {
                tracing::error!(%error, "moments of messages to other systems could not be checked");
            }
        }
        let pause = match context.answered_within(SILENCE, queue::waiting(&context.db)).await {
            Ok(waiting) => {
                let now = context.now();
                let mut pause = MAX_PAUSE;
                for receiver in waiting {
                    if receiver.from > now {
                        pause = pause.min((receiver.from - now).to_std().unwrap_or_default());
                    } else if !busy.values().any(|webhook| *webhook == receiver.webhook) {
                        let begun = senders.spawn(sender(context.clone(), receiver.webhook, stop.clone()));
                        busy.insert(begun.id(), receiver.webhook);
                    }
                }
                // A moment later, so that what is next is due by the clock that is stored.
                pause + Duration::from_millis(100)
            }
            Err(error) => {
                tracing::error!(%error, "it could not be read which messages to other systems wait");
                PAUSE
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = announced.next() => {}
            () = tokio::time::sleep(pause) => {}
            Some(done) = senders.join_next_with_id() => {
                let id = match done {
                    Ok((id, ())) => id,
                    Err(error) => {
                        tracing::error!(%error, "a sender of messages to other systems has failed");
                        error.id()
                    }
                };
                busy.remove(&id);
            }
        }
    }
    while senders.join_next().await.is_some() {}
}

/// Sends what is due to one receiver. Ends a moment later if there was nothing to be claimed, or the database failed,
/// so that it is not begun again at once.
async fn sender(context: Arc<Context>, webhook: i64, stop: CancellationToken) {
    let sent = deliver_to(&context, webhook).await;
    if let Err(error) = &sent {
        tracing::error!(%error, webhook, "messages to another system could not be delivered");
    }
    if !sent.is_ok_and(|tried| tried > 0) {
        let _ = tokio::time::timeout(PAUSE, stop.cancelled()).await;
    }
}

/// Sends what is due to every receiver, once. Returns the number of attempts.
pub async fn deliver_webhooks(context: &Context) -> Result<usize> {
    take_back(context).await?;
    let now = context.now();
    let waiting = context.answered_within(SILENCE, queue::waiting(&context.db)).await?;
    let due = waiting.into_iter().filter(|receiver| receiver.from <= now);
    let tried = try_join_all(due.map(|receiver| deliver_to(context, receiver.webhook))).await?;
    Ok(tried.into_iter().sum())
}

/// Sends what is due to one receiver, one message after the other. Returns the number of attempts.
pub async fn deliver_to(context: &Context, webhook: i64) -> Result<usize> {
    let mut tried = 0;
    let hooks = &context.webhooks;
    while !(context.stopping)() {
        let turn = hooks.turn.lock().await;
        let claimed =
            context.answered_within(SILENCE, queue::claim(&context.db, webhook, &context.token, context.now())).await?;
        drop(turn);
        let Some(claimed) = claimed else { break };
        tried += 1;
        let posting = shape::posting(&claimed, (&hooks.public_url, hooks.language), context.now());
        let outcome = match posting {
            Ok(posting) => hooks.client.post(&claimed.webhook, posting).await,
            Err(error) => Outcome { status: None, answer: None, error: Some(error) },
        };
        let _turn = hooks.turn.lock().await;
        let now = (context.now(), context.zone);
        context.answered_within(SILENCE, queue::settle(&context.db, &claimed, &outcome, now)).await?;
    }
    Ok(tried)
}
