//! How often one address may ask.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::error::{Code, Refused};

/// After so many requests, addresses that have been quiet are forgotten.
const SWEEP: u32 = 10_000;

/// Requests by address; allowances grow back evenly over the minute.
pub(crate) struct Rate {
    limiter: Option<DefaultKeyedRateLimiter<IpAddr>>,
    seen: AtomicU32,
}

impl Rate {
    /// Zero: as many as one likes.
    pub(crate) fn per_minute(requests: u32) -> Self {
        let limiter = NonZeroU32::new(requests).map(|most| RateLimiter::keyed(Quota::per_minute(most)));
        Self { limiter, seen: AtomicU32::new(0) }
    }

    /// Counts a request, and refuses it where the address has used up its allowance.
    pub(crate) fn check(&self, address: Option<IpAddr>) -> Result<(), Refused> {
        let (Some(limiter), Some(address)) = (&self.limiter, address) else { return Ok(()) };
        if self.seen.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            limiter.retain_recent();
        }
        limiter.check_key(&network(address)).map_err(|until| {
            let seconds = until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
            Refused {
                retry_after: Some(seconds),
                ..Refused::new(
                    Code::TooManyRequests,
                    format!("请求过于频繁，请 {seconds} 秒后再试"),
                    format!("too many requests: try again in {seconds} seconds"),
                )
            }
        })
    }
}

/// One household has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        },
        four @ IpAddr::V4(_) => four,
    }
}
