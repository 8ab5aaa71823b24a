//! Decides what a presented refresh token is worth: each is good once, except that an agent which crashed before it
//! kept the new one may come back with the old one, once.
//!
//! ```text
//!   present current ──► Rotate: the next is current, this one is the previous, the next is not yet seen
//!   present previous, current not seen, first time ──► Rotate again: the pair that got lost dies
//!   present anything else of the family ──► Revoke: two hold what only one may hold
//!   use an access token of the current generation ──► current is seen; the previous is worth nothing
//! ```

/// What is remembered of a grant's refresh tokens. Generations count up from 0, one for each pair that was issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Family {
    /// The generation issued last.
    pub(crate) current: i64,
    /// The generation whose token was presented to get the current one.
    pub(crate) previous: Option<i64>,
    /// The current pair was used, so it has arrived.
    pub(crate) seen: bool,
    /// The previous token was already accepted a second time.
    pub(crate) retried: bool,
}

/// What to do with a presented refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Issue a pair of generation `next.current`.
    Rotate {
        /// The family afterwards.
        next: Family,
        /// The generation that never arrived: its access token must not work any more.
        lost: Option<i64>,
    },
    /// End the grant: somebody else has its tokens.
    Revoke,
}

impl Family {
    /// A family whose first pair was just issued.
    pub(crate) const fn new() -> Self {
        Self { current: 0, previous: None, seen: false, retried: false }
    }

    /// Judges the refresh token of a generation of this family.
    pub(crate) fn present(self, generation: i64) -> Verdict {
        if generation == self.current {
            let next = Self { current: self.current + 1, previous: Some(generation), seen: false, retried: false };
            return Verdict::Rotate { next, lost: None };
        }
        if self.previous == Some(generation) && !self.seen && !self.retried {
            let next = Self { current: self.current + 1, retried: true, ..self };
            return Verdict::Rotate { next, lost: Some(self.current) };
        }
        Verdict::Revoke
    }

    /// The family after an access token of a generation was used.
    pub(crate) const fn used(self, generation: i64) -> Self {
        if generation == self.current { Self { seen: true, ..self } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn rotated(verdict: Verdict) -> Family {
        match verdict {
            Verdict::Rotate { next, .. } => next,
            Verdict::Revoke => panic!("revoked"),
        }
    }

    #[test]
    fn an_agent_that_crashed_before_it_kept_the_new_token_may_come_back_once() {
        let family = rotated(Family::new().present(0));
        assert_eq!(family.current, 1);
        let Verdict::Rotate { next, lost } = family.present(0) else { panic!("revoked") };
        assert_eq!((next.current, lost), (2, Some(1)), "the pair that got lost dies");
        assert_eq!(next.present(0), Verdict::Revoke, "a second reuse");
        assert_eq!(next.present(1), Verdict::Revoke, "the lost one turned up with somebody else");
        assert_eq!(rotated(next.present(2)).current, 3);
    }

    /// Fault E6: a refresh token whose successor was seen ends the whole grant.
    #[test]
    fn once_the_new_pair_was_seen_the_previous_token_revokes() {
        let family = rotated(Family::new().present(0));
        assert_eq!(family.used(1).present(0), Verdict::Revoke);
        assert!(matches!(family.used(0).present(0), Verdict::Rotate { .. }), "an older access token proves nothing");
        let family = rotated(family.present(1));
        assert_eq!(family.present(0), Verdict::Revoke);
    }

    proptest! {
        /// Fault E6: in whatever order tokens come, none is good more than twice.
        #[test]
        fn no_token_is_good_more_than_twice_and_only_the_last_two_are_good_at_all(
            steps in proptest::collection::vec((any::<bool>(), 0i64..8), 0..60)
        ) {
            let mut family = Family::new();
            let mut accepted: BTreeMap<i64, u32> = BTreeMap::new();
            for (is_refresh, back) in steps {
                let generation = (family.current - back).max(0);
                if !is_refresh {
                    family = family.used(generation);
                    continue;
                }
                match family.present(generation) {
                    Verdict::Revoke => break,
                    Verdict::Rotate { next, .. } => {
                        prop_assert!(generation == family.current || family.previous == Some(generation));
                        prop_assert!(next.current == family.current + 1 && !next.seen);
                        *accepted.entry(generation).or_default() += 1;
                        family = next;
                    }
                }
            }
            prop_assert!(accepted.values().all(|&times| times <= 2));
        }

        #[test]
        fn an_agent_that_always_keeps_what_it_gets_is_never_revoked(uses in proptest::collection::vec(any::<bool>(), 0..60)) {
            let mut family = Family::new();
            for used in uses {
                family = rotated(family.present(family.current));
                if used {
                    family = family.used(family.current);
                }
            }
        }
    }
}
