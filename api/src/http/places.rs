//! A limited number of places that callers share, such as for file transfers under way. One holder may take only a
//! share of them, and each place becomes free again when it is dropped.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::context::{Caller, Streams};
use crate::error::{Code, Refused};
use crate::gate::rate::network;
use crate::metrics::{self, Counted};

/// The holder of places: an account, or an address if the caller has no account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Holder {
    Account(i64),
    /// An IPv4 address, or the /64 network of an IPv6 address.
    Address(Option<IpAddr>),
}

impl Holder {
    /// Returns the account of a caller, or else the address.
    pub(crate) fn of(caller: &Caller) -> Self {
        let account = caller.admitted.principal.account;
        account.map_or_else(|| Self::Address(caller.address.map(network)), Self::Account)
    }
}

/// A pool of places, and who holds how many of them.
#[derive(Debug)]
pub(crate) struct Places<K> {
    /// The number of places.
    most: usize,
    /// The most places of one holder.
    share: usize,
    taken: Mutex<Taken<K>>,
}

#[derive(Debug)]
struct Taken<K> {
    all: usize,
    by: HashMap<K, usize>,
}

/// Why a place is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// All places are taken.
    All,
    /// The holder has its full share.
    Share,
}

/// One or more places of a pool, held until this is dropped.
#[derive(Debug)]
pub(crate) struct Place<K: Hash + Eq> {
    places: Arc<Places<K>>,
    holder: K,
    count: usize,
}

impl<K: Hash + Eq + Copy> Places<K> {
    /// Makes a pool of `most` places, of which one holder may take `share`.
    pub(crate) fn new(most: usize, share: usize) -> Arc<Self> {
        Arc::new(Self { most, share, taken: Mutex::new(Taken { all: 0, by: HashMap::new() }) })
    }

    /// Takes one place.
    pub(crate) fn take(self: &Arc<Self>, holder: K) -> Result<Place<K>, Full> {
        self.take_many(holder, 1)
    }

    /// Takes several places at once.
    pub(crate) fn take_many(self: &Arc<Self>, holder: K, count: usize) -> Result<Place<K>, Full> {
        self.take_within(holder, count, self.most)
    }

    /// Takes one place. `kept` places beyond the pool are reserved for holders with few places: fewer than a quarter of
    /// `kept`, or none.
    pub(crate) fn take_or_kept(self: &Arc<Self>, holder: K, kept: usize) -> Result<Place<K>, Full> {
        let own = self.taken().by.get(&holder).copied().unwrap_or(0);
        let has_few = own < (kept / 4).max(1);
        self.take_within(holder, 1, if has_few { self.most.saturating_add(kept) } else { self.most })
    }

    fn take_within(self: &Arc<Self>, holder: K, count: usize, most: usize) -> Result<Place<K>, Full> {
        let mut taken = self.taken();
        let own = taken.by.get(&holder).copied().unwrap_or(0);
        if own + count > self.share {
            return Err(Full::Share);
        }
        if taken.all + count > most {
            return Err(Full::All);
        }
        taken.all += count;
        taken.by.insert(holder, own + count);
        drop(taken);
        Ok(Place { places: self.clone(), holder, count })
    }
}

impl<K> Places<K> {
    fn taken(&self) -> MutexGuard<'_, Taken<K>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq> Drop for Place<K> {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all -= self.count;
        if let Some(own) = taken.by.get_mut(&self.holder) {
            *own -= self.count;
            if *own == 0 {
                taken.by.remove(&self.holder);
            }
        }
    }
}

/// Counts the connections that stay open (WebSockets and event streams), by address and by account.
pub(crate) struct Open {
    addresses: Arc<Places<Option<IpAddr>>>,
    accounts: Arc<Places<i64>>,
}

/// A connection that stays open, counted until this is dropped.
pub(crate) struct Stream {
    _address: Place<Option<IpAddr>>,
    account: Option<Place<i64>>,
    _counted: Counted,
}

impl Open {
    /// Counts connections within these limits.
    pub(crate) fn within(streams: Streams) -> Self {
        let Streams { all, address, account } = streams;
        Self { addresses: Places::new(all, address), accounts: Places::new(all, account) }
    }

    /// Counts a new connection for its address, and for its account if that is known.
    pub(crate) fn begin(&self, caller: &Caller) -> Result<Stream, Refused> {
        let address = self.addresses.take(caller.address.map(network)).map_err(too_many)?;
        let mut stream = Stream { _address: address, account: None, _counted: metrics::stream() };
        self.name(&mut stream, caller)?;
        Ok(stream)
    }

    /// Counts a connection for the account of its caller, which a WebSocket client may give only after the connection
    /// is open.
    pub(crate) fn name(&self, stream: &mut Stream, caller: &Caller) -> Result<(), Refused> {
        let account = caller.admitted.principal.account;
        stream.account = account.map(|account| self.accounts.take(account)).transpose().map_err(too_many)?;
        Ok(())
    }
}

fn too_many(full: Full) -> Refused {
    full.of("保持打开的连接（WebSocket 与事件流）", "open connections (WebSockets, event streams)")
}

/// The seconds after which a place may be free.
const SOON: u64 = 10;

impl Full {
    /// Makes the refusal. `zh` and `en` name what there is too much of, for the message.
    pub(crate) fn of(self, zh: &str, en: &str) -> Refused {
        let refused = match self {
            Self::All => Refused::new(
                Code::Unavailable,
                format!("{zh}已达本服务的上限，请稍后再试"),
                format!("{en}: this service has reached its limit; try again soon"),
            ),
            Self::Share => Refused::new(
                Code::TooManyRequests,
                format!("{zh}已达同一账户或同一地址的上限，请稍后再试"),
                format!("{en}: the account or address has reached its limit; try again soon"),
            ),
        };
        Refused { retry_after: Some(SOON), ..refused }
    }
}

#[cfg(test)]
mod tests {
    use super::{Full, Places};

    #[test]
    fn nobody_has_more_than_a_share_and_places_come_back() {
        let places = Places::new(5, 2);
        let mut held = vec![places.take('a').unwrap(), places.take('a').unwrap()];
        assert_eq!(places.take('a').unwrap_err(), Full::Share);
        held.push(places.take_many('b', 2).unwrap());
        assert_eq!(places.take_many('c', 2).unwrap_err(), Full::All);
        held.push(places.take('c').unwrap());
        assert_eq!(places.take('d').unwrap_err(), Full::All);
        assert_eq!(places.take_or_kept('c', 1).unwrap_err(), Full::All, "reserved places are for others");
        let kept = places.take_or_kept('d', 1).unwrap();
        assert_eq!(places.take_or_kept('e', 1).unwrap_err(), Full::All);
        drop((held, kept));
        assert!(places.take_many('a', 2).is_ok());
        assert!(places.taken().by.is_empty());
    }
}
