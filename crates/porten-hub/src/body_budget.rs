//! Shares out the memory for request bodies that wait for a node, so that one account's do not take another's.
//!
//! A small body always finds room: how many there are, the connections bound. Of what is beyond that each account has a
//! part that nobody can take from it, and more from what all share, up to a bound of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The part of each body that is not counted (bytes): most prompts are smaller.
pub(crate) const SMALL: usize = 64 * 1024;
/// What is always there for an account (bytes): one body of the largest size.
const GUARANTEED: usize = 32 * 1024 * 1024;
/// The most that an account may hold (bytes).
pub(crate) const SHARE: usize = 256 * 1024 * 1024;
/// What all accounts may hold beyond what is guaranteed (bytes).
const POOL: usize = 1024 * 1024 * 1024;
/// Room is taken in steps of this size (bytes), so that it is not counted anew for each piece that comes.
const STEP: usize = 64 * 1024;

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoRoom {
    /// The account holds all that it may.
    Account,
    /// All accounts together hold all that there is.
    Hub,
}

/// What is held.
#[derive(Debug, Default)]
struct Held {
    /// Bytes by account; those that hold nothing are not in it.
    by_account: HashMap<i64, usize>,
    /// Bytes beyond what is guaranteed, of all.
    shared: usize,
}

impl Held {
    fn take(&mut self, account: i64, more: usize) -> Result<(), NoRoom> {
        let own = self.by_account.get(&account).copied().unwrap_or_default();
        let then = own.saturating_add(more);
        if then > SHARE {
            return Err(NoRoom::Account);
        }
        let shared = self.shared - beyond(own) + beyond(then);
        // What is within the guarantee is given also when others hold the whole pool.
        if shared > POOL && shared > self.shared {
            return Err(NoRoom::Hub);
        }
        self.shared = shared;
        self.by_account.insert(account, then);
        Ok(())
    }

    fn give_back(&mut self, account: i64, bytes: usize) {
        let own = self.by_account.get(&account).copied().unwrap_or_default();
        let then = own.saturating_sub(bytes);
        self.shared = self.shared.saturating_sub(beyond(own) - beyond(then));
        if then == 0 {
            self.by_account.remove(&account);
        } else {
            self.by_account.insert(account, then);
        }
    }
}

const fn beyond(bytes: usize) -> usize {
    bytes.saturating_sub(GUARANTEED)
}

/// The memory for all bodies.
#[derive(Debug, Default)]
pub(crate) struct BodyBudget(Mutex<Held>);

impl BodyBudget {
    fn lock(&self) -> MutexGuard<'_, Held> {
        // The numbers are set after all that could fail: a panic leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Room that one body takes; given back when dropped.
#[derive(Debug)]
pub(crate) struct Room {
    of: Arc<BodyBudget>,
    account: i64,
    /// Bytes beyond [`SMALL`].
    taken: usize,
}

impl Room {
    pub(crate) const fn new(of: Arc<BodyBudget>, account: i64) -> Self {
        Self { of, account, taken: 0 }
    }

    /// Makes sure that `bytes` fit in.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), NoRoom> {
        let wanted = bytes.saturating_sub(SMALL);
        if wanted > self.taken {
            let wanted = wanted.next_multiple_of(STEP);
            self.of.lock().take(self.account, wanted - self.taken)?;
            self.taken = wanted;
        }
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.taken > 0 {
            self.of.lock().give_back(self.account, self.taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LARGEST: usize = porten_core::wire::MAX_BODY;

    #[test]
    fn an_account_that_holds_all_it_may_is_not_noticed_by_another() {
        let budget = Arc::new(BodyBudget::default());
        let mut held = Vec::new();
        let full = loop {
            let mut room = Room::new(Arc::clone(&budget), 1);
            match room.grow(LARGEST) {
                Ok(()) => held.push(room),
                Err(full) => break full,
            }
        };
        assert_eq!((held.len(), full), (SHARE / LARGEST, NoRoom::Account));
        assert_eq!(Room::new(Arc::clone(&budget), 1).grow(SMALL), Ok(()), "a small one always fits");
        assert_eq!(Room::new(Arc::clone(&budget), 2).grow(LARGEST), Ok(()));
        held.clear();
        assert_eq!(budget.lock().shared, 0);
        assert!(budget.lock().by_account.is_empty());
    }

    #[test]
    fn when_the_pool_is_taken_each_account_still_has_its_own_part() {
        let budget = Arc::new(BodyBudget::default());
        let mut held = Vec::new();
        for account in 0..40 {
            let mut room = Room::new(Arc::clone(&budget), account);
            if room.grow(SHARE) == Ok(()) {
                held.push(room);
            }
        }
        let mut late = Room::new(Arc::clone(&budget), 100);
        assert_eq!(late.grow(LARGEST), Ok(()));
        assert_eq!(late.grow(SHARE), Err(NoRoom::Hub));
        assert!(budget.lock().shared <= POOL);
    }

    proptest! {
        #[test]
        fn no_bound_is_crossed_and_all_is_given_back(
            steps in proptest::collection::vec((0i64..8, 1usize..40, any::<bool>()), 1..60)
        ) {
            let budget = Arc::new(BodyBudget::default());
            let mut held = Vec::new();
            for (account, eighths, leaves) in steps {
                let mut room = Room::new(Arc::clone(&budget), account);
                if room.grow(eighths * SHARE / 32).is_ok() {
                    held.push(room);
                }
                if leaves && !held.is_empty() {
                    held.remove(0);
                }
                let inside = budget.lock();
                prop_assert!(inside.by_account.values().all(|&own| own <= SHARE));
                prop_assert_eq!(inside.shared, inside.by_account.values().map(|&own| beyond(own)).sum::<usize>());
                prop_assert!(inside.shared <= POOL);
            }
            held.clear();
            prop_assert!(budget.lock().by_account.is_empty());
        }
    }
}
