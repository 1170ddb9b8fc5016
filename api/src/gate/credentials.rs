//! The queue of credential checks. A check hashes a password, which takes a core and 19 MB for a moment: few run at once, a
//! bounded number waits, and the address whose last check is longest ago is next, so that readers always have a core and
//! nobody waits for a flood of checks from elsewhere.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::error::{Code, Refused};
use crate::gate::rate::network;

/// So many checks wait; a program that guesses is refused at once, people come again.
const WAITING: usize = 32;
/// So many of them are of one address.
const SHARE: usize = 16;
/// The turns of so many addresses are remembered.
const REMEMBERED: usize = 10_000;
/// Seconds after which a refused caller may come again.
const SOON: u64 = 5;

/// A check that is refused is answered after this time at the earliest, so that the time tells nothing of why.
const FLOOR: Duration = Duration::from_millis(250);

tokio::task_local! {
    /// When the answer of the check that is carried out may be given.
    static HELD_BACK: Cell<Option<Instant>>;
}

/// Has the answer to a check that began then held back until `FLOOR` is over.
pub(crate) fn hold_back(begun: Instant) {
    // Whoever is not watched is not asked for a secret.
    let _ = HELD_BACK.try_with(|until| until.set(Some(begun + FLOOR)));
}

/// Where checks wait.
#[derive(Debug)]
pub(crate) struct Queue(Mutex<State>);

#[derive(Debug)]
struct State {
    /// How many more may run now.
    free: usize,
    /// Those that wait, in the order in which they came.
    waiting: Vec<(Option<IpAddr>, oneshot::Sender<Place>)>,
    /// Which check of all was an address's last.
    last: HashMap<Option<IpAddr>, u64>,
    /// How many checks there were.
    count: u64,
}

/// The right to run a check, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place(Option<Arc<Queue>>);

impl Place {
    /// Carries out a check and gives the place to the next; only then waits until the answer may be given.
    pub(crate) async fn carry_out<T>(self, check: impl Future<Output = T>) -> T {
        let watched = async {
            let done = check.await;
            (done, HELD_BACK.with(Cell::get))
        };
        let (done, held_back) = Box::pin(HELD_BACK.scope(Cell::new(None), watched)).await;
        drop(self);
        if let Some(until) = held_back {
            tokio::time::sleep_until(until).await;
        }
        done
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.pass_on();
        }
    }
}

impl State {
    /// How many of an address wait.
    fn own(&self, address: Option<IpAddr>) -> usize {
        self.waiting.iter().filter(|(of, _)| *of == address).count()
    }

    /// An address's last check; zero where it is forgotten or had none.
    fn last(&self, address: Option<IpAddr>) -> u64 {
        self.last.get(&address).copied().unwrap_or(0)
    }

    /// Notes that an address has its turn.
    fn note(&mut self, address: Option<IpAddr>) {
        self.count += 1;
        self.last.insert(address, self.count);
        if self.last.len() > REMEMBERED {
            let old = self.count.saturating_sub(REMEMBERED as u64 / 2);
            self.last.retain(|_, last| *last > old);
        }
    }

    /// Makes room for an address: by the latest check of the one that waits most often, or whose turn was last.
    fn displace(&mut self, address: Option<IpAddr>) -> bool {
        let weight = |of: Option<IpAddr>| (self.own(of), self.last(of));
        let most = self.waiting.iter().enumerate().max_by_key(|(at, (of, _))| (weight(*of), *at));
        let Some((at, (of, _))) = most else { return false };
        let ((theirs, their_last), (own, last)) = (weight(*of), weight(address));
        if theirs > own + 1 || (own == 0 && their_last > last) {
            // Dropping the sender refuses the one that waited.
            self.waiting.remove(at);
            return true;
        }
        false
    }
}

impl Queue {
    /// A queue that leaves half of the cores to everything else.
    pub(crate) fn new() -> Arc<Self> {
        Self::of(available_parallelism().map_or(1, |cores| cores.get() / 2).max(1))
    }

    fn of(free: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free, waiting: Vec::new(), last: HashMap::new(), count: 0 })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the turn of a check from an address, for so long at most; refuses it at once where too many wait.
    pub(crate) async fn enter(self: &Arc<Self>, address: Option<IpAddr>, time: Duration) -> Result<Place, Refused> {
        tokio::time::timeout(time, self.turn(address)).await.map_err(|_| full())?
    }

    async fn turn(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Refused> {
        let address = address.map(network);
        let turn = {
            let mut state = self.state();
            // Those whose callers are gone wait for nothing.
            state.waiting.retain(|(_, sender)| !sender.is_closed());
            if state.free > 0 {
                state.free -= 1;
                state.note(address);
                return Ok(Place(Some(self.clone())));
            }
            if state.own(address) >= SHARE || (state.waiting.len() >= WAITING && !state.displace(address)) {
                return Err(full());
            }
            let (sender, turn) = oneshot::channel();
            state.waiting.push((address, sender));
            turn
        };
        turn.await.map_err(|_| full())
    }

    /// Gives a place that is free again to the next.
    fn pass_on(self: &Arc<Self>) {
        let mut state = self.state();
        loop {
            let next = state.waiting.iter().enumerate().min_by_key(|(at, (address, _))| (state.last(*address), *at));
            let Some((at, _)) = next else { break };
            let (address, sender) = state.waiting.remove(at);
            match sender.send(Place(Some(self.clone()))) {
                Ok(()) => {
                    state.note(address);
                    return;
                }
                // Its caller is gone; what comes back must not ask for the lock that is held here.
                Err(mut unwanted) => drop(unwanted.0.take()),
            }
        }
        state.free += 1;
    }
}

fn full() -> Refused {
    Refused {
        retry_after: Some(SOON),
        ..Refused::new(
            Code::TooManyRequests,
            format!("同时登录的人过多，请 {SOON} 秒后再试"),
            format!("too many sign in at the same time: try again in {SOON} seconds"),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use tokio::time::Instant;

    use super::{Place, Queue, SHARE, WAITING, hold_back};
    use crate::error::Refused;

    type Waiting = BoxFuture<'static, Result<Place, Refused>>;

    #[expect(clippy::unnecessary_wraps, reason = "as callers have it")]
    fn address(last: u8) -> Option<IpAddr> {
        Some([10, 0, 0, last].into())
    }

    /// Asks for a place; gives what comes at once, or what waits.
    fn ask(queue: &Arc<Queue>, last: u8) -> Result<Waiting, Result<Place, Refused>> {
        let queue = queue.clone();
        let mut asked: Waiting = async move { queue.turn(address(last)).await }.boxed();
        match (&mut asked).now_or_never() {
            Some(done) => Err(done),
            None => Ok(asked),
        }
    }

    #[test]
    fn whose_last_check_is_longest_ago_is_next_and_an_abandoned_one_is_passed_over() {
        let queue = Queue::of(1);
        let first = ask(&queue, 1).err().unwrap().unwrap();
        let mut greedy: Vec<Waiting> = (0..3).map(|_| ask(&queue, 1).ok().unwrap()).collect();
        let (honest, again) = (ask(&queue, 2).ok().unwrap(), ask(&queue, 2).ok().unwrap());
        drop(greedy.remove(0));
        drop(first);
        let second = honest.now_or_never().expect("it had no turn yet").unwrap();
        assert!((&mut greedy[0]).now_or_never().is_none(), "one at a time");
        drop(second);
        let third = greedy.remove(0).now_or_never().expect("the other has its turn").unwrap();
        drop(third);
        drop(again.now_or_never().expect("and the first again").unwrap());
        drop(greedy.remove(0).now_or_never().unwrap().unwrap());
        assert!(ask(&queue, 3).is_err_and(|done| done.is_ok()), "the place is free again");
    }

    #[test]
    fn who_waits_too_often_is_refused_and_makes_room_for_others() {
        let queue = Queue::of(1);
        let _running = ask(&queue, 1).err().unwrap().unwrap();
        let mut waiting: Vec<Waiting> = (0..SHARE).map(|_| ask(&queue, 1).ok().unwrap()).collect();
        assert!(ask(&queue, 1).is_err_and(|done| done.is_err()), "an address has its share");
        waiting.extend((SHARE..WAITING).map(|_| ask(&queue, 2).ok().unwrap()));
        let third = ask(&queue, 3);
        assert!(third.is_ok(), "an address that has most makes room");
        let lost = waiting.iter_mut().filter_map(FutureExt::now_or_never).filter(Result::is_err).count();
        assert_eq!(lost, 1, "one is refused for it");
        assert_eq!(queue.state().waiting.len(), WAITING);
    }

    #[tokio::test]
    async fn an_answer_that_is_held_back_holds_no_place() {
        let queue = Queue::of(1);
        let place = ask(&queue, 1).err().unwrap().unwrap();
        let mut refused = place.carry_out(async { hold_back(Instant::now()) }).boxed();
        assert!((&mut refused).now_or_never().is_none(), "it is held back");
        assert!(ask(&queue, 2).is_err(), "the next has its turn at once");
    }
}
