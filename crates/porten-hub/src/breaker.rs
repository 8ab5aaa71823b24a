//! Decides when a node rests for a model that fails there again and again, and when it is tried anew.
//!
//! ```text
//!   closed ── 3 failures in a row ──► resting ── its time is over ──► one request is tried
//!     ▲                                  ▲                              │        │
//!     └────────────── it succeeds ───────┼──────────────────────────────┘        │
//!                                        └── it fails: rests twice as long ──────┘
//! ```

use std::time::Duration;

use porten_core::time::Moment;

/// So many failures in a row, and it rests.
const FAILURES: u32 = 3;
/// The first rest: an engine that restarts takes about as long.
const FIRST_REST: Duration = Duration::from_secs(10);
/// The longest.
const LONGEST_REST: Duration = Duration::from_secs(5 * 60);

/// One model on one connection of a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Breaker {
    failures: u32,
    rest: Option<Rest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Rest {
    lasts: Duration,
    until: Moment,
    /// One request is there to try it.
    tried: bool,
}

impl Breaker {
    /// Whether others are to be asked first.
    pub(crate) fn is_resting(&self, now: Moment) -> bool {
        self.rest.is_some_and(|rest| rest.tried || !now.reached(rest.until))
    }

    /// How many failed in a row and how long the rest still takes, while it rests.
    pub(crate) fn resting(&self, now: Moment) -> Option<(u32, Duration)> {
        self.rest.filter(|_| self.is_resting(now)).map(|rest| (self.failures, now.until(rest.until)))
    }

    /// A request goes there.
    pub(crate) fn taken(&mut self, now: Moment) {
        if let Some(rest) = self.rest.as_mut().filter(|rest| now.reached(rest.until)) {
            rest.tried = true;
        }
    }

    /// An answer was whole, or the model was proven anew.
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A request failed on the node's account.
    pub(crate) fn failed(&mut self, now: Moment) {
        self.failures = self.failures.saturating_add(1);
        let lasts = match self.rest {
            // One of those that were there before.
            Some(rest) if !now.reached(rest.until) => return,
            Some(rest) => (rest.lasts * 2).min(LONGEST_REST),
            None if self.failures >= FAILURES => FIRST_REST,
            None => return,
        };
        self.rest = Some(Rest { lasts, until: now + lasts, tried: false });
    }

    /// A request says nothing about the node: its client left, or it was the request's own fault.
    pub(crate) fn said_nothing(&mut self) {
        if let Some(rest) = &mut self.rest {
            rest.tried = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    fn open() -> Breaker {
        let mut breaker = Breaker::default();
        (0..FAILURES).for_each(|_| breaker.failed(at(0)));
        breaker
    }

    #[test]
    fn three_failures_in_a_row_are_a_rest_and_a_success_between_is_none() {
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            breaker.failed(at(0));
            breaker.failed(at(0));
            assert!(!breaker.is_resting(at(0)));
            breaker.succeeded();
        }
        assert_eq!(open().resting(at(4)), Some((3, Duration::from_secs(6))));
        assert_eq!(open().resting(at(10)), None, "it may be tried");
    }

    #[test]
    fn one_request_tries_it_and_each_failure_doubles_the_rest_up_to_five_minutes() {
        let (mut breaker, mut now, mut rests) = (open(), at(0), Vec::new());
        for _ in 0..7 {
            let (_, left) = breaker.resting(now).unwrap();
            rests.push(left.as_secs());
            now += left;
            assert!(!breaker.is_resting(now));
            breaker.taken(now);
            assert!(breaker.is_resting(now), "only one tries it");
            breaker.failed(now);
        }
        assert_eq!(rests, [10, 20, 40, 80, 160, 300, 300]);
        now += LONGEST_REST;
        breaker.taken(now);
        breaker.succeeded();
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn late_failures_of_requests_that_were_there_before_do_not_lengthen_a_rest() {
        let mut breaker = open();
        (0..20).for_each(|_| breaker.failed(at(5)));
        assert_eq!(breaker.resting(at(5)), Some((23, Duration::from_secs(5))));
    }

    #[test]
    fn a_try_that_says_nothing_lets_the_next_one_try() {
        let mut breaker = open();
        breaker.taken(at(10));
        breaker.said_nothing();
        assert!(!breaker.is_resting(at(10)));
    }
}
