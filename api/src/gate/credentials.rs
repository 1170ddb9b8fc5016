//! The queue of credential checks. A check hashes a password, which occupies a CPU core and 19 MB of memory for a
//! moment. Therefore only a few checks run at once and a bounded number waits. The address whose last check is longest
//! ago is next. Other requests thus always find a free core, and a flood of checks from one address does not delay the
//! other addresses.

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

/// The most checks that wait. Further ones are refused at once: this stops guessing programs, and users can try again.
const WAITING: usize = 32;
/// The most checks of one address that wait.
const SHARE: usize = 16;
/// The most addresses whose last check is remembered.
const REMEMBERED: usize = 10_000;
/// The seconds after which a refused caller may try again.
const SOON: u64 = 5;

/// The shortest time after which a failed check is answered, so that the response time does not reveal why it failed.
const FLOOR: Duration = Duration::from_millis(250);

tokio::task_local! {
    /// The earliest moment at which the running check may be answered.
    static HELD_BACK: Cell<Option<Instant>>;
}

/// Delays the answer to the current check until `FLOOR` has passed since `begun`.
pub(crate) fn hold_back(begun: Instant) {
    // Outside of `carry_out` there is nothing to delay.
    let _ = HELD_BACK.try_with(|until| until.set(Some(begun + FLOOR)));
}

/// The queue of checks.
#[derive(Debug)]
pub(crate) struct Queue(Mutex<State>);

#[derive(Debug)]
struct State {
    /// How many more checks may start now.
    free: usize,
    /// The checks that wait, in the order of their arrival.
    waiting: Vec<(Option<IpAddr>, oneshot::Sender<Place>)>,
    /// The number of the last check of each address, in the order in which checks started.
    last: HashMap<Option<IpAddr>, u64>,
    /// The number of checks that have started so far.
    count: u64,
}

/// The permission to run one check. When it is dropped, it passes to the next check that waits.
#[derive(Debug)]
pub(crate) struct Place(Option<Arc<Queue>>);

impl Place {
    /// Runs a check, passes the place on, and then waits until the result may be returned (see [`hold_back`]).
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
    /// Returns how many checks of an address wait.
    fn own(&self, address: Option<IpAddr>) -> usize {
        self.waiting.iter().filter(|(of, _)| *of == address).count()
    }

    /// Returns the number of the last check of an address; 0 if there was none, or if it is forgotten.
    fn last(&self, address: Option<IpAddr>) -> u64 {
        self.last.get(&address).copied().unwrap_or(0)
    }

    /// Records that a check of an address starts.
    fn note(&mut self, address: Option<IpAddr>) {
        self.count += 1;
        self.last.insert(address, self.count);
        if self.last.len() > REMEMBERED {
            let old = self.count.saturating_sub(REMEMBERED as u64 / 2);
            self.last.retain(|_, last| *last > old);
        }
    }

    /// Makes room for a check of an address by refusing another: the latest one of the address with the most checks
    /// waiting, and among equals of the one whose last check is most recent. Returns whether there is room: an address
    /// gives way only if it has at least two checks more waiting, or if the new one has none and was last served
    /// earlier.
    fn displace(&mut self, address: Option<IpAddr>) -> bool {
        let weight = |of: Option<IpAddr>| (self.own(of), self.last(of));
        let most = self.waiting.iter().enumerate().max_by_key(|(at, (of, _))| (weight(*of), *at));
        let Some((at, (of, _))) = most else { return false };
        let ((theirs, their_last), (own, last)) = (weight(*of), weight(address));
        if theirs > own + 1 || (own == 0 && their_last > last) {
            // Dropping the sender refuses the check that waited.
            self.waiting.remove(at);
            return true;
        }
        false
    }
}

impl Queue {
    /// Makes a queue that runs one check for every two CPU cores, at least one, and leaves the other cores to
    /// everything else.
    pub(crate) fn new() -> Arc<Self> {
        Self::of(available_parallelism().map_or(1, |cores| cores.get() / 2).max(1))
    }

    fn of(free: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free, waiting: Vec::new(), last: HashMap::new(), count: 0 })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until a check of an address may start, at most for `time`. Refuses it at once if too many checks wait.
    pub(crate) async fn enter(self: &Arc<Self>, address: Option<IpAddr>, time: Duration) -> Result<Place, Refused> {
        tokio::time::timeout(time, self.turn(address)).await.map_err(|_| full())?
    }

    async fn turn(self: &Arc<Self>, address: Option<IpAddr>) -> Result<Place, Refused> {
        let address = address.map(network);
        let turn = {
            let mut state = self.state();
            // Forget checks whose callers have disconnected.
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

    /// Passes a place that has become free to the next check.
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
                // Its caller has disconnected. Empty the returned place before it is dropped: its `drop` would take the
                // lock that is held here.
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
            format!("too many sign-ins at the same time: try again in {SOON} seconds"),
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

    #[expect(clippy::unnecessary_wraps, reason = "has the type of the parameter that it is passed to")]
    fn address(last: u8) -> Option<IpAddr> {
        Some([10, 0, 0, last].into())
    }

    /// Asks for a place. Returns the future if it has to wait (`Ok`), or its result if it has one at once (`Err`).
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
        let second = honest.now_or_never().expect("the second address is next").unwrap();
        assert!((&mut greedy[0]).now_or_never().is_none(), "only one check runs at a time");
        drop(second);
        let third = greedy.remove(0).now_or_never().expect("the first address is next again").unwrap();
        drop(third);
        drop(again.now_or_never().expect("the second address is next again").unwrap());
        drop(greedy.remove(0).now_or_never().unwrap().unwrap());
        assert!(ask(&queue, 3).is_err_and(|done| done.is_ok()), "the place is free again");
    }

    #[test]
    fn who_waits_too_often_is_refused_and_makes_room_for_others() {
        let queue = Queue::of(1);
        let _running = ask(&queue, 1).err().unwrap().unwrap();
        let mut waiting: Vec<Waiting> = (0..SHARE).map(|_| ask(&queue, 1).ok().unwrap()).collect();
        assert!(ask(&queue, 1).is_err_and(|done| done.is_err()), "the address has reached its share");
        waiting.extend((SHARE..WAITING).map(|_| ask(&queue, 2).ok().unwrap()));
        let third = ask(&queue, 3);
        assert!(third.is_ok(), "the address with the most checks makes room");
        let lost = waiting.iter_mut().filter_map(FutureExt::now_or_never).filter(Result::is_err).count();
        assert_eq!(lost, 1, "one check of that address is refused");
        assert_eq!(queue.state().waiting.len(), WAITING);
    }

    #[tokio::test]
    async fn an_answer_that_is_held_back_holds_no_place() {
        let queue = Queue::of(1);
        let place = ask(&queue, 1).err().unwrap().unwrap();
        let mut refused = place.carry_out(async { hold_back(Instant::now()) }).boxed();
        assert!((&mut refused).now_or_never().is_none(), "the answer is delayed");
        assert!(ask(&queue, 2).is_err(), "the next check starts at once");
    }
}
