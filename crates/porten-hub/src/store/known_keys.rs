//! Remembers for a moment whose keys were good: a busy client asks many times a second, and each look at the file costs
//! a trip to the thread that owns it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::secret::Digest;

/// How long a key that was good is taken to be. A key that is removed is dead after that at the latest, whichever process
/// removed it.
const LIFE: Duration = Duration::from_secs(1);
/// More are not remembered; a crowd of keys is looked up again.
const MOST: usize = 4096;

/// The keys that were good a moment ago. Keys that were not are looked up each time: a new one works at once.
#[derive(Debug, Default)]
pub(super) struct KnownKeys(HashMap<Digest, (i64, Instant)>);

impl KnownKeys {
    /// The account, if it was looked up a moment ago.
    pub(super) fn account(&self, key: &Digest, now: Instant) -> Option<i64> {
        let (account, seen) = self.0.get(key)?;
        (now.duration_since(*seen) < LIFE).then_some(*account)
    }

    /// Remembers one that was looked up.
    pub(super) fn learn(&mut self, key: Digest, account: i64, now: Instant) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        self.0.insert(key, (account, now));
    }

    /// Forgets all: one was removed.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_for_a_second_and_a_removed_one_not_at_all() {
        let (now, key) = (Instant::now(), crate::secret::digest("k"));
        let mut known = KnownKeys::default();
        assert_eq!(known.account(&key, now), None);
        known.learn(key, 7, now);
        assert_eq!(known.account(&key, now + LIFE - Duration::from_millis(1)), Some(7));
        assert_eq!(known.account(&key, now + LIFE), None);
        known.learn(key, 7, now);
        known.forget();
        assert_eq!(known.account(&key, now), None);
    }
}
