//! How often one address, and one account, may ask.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};

use crate::error::{Code, Refused};

/// After so many requests, addresses that have been quiet are forgotten.
const SWEEP: u32 = 10_000;

/// Requests by address; allowances grow back evenly over the minute.
pub(crate) struct Rate {
    limiter: Option<DefaultKeyedRateLimiter<IpAddr>>,
    accounts: Option<DefaultKeyedRateLimiter<i64>>,
    seen: AtomicU32,
}

impl Rate {
    /// Zero: as many as one likes.
    pub(crate) fn per_minute(requests: u32) -> Self {
        let quota = NonZeroU32::new(requests).map(Quota::per_minute);
        let (limiter, accounts) = (quota.map(RateLimiter::keyed), quota.map(RateLimiter::keyed));
        Self { limiter, accounts, seen: AtomicU32::new(0) }
    }

    /// Counts a request, and refuses it where the address has used up its allowance.
    pub(crate) fn check(&self, address: Option<IpAddr>) -> Result<(), Refused> {
        let (Some(limiter), Some(address)) = (&self.limiter, address) else { return Ok(()) };
        if self.seen.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            limiter.retain_recent();
        }
        limiter.check_key(&network(address)).map_err(|until| too_many(&until))
    }

    /// Counts an account's request, and refuses it where the account has used up its allowance.
    pub(crate) fn check_account(&self, account: Option<i64>) -> Result<(), Refused> {
        let (Some(limiter), Some(account)) = (&self.accounts, account) else { return Ok(()) };
        limiter.check_key(&account).map_err(|until| too_many(&until))
    }
}

fn too_many(until: &NotUntil<<DefaultClock as Clock>::Instant>) -> Refused {
    let seconds = until.wait_time_from(DefaultClock::default().now()).as_secs() + 1;
    Refused {
        retry_after: Some(seconds),
        ..Refused::new(
            Code::TooManyRequests,
            format!("请求过于频繁，请 {seconds} 秒后再试"),
            format!("too many requests: try again in {seconds} seconds"),
        )
    }
}

/// One household has a whole /64 of IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        },
        four @ IpAddr::V4(_) => four,
    }
}
