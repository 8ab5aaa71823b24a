//! A rest that a person gives a node that is wanted online: it drains, and comes back by itself.

use std::time::Duration;

use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use crate::snapshot::PauseView;
use crate::time::{Moment, Now};

/// How long it rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Pause {
    /// Until then.
    Until {
        /// When it comes back.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        until: Timestamp,
    },
    /// Whenever somebody uses this machine's keyboard or pointer.
    WhileInUse,
}

/// Nobody uses a machine whose keyboard and pointer have rested so long.
pub const UNUSED: Duration = Duration::from_secs(5 * 60);
/// How soon it is noticed that somebody uses it.
pub const NOTICED: Duration = Duration::from_secs(15);
/// An end by the wall clock is looked for so often at least: the clock may be set, and a machine that sleeps counts no time.
const LOOKED_FOR: Duration = Duration::from_secs(60);

/// When a day begins, for whoever pauses until tomorrow (hour of the day).
pub const MORNING: i8 = 8;

impl Pause {
    /// Whether it is over for good.
    #[must_use]
    pub fn is_over(self, now: Now) -> bool {
        matches!(self, Self::Until { until } if now.wall >= until)
    }
}

/// When a rest until tomorrow ends: in the morning of the next day, by the clock of this machine's place.
///
/// The popover's page says the same (ui/src/rest.ts).
#[must_use]
pub fn tomorrow(now: &Zoned) -> Option<Timestamp> {
    let morning = now.date().tomorrow().ok()?.at(MORNING, 0, 0, 0);
    Some(morning.to_zoned(now.time_zone().clone()).ok()?.timestamp())
}

/// Decides whether the node rests.
#[derive(Debug, Default)]
pub struct Resting {
    pause: Option<Pause>,
    /// Whether somebody uses the machine, or why nobody can say.
    used: Option<Result<bool, String>>,
    /// When to look again.
    due: Option<Moment>,
}

impl Resting {
    /// A person asked for a rest, or ended it.
    pub fn set(&mut self, pause: Option<Pause>, now: Now) {
        if pause != self.pause {
            self.used = None;
        }
        self.pause = pause.filter(|pause| !pause.is_over(now));
        self.due = match self.pause {
            None => None,
            Some(Pause::WhileInUse) => Some(now.mono),
            Some(Pause::Until { until }) => Some(now.mono + left(until, now)),
        };
    }

    /// Time went by. Whether to look how long the keyboard and the pointer have rested; the answer comes by [`Self::saw`].
    pub fn tick(&mut self, now: Now) -> bool {
        if self.due.is_none_or(|due| !now.mono.reached(due)) {
            return false;
        }
        match self.pause {
            Some(Pause::WhileInUse) => {
                // Until the answer is there.
                self.due = None;
                true
            }
            pause => {
                self.set(pause, now);
                false
            }
        }
    }

    /// Keyboard and pointer have rested so long, or nobody can say.
    pub fn saw(&mut self, rested: Result<Duration, String>, now: Now) {
        if self.pause != Some(Pause::WhileInUse) {
            return;
        }
        let next = match &rested {
            Ok(rested) if *rested < UNUSED => (UNUSED - *rested).max(NOTICED),
            Ok(_) | Err(_) => NOTICED,
        };
        self.due = Some(now.mono + next);
        self.used = Some(rested.map(|rested| rested < UNUSED));
    }

    /// Whether it rests now.
    #[must_use]
    pub fn rests(&self) -> bool {
        match self.pause {
            None => false,
            Some(Pause::Until { .. }) => true,
            Some(Pause::WhileInUse) => matches!(self.used, Some(Ok(true))),
        }
    }

    /// When [`Self::tick`] is due.
    #[must_use]
    pub const fn deadline(&self) -> Option<Moment> {
        self.due
    }

    /// As people see it.
    #[must_use]
    pub fn view(&self) -> Option<PauseView> {
        let cannot = self.used.as_ref().and_then(|used| used.as_ref().err().cloned());
        self.pause.map(|pause| PauseView { pause, rests: self.rests(), cannot })
    }
}

/// Until then, or until it is looked for again.
fn left(until: Timestamp, now: Now) -> Duration {
    Duration::try_from(until.duration_since(now.wall)).unwrap_or_default().min(LOOKED_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        let after = Duration::from_secs(seconds);
        Now { mono: Moment::after_start(after), wall: Timestamp::from_second(1_000_000).unwrap() + after }
    }

    #[test]
    fn a_rest_until_a_time_ends_by_the_wall_clock_whatever_the_other_one_counts() {
        let mut resting = Resting::default();
        resting.set(Some(Pause::Until { until: at(3600).wall }), at(0));
        assert!(resting.rests() && resting.deadline() == Some(at(60).mono), "{resting:?}");
        assert!(!resting.tick(at(60)) && resting.rests());
        // The machine slept for an hour: its own clock did not count it.
        let woken = Now { mono: at(120).mono, wall: at(3600).wall };
        assert!(!resting.tick(woken) && !resting.rests());
        assert_eq!((resting.view(), resting.deadline()), (None, None));
    }

    #[test]
    fn a_rest_that_was_over_before_it_was_read_is_none() {
        let mut resting = Resting::default();
        resting.set(Some(Pause::Until { until: at(5).wall }), at(5));
        assert!(!resting.rests() && resting.view().is_none());
    }

    #[test]
    fn while_in_use_it_rests_as_long_as_somebody_is_there_and_five_minutes_more() {
        let mut resting = Resting::default();
        resting.set(Some(Pause::WhileInUse), at(0));
        assert!(resting.tick(at(0)) && !resting.rests(), "nothing is known yet");
        assert_eq!(resting.deadline(), None, "one look at a time");
        resting.saw(Ok(Duration::from_secs(2)), at(0));
        assert!(resting.rests());
        assert_eq!(resting.deadline(), Some(at(298).mono));
        assert!(resting.tick(at(298)));
        resting.saw(Ok(UNUSED), at(300));
        assert!(!resting.rests() && resting.deadline() == Some(at(315).mono));
        resting.set(None, at(301));
        assert!(resting.view().is_none() && resting.deadline().is_none());
    }

    #[test]
    fn where_nobody_can_say_it_does_not_rest_and_says_so() {
        let mut resting = Resting::default();
        resting.set(Some(Pause::WhileInUse), at(0));
        resting.saw(Err("No.".into()), at(0));
        assert!(!resting.rests());
        assert_eq!(resting.view().and_then(|view| view.cannot).as_deref(), Some("No."));
    }

    #[test]
    fn tomorrow_begins_in_the_morning_of_the_next_day() {
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(2));
        let at = |text: &str| text.parse::<Timestamp>().unwrap().to_zoned(zone.clone());
        let morning: Timestamp = "2026-11-26T06:00:00Z".parse().unwrap();
        assert_eq!(tomorrow(&at("2026-11-25T10:00:00Z")), Some(morning));
        assert_eq!(tomorrow(&at("2026-11-25T21:59:59Z")), Some(morning), "a second to midnight there");
        assert_eq!(tomorrow(&at("2026-11-24T22:00:00Z")), Some(morning), "the day has just begun there");
    }
}
