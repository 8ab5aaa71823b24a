//! Decides how often something may happen: so many times in a window, then not until the window is over.

use std::collections::HashMap;
use std::hash::Hash;

use crate::clock::Millis;

/// A rule: at most `times` in `window`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// How often.
    pub(crate) times: u32,
    /// In which time (milliseconds).
    pub(crate) window: Millis,
}

/// What happened in the window that runs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    since: Millis,
    count: u32,
}

impl Tally {
    /// Whether it was allowed up to now, without counting.
    pub(crate) const fn allows(self, rule: Rule, now: Millis) -> bool {
        self.is_over(rule, now) || self.count < rule.times
    }

    /// Counts one; whether it is allowed.
    pub(crate) const fn count(&mut self, rule: Rule, now: Millis) -> bool {
        if self.is_over(rule, now) {
            *self = Self { since: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count <= rule.times
    }

    /// A clock that was set back also ends the window: nobody is locked out by it.
    const fn is_over(self, rule: Rule, now: Millis) -> bool {
        now < self.since || now - self.since >= rule.window
    }
}

/// The tallies of many, each under its own key.
#[derive(Debug)]
pub(crate) struct Tallies<K> {
    rule: Rule,
    /// The most keys that are remembered; beyond it those whose window is over go, then the one that began first.
    most: usize,
    by_key: HashMap<K, Tally>,
}

impl<K: Eq + Hash + Clone> Tallies<K> {
    pub(crate) fn new(rule: Rule, most: usize) -> Self {
        Self { rule, most, by_key: HashMap::new() }
    }

    /// Whether this key is still allowed.
    pub(crate) fn allows(&self, key: &K, now: Millis) -> bool {
        self.by_key.get(key).is_none_or(|tally| tally.allows(self.rule, now))
    }

    /// Counts one for this key; whether it is allowed.
    pub(crate) fn count(&mut self, key: K, now: Millis) -> bool {
        if !self.by_key.contains_key(&key) && self.by_key.len() >= self.most {
            let rule = self.rule;
            self.by_key.retain(|_, tally| !tally.is_over(rule, now));
            if self.by_key.len() >= self.most {
                let oldest = self.by_key.iter().min_by_key(|(_, tally)| tally.since).map(|(key, _)| key.clone());
                oldest.map(|key| self.by_key.remove(&key));
            }
        }
        self.by_key.entry(key).or_insert(Tally { since: now, count: 0 }).count(self.rule, now)
    }

    /// Forgets what this key did: it got it right.
    pub(crate) fn forget(&mut self, key: &K) {
        self.by_key.remove(key);
    }
}

/// How many places each of many has taken, each under its own key.
#[derive(Debug)]
pub(crate) struct Shares<K> {
    most: usize,
    taken: HashMap<K, usize>,
}

impl<K: Eq + Hash> Shares<K> {
    /// No key may take more than `most` places.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, taken: HashMap::new() }
    }

    /// Whether this key may take another place.
    pub(crate) fn has_room(&self, key: &K) -> bool {
        self.taken.get(key).is_none_or(|taken| *taken < self.most)
    }

    /// Takes a place.
    pub(crate) fn take(&mut self, key: K) {
        *self.taken.entry(key).or_default() += 1;
    }

    /// Gives a place back.
    pub(crate) fn give_back(&mut self, key: &K) {
        if let Some(taken) = self.taken.get_mut(key) {
            *taken = taken.saturating_sub(1);
            if *taken == 0 {
                self.taken.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { times: 3, window: 1000 };

    #[test]
    fn the_fourth_in_a_window_of_three_is_refused_and_the_next_window_starts_anew() {
        let mut tally = Tally::default();
        let allowed: Vec<bool> = (5000..5004).map(|now| tally.count(RULE, now)).collect();
        assert_eq!(allowed, [true, true, true, false]);
        assert!(!tally.allows(RULE, 5999));
        assert!(tally.allows(RULE, 6000));
        assert!(tally.count(RULE, 6000));
    }

    #[test]
    fn a_clock_set_back_locks_nobody_out() {
        let mut tally = Tally::default();
        for now in 5000..5010 {
            tally.count(RULE, now);
        }
        assert!(tally.count(RULE, 10));
    }

    #[test]
    fn a_flood_of_keys_costs_as_many_tries_as_are_remembered() {
        let mut tallies = Tallies::new(RULE, 2);
        for _ in 0..4 {
            tallies.count("a", 0);
        }
        assert!(tallies.count("b", 1));
        assert!(!tallies.allows(&"a", 10), "there is room for two");
        assert!(tallies.count("c", 10));
        assert!(tallies.allows(&"a", 10) && tallies.by_key.len() == 2, "the oldest is forgotten, never more are kept");
        assert!(tallies.count("d", 1001), "the old windows are over");
        assert_eq!(tallies.by_key.len(), 2);
    }

    #[test]
    fn nobody_takes_more_than_their_share_and_what_is_given_back_is_forgotten() {
        let mut shares = Shares::new(2);
        shares.take("a");
        shares.take("a");
        assert!(!shares.has_room(&"a") && shares.has_room(&"b"));
        shares.give_back(&"a");
        assert!(shares.has_room(&"a"));
        shares.give_back(&"a");
        assert!(shares.taken.is_empty());
    }

    #[test]
    fn a_success_forgets_the_failures_before_it() {
        let mut tallies = Tallies::new(RULE, 2);
        for _ in 0..4 {
            tallies.count("a", 0);
        }
        tallies.forget(&"a");
        assert!(tallies.allows(&"a", 1));
    }
}
