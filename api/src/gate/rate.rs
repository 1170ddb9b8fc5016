//! Rate limits: how many requests one address, and one account, may send in a minute.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, NotUntil, Quota, RateLimiter};

use crate::error::{Code, Refused};

/// The number of requests after which addresses that have been quiet are forgotten, to bound the memory.
const SWEEP: u32 = 10_000;

/// A limit on the requests of each address and each account. A used allowance is refilled evenly over the minute.
pub(crate) struct Rate {
    limiter: Option<DefaultKeyedRateLimiter<IpAddr>>,
    accounts: Option<DefaultKeyedRateLimiter<i64>>,
    seen: AtomicU32,
}

impl Rate {
    /// Allows this number of requests in a minute; 0 for no limit.
    pub(crate) fn per_minute(requests: u32) -> Self {
        let quota = NonZeroU32::new(requests).map(Quota::per_minute);
        let (limiter, accounts) = (quota.map(RateLimiter::keyed), quota.map(RateLimiter::keyed));
        Self { limiter, accounts, seen: AtomicU32::new(0) }
    }

    /// Counts a request of an address, and refuses it if the address has used up its allowance. The addresses of an
    /// IPv6 /64 network count as one.
    pub(crate) fn check(&self, address: Option<IpAddr>) -> Result<(), Refused> {
        let (Some(limiter), Some(address)) = (&self.limiter, address) else { return Ok(()) };
        if self.seen.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            limiter.retain_recent();
        }
        limiter.check_key(&network(address)).map_err(|until| too_many(&until))
    }

    /// Counts a request of an account, and refuses it if the account has used up its allowance.
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

/// Returns the address that limits apply to: the /64 network of an IPv6 address, because a single customer commonly has
/// a whole one, or an IPv4 address itself, also if it is given as a mapped IPv6 address.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => match six.to_ipv4_mapped() {
            Some(four) => IpAddr::V4(four),
            None => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        },
        four @ IpAddr::V4(_) => four,
    }
}
