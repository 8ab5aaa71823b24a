//! Decides who may try a passphrase. Mistakes count by account and address together, so that nobody elsewhere can lock the
//! owner out, from however many addresses. What bounds a guesser with many addresses is the number of hashes that are
//! computed at a time ([`crate::passphrase`]): some hundred a second against a passphrase of 86 random bits.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::client_address::ClientAddress;
use crate::clock::Millis;
use crate::limit::{Rule, Tallies};

/// Tries at one account from one address that were not right.
const FROM_ONE: Rule = Rule { times: 10, window: 10 * 60 * 1000 };
/// The most accounts, and accounts with an address, whose mistakes are counted at a time. Who wants one forgotten has to try
/// as many others: a few at a time, that takes minutes.
const MAX_COUNTED: usize = 10_000;
/// The addresses that are remembered for an account.
const MAX_HOMES: usize = 16;
/// How long they are remembered (milliseconds): 30 days, or until the Hub restarts.
const HOME_LASTS: Millis = 30 * 24 * 60 * 60 * 1000;

/// All tries at passphrases.
#[derive(Debug)]
pub(crate) struct Guesses {
    inside: Mutex<Inside>,
}

/// By account names in lower case: they are counted whether there is such an account or not.
#[derive(Debug)]
struct Inside {
    from_one: Tallies<(String, ClientAddress)>,
    /// Where accounts signed in from, and when last. Only accounts that are there get in.
    homes: HashMap<String, Vec<(ClientAddress, Millis)>>,
}

impl Guesses {
    pub(crate) fn new() -> Self {
        let inside = Inside { from_one: Tallies::new(FROM_ONE, MAX_COUNTED), homes: HashMap::new() };
        Self { inside: Mutex::new(inside) }
    }

    /// Whether this account signed in from this address before.
    pub(crate) fn is_home(&self, account: &str, from: ClientAddress, now: Millis) -> bool {
        self.lock().is_home(&account.to_lowercase(), from, now)
    }

    /// Whether a passphrase may be tried; nothing is counted.
    pub(crate) fn may_try(&self, account: &str, from: ClientAddress, now: Millis) -> bool {
        self.lock().from_one.allows(&(account.to_lowercase(), from), now)
    }

    /// Whether a passphrase may be tried now. It counts as wrong until [`Self::was_right`]: who leaves before the answer has
    /// tried all the same.
    pub(crate) fn try_one(&self, account: &str, from: ClientAddress, now: Millis) -> bool {
        let key = (account.to_lowercase(), from);
        let mut inside = self.lock();
        let may_try = inside.from_one.allows(&key, now);
        if may_try {
            inside.from_one.count(key, now);
        }
        may_try
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
            assert!(guesses.try_one("Dev", from(1), 0));
        }
        assert!(!guesses.try_one("DEV", from(1), 1));
        assert!(guesses.may_try("dev", from(2), 1));
        assert!(guesses.may_try("other", from(1), 1));
        assert!(guesses.may_try("dev", from(1), FROM_ONE.window));
    }

    #[test]
    fn the_right_one_forgets_the_mistakes_before_it() {
        let guesses = Guesses::new();
        for _ in 0..5 {
            for _ in 0..9 {
                assert!(guesses.try_one("dev", from(1), 0));
            }
            guesses.was_right("dev", from(1), 0);
        }
    }

    #[test]
    fn guesses_from_many_addresses_lock_nobody_else_out() {
        let guesses = Guesses::new();
        for n in 0..5_000 {
            for _ in 0..11 {
                guesses.try_one("dev", from(100 + n), 0);
            }
        }
        assert!(!guesses.may_try("dev", from(100), 1));
        assert!(guesses.may_try("dev", from(1), 1), "the owner, who was never here before");
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
