//! What the queues of mails and of messages to other systems share: how their workers are woken, and how long a failed
//! item waits.

use chrono::TimeDelta;
use tokio::sync::Notify;

/// The number of attempts after which an item is parked as failed.
pub const MAX_ATTEMPTS: i32 = 12;
/// The longest pause between two attempts, without what is added to it.
pub(crate) const MAX_PAUSE: TimeDelta = TimeDelta::hours(6);

/// A queue whose workers are woken as soon as a transaction that queued something is committed.
#[derive(Debug)]
pub struct Queue {
    /// The channel on which PostgreSQL announces to all processes that something was queued (`NOTIFY`).
    pub channel: &'static str,
    /// Notified when this process has committed a transaction that queued something.
    pub queued: Notify,
}

impl Queue {
    pub(crate) const fn new(channel: &'static str) -> Self {
        Self { channel, queued: Notify::const_new() }
    }
}

/// Returns the pause before the next attempt: one minute, then twice as long each time, at most six hours. Adds up to a
/// quarter of it, depending on the item's key, so that items that failed together are not all retried together.
pub(crate) fn pause(attempts: i32, key: i64) -> TimeDelta {
    let minutes = 2_i64.saturating_pow(attempts.clamp(1, 10).unsigned_abs() - 1).min(MAX_PAUSE.num_minutes());
    let jitter = key.rem_euclid(16) * minutes * 60 / 64;
    TimeDelta::seconds(minutes * 60 + jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end_at_six_hours() {
        let pauses: Vec<i64> = (1..=12).map(|attempts| pause(attempts, 0).num_minutes()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]);
        assert!(pause(3, 15) > pause(3, 0) && pause(3, 15) <= TimeDelta::minutes(5));
    }
}
