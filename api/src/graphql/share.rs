//! Work that several watchers share: what they ask of the database for one batch of changes is asked once for all whose
//! question is the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex as Held, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// The ids of the changes that are pushed together, in ascending order.
pub(crate) type Batch = Arc<[i64]>;

/// How long an answer may be shared. A watcher that comes later, because its connection is slow, asks anew.
const FRESH: Duration = Duration::from_millis(250);

/// The questions that watchers ask, each with its answer about the last batch.
pub(crate) struct Shares<T>(Held<HashMap<String, Weak<Share<T>>>>);

impl<T> Default for Shares<T> {
    fn default() -> Self {
        Self(Held::new(HashMap::new()))
    }
}

impl<T> Shares<T> {
    /// Returns the question of this text, which all who ask it hold. It is forgotten with the last of them.
    pub(crate) fn of(&self, question: String) -> Arc<Share<T>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = known.get(&question).and_then(Weak::upgrade) {
            return share;
        }
        known.retain(|_, share| share.strong_count() > 0);
        let share = Arc::new(Share(Mutex::new(None)));
        known.insert(question, Arc::downgrade(&share));
        share
    }
}

/// One question, with its last answer.
pub(crate) struct Share<T>(Mutex<Option<Answered<T>>>);

struct Answered<T> {
    batch: Batch,
    at: Instant,
    answer: T,
}

impl<T: Clone> Share<T> {
    /// Returns the answer about a batch. The first who asks finds it by `ask`, while the others wait; if it stops
    /// waiting, the next one does.
    pub(crate) async fn about(&self, batch: &Batch, ask: impl Future<Output = T>) -> T {
        let mut last = self.0.lock().await;
        if let Some(last) = last.as_ref().filter(|last| Arc::ptr_eq(&last.batch, batch) && last.at.elapsed() < FRESH) {
            return last.answer.clone();
        }
        let answer = ask.await;
        // From now, not from before: those who waited meanwhile take it however long it took.
        *last = Some(Answered { batch: batch.clone(), at: Instant::now(), answer: answer.clone() });
        answer
    }
}
