//! Time limits on the transfer of a file in either direction: `PATIENCE` for the next bytes, a minimum average rate,
//! and `MAX_TRANSFER` for the whole file. The rate counts only the time spent waiting for the client, not for a disk or
//! a remote storage.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::rt;
use actix_web::web::Bytes;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::sync::mpsc;

use crate::error::{Code, Unserved};

/// How long the server waits for the client to send or read the next bytes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// How long the transfer of a whole file may take.
const MAX_TRANSFER: Duration = Duration::from_hours(1);
/// How long the server may wait for the client in total before the minimum rate applies.
const GRACE: Duration = Duration::from_secs(30);
/// The minimum rate: bytes in a second of waiting for the client.
const LEAST: f64 = 16.0 * 1024.0;
/// The number of pieces that are buffered for a client that reads slowly.
const AHEAD: usize = 2;

/// The progress of a transfer.
pub(crate) struct Transfer {
    begun: Instant,
    waited: Duration,
    bytes: u64,
}

impl Transfer {
    /// Begins to measure a transfer.
    pub(crate) fn begin() -> Self {
        Self { begun: Instant::now(), waited: Duration::ZERO, bytes: 0 }
    }

    /// Waits for the client to send or to read the next bytes. Refuses the transfer if it is too slow.
    pub(crate) async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Unserved> {
        if self.is_too_slow() {
            return Err(late());
        }
        let since = Instant::now();
        let done = tokio::time::timeout(PATIENCE, next).await.map_err(|_| late());
        self.waited += since.elapsed();
        done
    }

    /// Counts transferred bytes.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    fn is_too_slow(&self) -> bool {
        is_too_slow(self.bytes, self.waited) || self.begun.elapsed() > MAX_TRANSFER
    }
}

/// Returns whether a transfer is below the minimum rate, so that it is not worth its place: `bytes` were transferred
/// while the server waited for the client for `waited`.
pub(crate) fn is_too_slow(bytes: u64, waited: Duration) -> bool {
    waited > GRACE && (bytes as f64) < LEAST * waited.as_secs_f64()
}

/// Makes the refusal of a transfer that is too slow.
pub(crate) fn late() -> Unserved {
    let (zh, en) = ("文件传输过慢或已中断，请重试", "the transfer was too slow or was interrupted: try again");
    Unserved::new(StatusCode::REQUEST_TIMEOUT, Code::Timeout.as_str(), zh, en)
}

/// Streams bytes to the client as fast as it reads them, and holds a place meanwhile. If the client reads too slowly,
/// the place becomes free at once and the response is cut off.
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

/// Streams what arrives through a channel. If the channel closes and `is_whole` returns false, the stream ends with an
/// error, so that the response is cut off.
pub(crate) fn ending(
    receiver: mpsc::Receiver<std::io::Result<Bytes>>,
    is_whole: impl Fn() -> bool,
) -> impl Stream<Item = std::io::Result<Bytes>> {
    stream::unfold(Some((receiver, is_whole)), |state| async {
        let (mut receiver, is_whole) = state?;
        match receiver.recv().await {
            Some(chunk) => Some((chunk, Some((receiver, is_whole)))),
            None if is_whole() => None,
            None => Some((Err(std::io::Error::other("the response is incomplete")), None)),
        }
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::is_too_slow;

    #[test]
    fn who_trickles_is_too_slow_after_a_while_and_who_is_slow_but_goes_on_is_not() {
        assert!(!is_too_slow(1, Duration::from_secs(30)), "the rate applies only after a while");
        assert!(is_too_slow(31, Duration::from_secs(31)));
        assert!(!is_too_slow(20_000 * 31, Duration::from_secs(31)));
        assert!(is_too_slow(20_000 * 31, Duration::from_mins(1)), "the rate is the average of the whole transfer");
    }
}
