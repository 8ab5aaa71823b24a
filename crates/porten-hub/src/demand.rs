//! Remembers when clients last asked for which model, so that a node without requests can be told that nobody asks.

use std::collections::BTreeMap;
use std::time::Duration;

use porten_core::time::Moment;

/// By account and model. Only what the catalog offers is noted, so it is as large as accounts times catalog at most.
#[derive(Debug, Default)]
pub(crate) struct Demand {
    asked: BTreeMap<i64, BTreeMap<String, Moment>>,
}

impl Demand {
    /// A client of this account asks for a model.
    pub(crate) fn note(&mut self, account: i64, model: &str, now: Moment) {
        let models = self.asked.entry(account).or_default();
        match models.get_mut(model) {
            Some(last) => *last = now,
            None => drop(models.insert(model.to_owned(), now)),
        }
    }

    /// How long ago one last did.
    pub(crate) fn asked(&self, account: i64, model: &str, now: Moment) -> Option<Duration> {
        Some(now.since(*self.asked.get(&account)?.get(model)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_time_counts_for_each_account_by_itself() {
        let at = |seconds| Moment::after_start(Duration::from_secs(seconds));
        let mut demand = Demand::default();
        demand.note(1, "tiny", at(5));
        demand.note(1, "tiny", at(9));
        assert_eq!(demand.asked(1, "tiny", at(12)), Some(Duration::from_secs(3)));
        assert_eq!((demand.asked(1, "big", at(12)), demand.asked(2, "tiny", at(12))), (None, None));
    }
}
