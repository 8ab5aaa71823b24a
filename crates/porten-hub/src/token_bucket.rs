//! Decides how much may happen in the long run, and how much at once: a bucket that fills steadily and is emptied by use.

use porten_core::time::Moment;

/// How large a bucket is and how fast it fills.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BucketRule {
    /// What may be used at once.
    pub(crate) burst: u64,
    /// What comes back each second.
    pub(crate) per_second: u64,
}

/// One bucket; it begins full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokenBucket {
    rule: BucketRule,
    left: u64,
    /// Up to when it was filled; what is less than one unit stays to come.
    filled: Moment,
}

impl TokenBucket {
    pub(crate) const fn new(rule: BucketRule, now: Moment) -> Self {
        Self { rule, left: rule.burst, filled: now }
    }

    /// Takes so much, or nothing if less is left.
    pub(crate) fn take(&mut self, amount: u64, now: Moment) -> bool {
        self.fill(now);
        let left = self.left.checked_sub(amount);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }

    fn fill(&mut self, now: Moment) {
        let millis = u64::try_from(now.since(self.filled).as_millis()).unwrap_or(u64::MAX);
        let come = millis.saturating_mul(self.rule.per_second) / 1000;
        if come > 0 {
            self.left = self.left.saturating_add(come).min(self.rule.burst);
            self.filled = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const RULE: BucketRule = BucketRule { burst: 10, per_second: 2 };

    fn at(millis: u64) -> Moment {
        Moment::after_start(Duration::from_millis(millis))
    }

    #[test]
    fn a_burst_is_taken_and_then_as_much_as_comes_back() {
        let mut bucket = TokenBucket::new(RULE, at(0));
        assert!(bucket.take(10, at(0)));
        assert!(!bucket.take(1, at(499)));
        assert!(bucket.take(1, at(500)));
        assert!(!bucket.take(3, at(1500)), "only two came back");
        assert!(bucket.take(2, at(1500)), "and the refusal cost nothing");
        assert!(bucket.take(10, at(60_000)), "it is full again");
        assert!(!bucket.take(1, at(60_000)), "and not more than full");
    }

    proptest! {
        #[test]
        fn never_more_is_taken_than_the_rule_allows(steps in proptest::collection::vec((0u64..700, 0u64..12), 0..60)) {
            let mut bucket = TokenBucket::new(RULE, at(0));
            let (mut now, mut taken) = (0, 0);
            for (wait, amount) in steps {
                now += wait;
                if bucket.take(amount, at(now)) {
                    taken += amount;
                }
                prop_assert!(taken <= RULE.burst + now * RULE.per_second / 1000);
            }
        }
    }
}
