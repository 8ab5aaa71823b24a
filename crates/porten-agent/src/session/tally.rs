//! Counts the Hub's control messages, to notice one that never stops talking: each costs the loop a new picture.

use std::time::{Duration, Instant};

/// What a Hub may say in one [`WINDOW`]: a word a second for each of ten things, far more than any has.
const MOST: u32 = 600;
const WINDOW: Duration = Duration::from_secs(60);

/// Messages in the present window.
#[derive(Debug, Default)]
pub(super) struct Tally {
    since: Option<Instant>,
    count: u32,
}

impl Tally {
    /// One more message; whether it is one too many.
    pub(super) fn is_too_much(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now.duration_since(since) >= WINDOW) {
            *self = Self { since: Some(now), count: 0 };
        }
        self.count += 1;
        self.count > MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_hundred_messages_a_minute_are_heard_and_the_next_is_one_too_many() {
        let (mut tally, start) = (Tally::default(), Instant::now());
        assert!((0..600).all(|_| !tally.is_too_much(start + Duration::from_secs(59))));
        assert!(tally.is_too_much(start + Duration::from_secs(118)));
        assert!(!tally.is_too_much(start + Duration::from_secs(119)), "a new minute");
    }
}
