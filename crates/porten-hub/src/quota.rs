//! Keeps each account to its share of the Hub, so that none is noticed by another: requests at a time, connections that
//! clients keep, what its nodes say, and the work of telling them where they stand.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use porten_core::time::Moment;
use tokio::sync::Semaphore;

use crate::token_bucket::{BucketRule, TokenBucket};

/// What an account's nodes may say, in bytes: sixty-four of them that come back at once with the longest adverts, and
/// from then on a hundred times what agents in order say.
const WORDS: BucketRule = BucketRule { burst: 8 * 1024 * 1024, per_second: 128 * 1024 };
/// What reading a control message costs beside its length (bytes that cost as much).
const MESSAGE: usize = 1024;
/// What opening a tunnel costs, which writes to the state file (bytes that cost as much): two a second in the long run.
pub(crate) const OPENING: usize = 64 * 1024;
/// Work that is done for an account without a wait.
const AT_ONCE: Duration = Duration::from_millis(5);
/// For each stretch of work it has this many stretches of rest: what is one account's share of the one thread.
const RESTS: u32 = 20;

/// What reading one control message takes, measured and rounded up, and each KiB of it.
const ONE_MESSAGE: Duration = Duration::from_micros(20);
const ONE_KIB: Duration = Duration::from_micros(10);

/// How much work it is to read a control message of so many bytes.
pub(crate) fn reading(bytes: usize) -> Duration {
    ONE_MESSAGE + ONE_KIB * u32::try_from(bytes / 1024).unwrap_or(u32::MAX)
}

/// The shares of all accounts. Accounts are made by whoever runs the Hub, so they are not many.
#[derive(Debug)]
pub(crate) struct Quotas {
    inside: Mutex<HashMap<i64, Account>>,
    /// Requests at a time, and connections, of one account.
    most: u32,
    born: Instant,
}

#[derive(Debug)]
struct Account {
    requests: u32,
    connections: u32,
    words: TokenBucket,
    /// Held while a large body of it is parsed.
    parsing: Arc<Semaphore>,
    /// Until when the work that was done for it is paid with rest.
    resting: Moment,
}

impl Account {
    fn new(now: Moment) -> Self {
        let parsing = Arc::new(Semaphore::new(1));
        Self { requests: 0, connections: 0, words: TokenBucket::new(WORDS, now), parsing, resting: now }
    }

    /// How long more work is to wait.
    fn pace(&mut self, work: Duration, now: Moment) -> Duration {
        let wait = now.until(self.resting).saturating_sub(AT_ONCE * RESTS);
        self.resting = self.resting.max(now) + work * RESTS;
        wait
    }
}

#[derive(Debug, Clone, Copy)]
enum Share {
    Request,
    Connection,
}

/// One part of an account's share; given back when dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    of: Arc<Quotas>,
    account: i64,
    share: Share,
}

impl Quotas {
    /// With so many requests and connections for each account.
    pub(crate) fn new(most: u32) -> Self {
        Self { inside: Mutex::default(), most, born: Instant::now() }
    }

    /// Requests at a time of one account.
    pub(crate) const fn most(&self) -> u32 {
        self.most
    }

    /// A seat for one more request, if the account has one left.
    pub(crate) fn request(self: &Arc<Self>, account: i64) -> Option<Seat> {
        self.seat(account, Share::Request)
    }

    /// A seat for a connection that its client keeps, if the account has one left.
    pub(crate) fn connection(self: &Arc<Self>, account: i64) -> Option<Seat> {
        self.seat(account, Share::Connection)
    }

    fn seat(self: &Arc<Self>, account: i64, share: Share) -> Option<Seat> {
        let most = self.most;
        self.with(account, |account, _| {
            let taken = account.taken(share);
            let is_free = *taken < most;
            *taken += u32::from(is_free);
            is_free
        })
        .then(|| Seat { of: Arc::clone(self), account, share })
    }

    /// Notes a control message of this length; false if the account's nodes say too much.
    pub(crate) fn hear(&self, account: i64, bytes: usize) -> bool {
        self.spend(account, bytes + MESSAGE)
    }

    /// Notes what an account's nodes cost, in bytes that are read; false if it is too much.
    pub(crate) fn spend(&self, account: i64, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.with(account, |account, now| account.words.take(bytes, now))
    }

    /// How long to wait before `work` is done for an account. It counts as done.
    pub(crate) fn pace(&self, account: i64, work: Duration) -> Duration {
        self.with(account, |account, now| account.pace(work, now))
    }

    /// The turns to parse a large body: an account has one at a time.
    pub(crate) fn parsing(&self, account: i64) -> Arc<Semaphore> {
        self.with(account, |account, _| Arc::clone(&account.parsing))
    }

    fn with<T>(&self, account: i64, change: impl FnOnce(&mut Account, Moment) -> T) -> T {
        let now = Moment::after_start(self.born.elapsed());
        change(self.lock().entry(account).or_insert_with(|| Account::new(now)), now)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Account>> {
        // Each change is of one number: a panic leaves nothing half done.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Account {
    const fn taken(&mut self, share: Share) -> &mut u32 {
        match share {
            Share::Request => &mut self.requests,
            Share::Connection => &mut self.connections,
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let share = self.share;
        if let Some(account) = self.of.lock().get_mut(&self.account) {
            let taken = account.taken(share);
            *taken = taken.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_accounts_seats_are_not_anothers() {
        let quotas = Arc::new(Quotas::new(2));
        let mut held = vec![quotas.request(1).unwrap(), quotas.request(1).unwrap(), quotas.connection(1).unwrap()];
        assert!(quotas.request(1).is_none());
        assert!(quotas.request(2).is_some());
        held.remove(0);
        assert!(quotas.request(1).is_some(), "a seat was given back");
        assert!(quotas.connection(1).is_some(), "connections are counted by themselves");
    }

    #[test]
    fn what_one_accounts_nodes_say_leaves_the_others_theirs() {
        let quotas = Quotas::new(1);
        let long = 127 * 1024;
        assert!((0..64).all(|_| quotas.hear(1, long)), "sixty-four of the longest at once");
        assert!(!(0..64).all(|_| quotas.hear(1, long)));
        assert!(quotas.hear(2, long));
    }

    #[test]
    fn work_that_is_much_waits_and_has_a_share_of_the_time() {
        let at = |millis| Moment::after_start(Duration::from_millis(millis));
        let mut account = Account::new(at(0));
        let work = Duration::from_millis(2);
        let waits: Vec<u128> = (0..6).map(|_| account.pace(work, at(0)).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0, 20, 60, 100], "after five milliseconds of work each waits for the one before");
        assert_eq!(account.pace(work, at(10_000)), Duration::ZERO, "the rest is over");
        assert_eq!(Account::new(at(0)).pace(Duration::from_micros(50), at(0)), Duration::ZERO);
    }
}
