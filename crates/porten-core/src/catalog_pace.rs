//! How often a Hub's catalog is taken up anew: what is in it decides which models an engine is asked to prove, and each
//! new one costs a generated token and perhaps a load.

use std::time::Duration;

use crate::time::Moment;
use crate::wire::Offer;

/// Changes that are taken up one after the other: a person at the Hub who adds a few models.
const BURST: u32 = 8;
/// After those, one in so long.
const REFILL: Duration = Duration::from_secs(10 * 60);

/// The catalog that is in force, and one that waits.
#[derive(Debug)]
pub struct CatalogPace {
    current: Vec<Offer>,
    waiting: Option<Vec<Offer>>,
    /// Changes that may be taken up at once, counted at `since`.
    left: u32,
    since: Moment,
}

impl Default for CatalogPace {
    fn default() -> Self {
        Self { current: Vec::new(), waiting: None, left: BURST, since: Moment::START }
    }
}

impl CatalogPace {
    /// What is in force.
    #[must_use]
    pub fn current(&self) -> &[Offer] {
        &self.current
    }

    /// Takes what a Hub offers now; whether that is in force and differs from before. What differs too often waits.
    pub fn offer(&mut self, catalog: Vec<Offer>, now: Moment) -> bool {
        self.waiting = (catalog != self.current).then_some(catalog);
        self.tick(now)
    }

    /// Puts what waits in force once its time has come; whether it did.
    pub fn tick(&mut self, now: Moment) -> bool {
        while self.left < BURST && now.reached(self.since + REFILL) {
            self.left += 1;
            self.since += REFILL;
        }
        if self.left == 0 {
            return false;
        }
        let Some(waiting) = self.waiting.take() else { return false };
        if self.left == BURST {
            self.since = now;
        }
        self.left -= 1;
        self.current = waiting;
        true
    }

    /// When [`Self::tick`] is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.waiting.as_ref().map(|_| self.since + REFILL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(id: u32) -> Vec<Offer> {
        vec![Offer { id: format!("m{id}"), memory_mib: 1, routes: vec![] }]
    }

    #[test]
    fn a_few_changes_are_taken_at_once_and_a_flood_one_in_ten_minutes() {
        let mut pace = CatalogPace::default();
        let mut now = Moment::after_start(Duration::from_secs(3_600));
        let mut taken = 0;
        for second in 0..3_600 {
            taken += u32::from(pace.offer(catalog(second), now));
            now += Duration::from_secs(1);
        }
        assert_eq!(taken, BURST + 5, "in an hour");
        let last = catalog(3_599);
        assert_ne!(pace.current(), last);
        let due = pace.deadline().unwrap();
        assert!(pace.tick(due) && pace.current() == last && pace.deadline().is_none(), "the last one comes in the end");
    }

    #[test]
    fn the_same_catalog_again_costs_nothing_and_going_back_takes_nothing_up() {
        let (mut pace, now) = (CatalogPace::default(), Moment::START);
        assert!(pace.offer(catalog(1), now));
        for _ in 0..100 {
            assert!(!pace.offer(catalog(1), now));
        }
        for id in 2..=BURST {
            assert!(pace.offer(catalog(id), now));
        }
        assert!(!pace.offer(catalog(99), now));
        assert!(!pace.offer(catalog(BURST), now), "it is in force already");
        assert_eq!(pace.deadline(), None);
    }
}
