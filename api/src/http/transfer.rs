//! How long the bytes of a file may take, coming or going: each within `PATIENCE`, at a least rate on the whole, and all of
//! them within `LONGEST`. Only the time that the caller takes is counted, not that of a disk or a storage elsewhere.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::rt;
use actix_web::web::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::mpsc;

use crate::error::{Code, Unserved};

/// How long the next bytes of a file may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long a whole file may take.
const LONGEST: Duration = Duration::from_hours(1);
/// After a caller was waited for this long, the rate counts.
const GRACE: Duration = Duration::from_secs(30);
/// The fewest bytes in a second of waiting.
const LEAST: f64 = 16.0 * 1024.0;
/// So many pieces wait for a caller who reads slowly.
const AHEAD: usize = 2;

/// A file on its way.
pub(crate) struct Transfer {
    begun: Instant,
    waited: Duration,
    bytes: u64,
}

impl Transfer {
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), waited: Duration::ZERO, bytes: 0 }
    }

    /// Waits for the caller: for the next bytes to come, or to be taken.
    pub(crate) async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Unserved> {
        if self.is_too_slow() {
            return Err(late());
        }
        let since = Instant::now();
        let done = tokio::time::timeout(PATIENCE, next).await.map_err(|_| late());
        self.waited += since.elapsed();
        done
    }

    /// Counts bytes that came or went.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    fn is_too_slow(&self) -> bool {
        is_too_slow(self.bytes, self.waited) || self.begun.elapsed() > LONGEST
    }
}

/// Whether so few bytes went in the time that a caller was waited for that it holds a place for nothing.
pub(crate) fn is_too_slow(bytes: u64, waited: Duration) -> bool {
    waited > GRACE && (bytes as f64) < LEAST * waited.as_secs_f64()
}

pub(crate) fn late() -> Unserved {
    let (zh, en) = ("文件传输过慢或已中断，请重试", "the file comes too slowly, or no more: try again");
    Unserved::new(StatusCode::REQUEST_TIMEOUT, Code::Timeout.as_str(), zh, en)
}

/// Sends bytes on as fast as they are taken, and holds a place meanwhile. A caller that takes them too slowly loses both:
/// the place at once, and the rest of the answer, which breaks off.
pub(crate) fn paced<E: std::error::Error + Send + Sync + 'static>(
    bytes: impl Stream<Item = Result<Bytes, E>> + 'static,
    place: impl Sized + 'static,
) -> impl Stream<Item = std::io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let is_whole = Rc::new(Cell::new(false));
    let told = is_whole.clone();
    rt::spawn(async move {
        let _place = place;
        let mut transfer = Transfer::begin();
        let mut bytes = std::pin::pin!(bytes);
        while let Some(chunk) = bytes.next().await {
            let (length, failed) = (chunk.as_ref().map_or(0, Bytes::len), chunk.is_err());
            if !matches!(transfer.wait(sender.send(chunk.map_err(std::io::Error::other))).await, Ok(Ok(()))) || failed {
                return;
            }
            transfer.count(length);
        }
        told.set(true);
    });
    ending(receiver, move || is_whole.get())
}

/// What comes by a channel; where it ends before it is whole, the answer breaks off.
pub(crate) fn ending(
    receiver: mpsc::Receiver<std::io::Result<Bytes>>,
    is_whole: impl Fn() -> bool,
) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::unfold(Some((receiver, is_whole)), |state| async {
        let (mut receiver, is_whole) = state?;
        match receiver.recv().await {
            Some(chunk) => Some((chunk, Some((receiver, is_whole)))),
            None if is_whole() => None,
            None => Some((Err(std::io::Error::other("the answer broke off")), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::is_too_slow;

    #[test]
    fn who_trickles_is_too_slow_after_a_while_and_who_is_slow_but_goes_on_is_not() {
        assert!(!is_too_slow(1, Duration::from_secs(30)), "anybody may take a moment");
        assert!(is_too_slow(31, Duration::from_secs(31)));
        assert!(!is_too_slow(20_000 * 31, Duration::from_secs(31)));
        assert!(is_too_slow(20_000 * 31, Duration::from_mins(1)), "the rate is that of the whole");
    }
}
