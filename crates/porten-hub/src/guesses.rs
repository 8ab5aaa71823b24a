//! Decides who may try a passphrase. Mistakes count by account and address together, so that a stranger's do not lock the
//! owner out; guesses at one account from many addresses are slowed by a budget that they share, and who signed in from
//! an address before needs none of it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::client_address::ClientAddress;
use crate::clock::Millis;
use crate::limit::{Rule, Tallies};

/// Tries at one account from one address that were not right.
const FROM_ONE: Rule = Rule { times: 10, window: 10 * 60 * 1000 };
/// The same from all addresses together, but for those that the account signed in from before. A person who comes from a new
/// address amid such an attack has to be first in some minute.
const FROM_ALL: Rule = Rule { times: 20, window: 60 * 1000 };
/// The most accounts, and accounts with an address, whose mistakes are counted at a time. Who wants one forgotten has to try
/// as many others: a few at a time, that takes minutes.
const MAX_COUNTED: usize = 10_000;
/// The addresses that are remembered for an account.
const MAX_HOMES: usize = 16;
/// How long they are remembered (milliseconds): 30 days, or until the Hub restarts.
const HOME_LASTS: Millis = 30 * 24 * 60 * 60 * 1000;

/// Whether a passphrase may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// Yes.
    Yes,
    /// Too many mistakes at this account from this address.
    NotFromHere,
    /// Too many mistakes at this account from everywhere.
    NotNow,
}

/// All tries at passphrases.
#[derive(Debug)]
pub(crate) struct Guesses {
    inside: Mutex<Inside>,
}

/// By account names in lower case: they are counted whether there is such an account or not.
#[derive(Debug)]
struct Inside {
    from_one: Tallies<(String, ClientAddress)>,
    from_all: Tallies<String>,
    /// Where accounts signed in from, and when last. Only accounts that are there get in.
    homes: HashMap<String, Vec<(ClientAddress, Millis)>>,
}

impl Guesses {
    pub(crate) fn new() -> Self {
        let inside = Inside {
            from_one: Tallies::new(FROM_ONE, MAX_COUNTED),
            from_all: Tallies::new(FROM_ALL, MAX_COUNTED),
            homes: HashMap::new(),
        };
        Self { inside: Mutex::new(inside) }
    }

    /// Whether this account signed in from this address before.
    pub(crate) fn is_home(&self, account: &str, from: ClientAddress, now: Millis) -> bool {
        self.lock().is_home(&account.to_lowercase(), from, now)
    }

    /// Whether a passphrase may be tried; nothing is counted.
    pub(crate) fn may_try(&self, account: &str, from: ClientAddress, now: Millis) -> Allowed {
        self.lock().may_try(&account.to_lowercase(), from, now)
    }

    /// Whether a passphrase may be tried now. It counts as wrong until [`Self::was_right`]: who leaves before the answer has
    /// tried all the same.
    pub(crate) fn try_one(&self, account: &str, from: ClientAddress, now: Millis) -> Allowed {
        let account = account.to_lowercase();
        let mut inside = self.lock();
        let allowed = inside.may_try(&account, from, now);
        if allowed == Allowed::Yes {
            inside.from_one.count((account.clone(), from), now);
            if !inside.is_home(&account, from, now) {
                inside.from_all.count(account, now);
            }
        }
        allowed
    }

    /// The passphrase was right: the mistakes before it from there are forgotten, and the address is remembered.
    pub(crate) fn was_right(&self, account: &str, from: ClientAddress, now: Millis) {
        let account = account.to_lowercase();
        let mut inside = self.lock();
        inside.from_one.forget(&(account.clone(), from));
        let homes = inside.homes.entry(account).or_default();
        homes.retain(|(home, last)| *home != from && now - *last < HOME_LASTS);
        if homes.len() >= MAX_HOMES {
            homes.remove(0);
        }
        homes.push((from, now));
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // Each change is whole: a panic elsewhere leaves nothing half done.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inside {
    fn may_try(&self, account: &str, from: ClientAddress, now: Millis) -> Allowed {
        if !self.from_one.allows(&(account.to_owned(), from), now) {
            return Allowed::NotFromHere;
        }
        if !self.is_home(account, from, now) && !self.from_all.allows(&account.to_owned(), now) {
            return Allowed::NotNow;
        }
        Allowed::Yes
    }

    fn is_home(&self, account: &str, from: ClientAddress, now: Millis) -> bool {
        let homes = self.homes.get(account).map(Vec::as_slice).unwrap_or_default();
        homes.iter().any(|(home, last)| *home == from && now - *last < HOME_LASTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(n: u32) -> ClientAddress {
        ClientAddress::new(std::net::Ipv4Addr::from_bits(n).into())
    }

    #[test]
    fn ten_mistakes_lock_that_address_out_of_that_account_only() {
        let guesses = Guesses::new();
        for _ in 0..10 {
            assert_eq!(guesses.try_one("Dev", from(1), 0), Allowed::Yes);
        }
        assert_eq!(guesses.try_one("DEV", from(1), 1), Allowed::NotFromHere);
        assert_eq!(guesses.may_try("dev", from(2), 1), Allowed::Yes);
        assert_eq!(guesses.may_try("other", from(1), 1), Allowed::Yes);
        assert_eq!(guesses.may_try("dev", from(1), FROM_ONE.window), Allowed::Yes);
    }

    #[test]
    fn the_right_one_forgets_the_mistakes_before_it() {
        let guesses = Guesses::new();
        for _ in 0..5 {
            for _ in 0..9 {
                assert_eq!(guesses.try_one("dev", from(1), 0), Allowed::Yes);
            }
            guesses.was_right("dev", from(1), 0);
        }
    }

    #[test]
    fn guesses_from_everywhere_are_slowed_and_the_owner_is_not() {
        let guesses = Guesses::new();
        assert_eq!(guesses.try_one("dev", from(1), 0), Allowed::Yes);
        guesses.was_right("dev", from(1), 0);
        let minutes = 10;
        let mut tried = 0;
        for n in 0..10_000 {
            let now = Millis::from(n) * 60_000 * minutes / 10_000;
            tried += i64::from(guesses.try_one("dev", from(100 + n), now) == Allowed::Yes);
            assert_eq!(guesses.may_try("dev", from(1), now), Allowed::Yes, "where it signed in before");
        }
        assert!(tried <= i64::from(FROM_ALL.times) * (minutes + 1), "{tried} in {minutes} minutes");
        assert_eq!(guesses.may_try("other", from(100), 0), Allowed::Yes);
    }

    #[test]
    fn sixteen_addresses_are_remembered_for_thirty_days() {
        let guesses = Guesses::new();
        for n in 0..20 {
            guesses.was_right("dev", from(n), Millis::from(n));
        }
        let known = (0..20).filter(|n| guesses.is_home("DEV", from(*n), 20)).collect::<Vec<_>>();
        assert_eq!(known, (4..20).collect::<Vec<_>>());
        assert!(!guesses.is_home("dev", from(19), 19 + HOME_LASTS));
    }
}
