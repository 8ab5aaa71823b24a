//! Bounds the connections that have not shown a good key or token: they get a small part of what there is, and the oldest
//! that does nothing goes for a new one, so that whoever comes in good faith is let in at once.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use porten_core::time::Moment;

use crate::capacity::Capacity;
use crate::client_address::ClientAddress;
use crate::quota::{Quotas, Seat};

/// How long a connection has to say something before it may have to go for another: a crowd that comes at once is not
/// driven out by its own last ones.
const SETTLED: Duration = Duration::from_secs(1);

/// All connections that are strangers.
#[derive(Debug)]
pub(crate) struct Strangers {
    inside: Mutex<Table>,
    most: usize,
    most_of_one: usize,
    born: Instant,
}

#[derive(Debug, Default)]
struct Table {
    /// By number: older ones are first.
    connections: BTreeMap<u64, Stranger>,
    by_address: HashMap<ClientAddress, usize>,
    /// Connections counted so far.
    count: u64,
}

#[derive(Debug)]
struct Stranger {
    address: ClientAddress,
    since: Moment,
    signs: Arc<Signs>,
}

/// What a connection and the table tell each other.
#[derive(Debug, Default)]
struct Signs {
    /// A whole head of a request has come.
    has_asked: AtomicBool,
    /// A request is being answered.
    is_busy: AtomicBool,
    /// It is no stranger any more, or never was.
    is_known: AtomicBool,
    /// It must go.
    must_go: AtomicBool,
    waker: AtomicWaker,
}

impl Table {
    /// Who has to go so that one more of this address may come: none, or the first of these that there is. A settled idle one
    /// of an address that has more than its part; then, if all is full, the oldest that is settled and idle, and at last
    /// the oldest of the address that has most.
    fn leaver(&self, newcomer: ClientAddress, most: usize, most_of_one: usize, now: Moment) -> Option<u64> {
        let is_over = self.by_address.get(&newcomer).is_some_and(|&own| own >= most_of_one);
        let is_full = self.connections.len() >= most;
        if !is_over && !is_full {
            return None;
        }
        let idle = |stranger: &Stranger| {
            now.since(stranger.since) >= SETTLED && !stranger.signs.is_busy.load(Ordering::Relaxed)
        };
        let oldest = |is_it: &dyn Fn(&Stranger) -> bool| {
            self.connections.iter().find(|(_, stranger)| is_it(stranger)).map(|(number, _)| *number)
        };
        let own = || oldest(&|stranger| is_over && stranger.address == newcomer && idle(stranger));
        let any = || oldest(&|stranger| idle(stranger));
        let largest = || {
            let (address, _) = self.by_address.iter().max_by_key(|(_, own)| **own)?;
            oldest(&|stranger| stranger.address == *address)
        };
        own().or_else(|| is_full.then(any)?).or_else(|| is_full.then(largest)?)
    }

    fn remove(&mut self, number: u64) -> Option<Stranger> {
        let stranger = self.connections.remove(&number)?;
        if let Some(own) = self.by_address.get_mut(&stranger.address) {
            *own -= 1;
            if *own == 0 {
                self.by_address.remove(&stranger.address);
            }
        }
        Some(stranger)
    }

    fn insert(&mut self, stranger: Stranger) -> u64 {
        self.count += 1;
        *self.by_address.entry(stranger.address).or_default() += 1;
        self.connections.insert(self.count, stranger);
        self.count
    }
}

/// One connection, as its requests know it.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The other end of the socket.
    pub(crate) peer: IpAddr,
    /// A proxy's connection: it carries the requests of many.
    is_proxy: bool,
    number: u64,
    signs: Arc<Signs>,
    /// Held once an account has shown itself.
    seat: Mutex<Option<Seat>>,
    of: Arc<Strangers>,
}

impl Strangers {
    pub(crate) fn new(capacity: &Capacity) -> Self {
        Self {
            inside: Mutex::default(),
            most: capacity.strangers,
            most_of_one: capacity.strangers_of_one,
            born: Instant::now(),
        }
    }

    /// Takes in a connection; another may have to go for it. A trusted proxy's is no stranger's.
    pub(crate) fn enter(self: &Arc<Self>, peer: IpAddr, is_proxy: bool) -> Arc<Connection> {
        let signs = Arc::<Signs>::default();
        let number = if is_proxy {
            signs.is_known.store(true, Ordering::Relaxed);
            0
        } else {
            let (address, since) = (ClientAddress::new(peer), Moment::after_start(self.born.elapsed()));
            let mut table = self.lock();
            if let Some(leaver) = table.leaver(address, self.most, self.most_of_one, since)
                && let Some(leaver) = table.remove(leaver)
            {
                leaver.signs.must_go.store(true, Ordering::Release);
                leaver.signs.waker.wake();
            }
            table.insert(Stranger { address, since, signs: Arc::clone(&signs) })
        };
        Arc::new(Connection { peer, is_proxy, number, signs, seat: Mutex::default(), of: Arc::clone(self) })
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // What is counted twice, is changed without a call between that could panic.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// A request has come.
    pub(crate) fn begins(&self) {
        self.signs.has_asked.store(true, Ordering::Relaxed);
        self.signs.is_busy.store(true, Ordering::Relaxed);
    }

    /// The request has its answer.
    pub(crate) fn ends(&self) {
        self.signs.is_busy.store(false, Ordering::Relaxed);
    }

    /// Whether a whole head of a request has come.
    pub(crate) fn has_asked(&self) -> bool {
        self.signs.has_asked.load(Ordering::Relaxed)
    }

    /// A good key of this account was shown. The connection is the account's from now on, if that may have one more.
    pub(crate) fn shows_key(&self, quotas: &Arc<Quotas>, account: i64) {
        if !self.signs.is_known.load(Ordering::Relaxed)
            && let Some(seat) = quotas.connection(account)
        {
            *self.seat.lock().unwrap_or_else(PoisonError::into_inner) = Some(seat);
            self.is_known();
        }
    }

    /// It becomes a tunnel, which is counted elsewhere.
    pub(crate) fn is_tunnel(&self) {
        self.is_known();
    }

    fn is_known(&self) {
        self.signs.is_known.store(true, Ordering::Relaxed);
        if !self.is_proxy {
            self.of.lock().remove(self.number);
        }
    }

    /// Ready when it must go for another.
    pub(crate) fn poll_must_go(&self, cx: &Context<'_>) -> Poll<()> {
        if self.signs.is_known.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        self.signs.waker.register(cx.waker());
        if self.signs.must_go.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.signs.is_known.load(Ordering::Relaxed) {
            self.of.lock().remove(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> ClientAddress {
        ClientAddress::new(IpAddr::from([203, 0, 113, last]))
    }

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    fn come(table: &mut Table, last: u8, seconds: u64) -> u64 {
        table.insert(Stranger { address: address(last), since: at(seconds), signs: Arc::default() })
    }

    #[test]
    fn nobody_goes_while_there_is_room() {
        let mut table = Table::default();
        for _ in 0..3 {
            come(&mut table, 1, 0);
        }
        assert_eq!(table.leaver(address(1), 10, 4, at(9)), None);
    }

    #[test]
    fn an_address_that_has_its_part_loses_its_own_oldest_idle_one() {
        let mut table = Table::default();
        come(&mut table, 2, 0);
        let own: Vec<u64> = (1..5).map(|seconds| come(&mut table, 1, seconds)).collect();
        table.connections[&own[0]].signs.is_busy.store(true, Ordering::Relaxed);
        assert_eq!(table.leaver(address(1), 10, 4, at(9)), Some(own[1]));
        assert_eq!(
            table.leaver(address(1), 10, 4, at(2)),
            None,
            "they have just come: as long as there is room, it waits"
        );
        assert_eq!(table.leaver(address(3), 10, 4, at(9)), None);
    }

    #[test]
    fn when_all_is_full_the_oldest_idle_goes_or_the_crowds_own() {
        let mut table = Table::default();
        let first = come(&mut table, 1, 0);
        let crowd: Vec<u64> = (0..4).map(|_| come(&mut table, 2, 8)).collect();
        assert_eq!(table.leaver(address(3), 5, 9, at(9)), Some(first), "the oldest that is idle");
        table.connections[&first].signs.is_busy.store(true, Ordering::Relaxed);
        assert_eq!(table.leaver(address(3), 5, 9, at(8)), Some(crowd[0]), "none is settled: the crowd's oldest");
        table.remove(crowd[0]);
        assert_eq!(table.leaver(address(3), 5, 9, at(8)), None);
        assert_eq!(table.by_address[&address(2)], 3);
    }

    #[tokio::test]
    async fn who_shows_a_key_is_no_stranger_and_a_proxy_never_was_one() {
        let capacity = Capacity { strangers: 2, strangers_of_one: 2, ..Capacity::default() };
        let strangers = Arc::new(Strangers::new(&capacity));
        let quotas = Arc::new(Quotas::new(1));
        let peer = IpAddr::from([203, 0, 113, 1]);
        let proxy = strangers.enter(peer, true);
        let (one, two) = (strangers.enter(peer, false), strangers.enter(peer, false));
        one.shows_key(&quotas, 7);
        two.shows_key(&quotas, 7);
        assert_eq!(strangers.lock().connections.len(), 1, "the account may have one");
        let _three = strangers.enter(peer, false);
        let _four = strangers.enter(peer, false);
        let goes = |connection: &Arc<Connection>| {
            connection.poll_must_go(&Context::from_waker(std::task::Waker::noop())).is_ready()
        };
        assert_eq!((goes(&proxy), goes(&one), goes(&two)), (false, false, true));
        drop(one);
        assert!(quotas.connection(7).is_some(), "its place was given back");
        drop((two, _three, _four, proxy));
        assert!(strangers.lock().by_address.is_empty());
    }
}
