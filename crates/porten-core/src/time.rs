//! Time as core sees it: something a host hands in, so that a machine can be run through a year in a millisecond.
//!
//! A deadline is a [`Moment`] on the host's monotonic clock; only what outlives the process or comes from another
//! machine (the expiry of a token, a `since` shown to a person) is wall-clock time.

use std::ops::{Add, AddAssign};
use std::time::Duration;

use jiff::Timestamp;

/// A point on the host's monotonic clock: how long after the process's start. It means nothing in another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(Duration);

impl Moment {
    /// The process's start.
    pub const START: Self = Self(Duration::ZERO);

    /// So long after the process's start.
    #[must_use]
    pub const fn after_start(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// How long after the process's start this is.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// How long ago `earlier` was, seen from here; zero if it is still to come.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }

    /// How long it is until `deadline`, seen from here; zero if it has passed.
    #[must_use]
    pub const fn until(self, deadline: Self) -> Duration {
        deadline.0.saturating_sub(self.0)
    }

    /// Whether `deadline` has come.
    #[must_use]
    pub fn reached(self, deadline: Self) -> bool {
        self >= deadline
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    /// Saturates: a wait of "for ever" is a moment that never comes, not an overflow.
    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }
}

impl AddAssign<Duration> for Moment {
    fn add_assign(&mut self, wait: Duration) {
        *self = *self + wait;
    }
}

/// Both clocks, read together by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For deadlines: never goes back.
    pub mono: Moment,
    /// For stamps and for expiries set by others: may jump either way.
    pub wall: Timestamp,
}

impl Now {
    /// Both clocks.
    #[must_use]
    pub const fn new(mono: Moment, wall: Timestamp) -> Self {
        Self { mono, wall }
    }
}

impl Add<Duration> for Now {
    type Output = Self;

    /// Both clocks, the same while later. The wall clock stops at its last representable instant (the year 9999).
    fn add(self, wait: Duration) -> Self {
        Self { mono: self.mono + wait, wall: self.wall.saturating_add(wait).unwrap_or(Timestamp::MAX) }
    }
}

impl AddAssign<Duration> for Now {
    fn add_assign(&mut self, wait: Duration) {
        *self = *self + wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_moment_knows_how_far_the_others_are_and_never_underflows() {
        let early = Moment::START + SECOND;
        let late = early + 2 * SECOND;
        assert_eq!(late.since(early), 2 * SECOND);
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.until(late), 2 * SECOND);
        assert_eq!(late.until(early), Duration::ZERO);
        assert!(late.reached(early) && late.reached(late) && !early.reached(late));
    }

    #[test]
    fn waiting_for_ever_is_a_moment_that_never_comes() {
        let never = Moment::START + SECOND + Duration::MAX;
        assert_eq!(never.since_start(), Duration::MAX);
        let mut now = Now::new(Moment::START, Timestamp::UNIX_EPOCH);
        now += Duration::MAX;
        assert_eq!(now, Now::new(never, Timestamp::MAX));
    }

    #[test]
    fn both_clocks_move_together() {
        let now = Now::new(Moment::START, Timestamp::UNIX_EPOCH) + 90 * SECOND;
        assert_eq!(now.mono.since_start(), 90 * SECOND);
        assert_eq!(now.wall.as_second(), 90);
    }
}
