//! How busy the node was: the tokens of each of the last whole minutes, from a count that only grows.

use std::collections::VecDeque;
use std::time::Duration;

use crate::snapshot::ActivityView;
use crate::time::Moment;

/// Minutes that are remembered.
const MINUTES: usize = 60;
/// One of them (seconds).
const MINUTE: u64 = 60;

/// The ring.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    past: VecDeque<u32>,
    /// The minute under way, counted from the process's start.
    minute: u64,
    /// The count when it began, and now.
    begun_at: u64,
    count: u64,
}

impl Activity {
    /// So many tokens were generated in all until now.
    pub fn look(&mut self, count: u64, now: Moment) {
        let minute = now.since_start().as_secs() / MINUTE;
        let over = minute.saturating_sub(self.minute);
        if over > 0 {
            let tokens = self.count.saturating_sub(self.begun_at);
            self.push(u32::try_from(tokens).unwrap_or(u32::MAX));
            // Minutes in which nobody looked: the machine slept.
            (1..over.min(MINUTES as u64 + 1)).for_each(|_| self.push(0));
            (self.minute, self.begun_at) = (minute, self.count);
        }
        self.count = count;
    }

    fn push(&mut self, tokens: u32) {
        if self.past.len() == MINUTES {
            self.past.pop_front();
        }
        self.past.push_back(tokens);
    }

    /// When the minute under way is over.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        Moment::START + Duration::from_secs((self.minute + 1).saturating_mul(MINUTE))
    }

    /// For people.
    #[must_use]
    pub fn view(&self) -> ActivityView {
        ActivityView { tokens_a_minute: self.past.iter().copied().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn each_whole_minute_has_its_tokens_and_the_one_under_way_is_not_told() {
        let mut activity = Activity::default();
        activity.look(100, at(30));
        assert_eq!((activity.view().tokens_a_minute, activity.deadline()), (vec![], at(60)));
        activity.look(100, at(60));
        activity.look(130, at(70));
        activity.look(130, at(185));
        assert_eq!(activity.view().tokens_a_minute, [100, 30, 0]);
        assert_eq!(activity.deadline(), at(240));
    }

    #[test]
    fn an_hour_is_remembered_also_over_a_long_sleep() {
        let mut activity = Activity::default();
        for minute in 0..100 {
            activity.look(minute * 5, at(minute * 60));
        }
        activity.look(99 * 5, at(100 * 60));
        assert_eq!(activity.view().tokens_a_minute, [5; 60]);
        activity.look(99 * 5 + 7, at(1_000_000));
        assert_eq!(activity.view().tokens_a_minute, [0; 60]);
        activity.look(99 * 5 + 7, activity.deadline());
        assert_eq!(activity.view().tokens_a_minute.last(), Some(&7));
    }
}
