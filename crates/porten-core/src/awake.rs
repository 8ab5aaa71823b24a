//! Decides when to keep the machine awake, and what is said of it.

use std::time::Duration;

use crate::snapshot::AwakeView;
use crate::time::Moment;

/// A system that refused is asked again after this long.
const AGAIN: Duration = Duration::from_secs(60);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Ask the system; how that ended comes by [`Awake::ended`].
    Hold,
    /// Let it sleep.
    LetGo,
}

/// The machine.
#[derive(Debug, Default)]
pub struct Awake {
    wanted: bool,
    needed: bool,
    held: bool,
    /// Why it was refused, and when to ask again.
    refused: Option<(String, Moment)>,
}

impl Awake {
    /// Whether a person wants it, and whether there is something to serve; or time went by.
    pub fn look(&mut self, wanted: bool, needed: bool, now: Moment) -> Option<Effect> {
        (self.wanted, self.needed) = (wanted, needed);
        let hold = wanted && needed;
        if !hold {
            self.refused = None;
        }
        let waits = self.refused.as_ref().is_some_and(|(_, again)| !now.reached(*again));
        match (self.held, hold) {
            (false, true) if !waits => {
                self.held = true;
                Some(Effect::Hold)
            }
            (true, false) => {
                self.held = false;
                Some(Effect::LetGo)
            }
            _ => None,
        }
    }

    /// The system lets the machine sleep although it was asked not to.
    pub fn ended(&mut self, why: String, now: Moment) {
        if self.held {
            self.held = false;
            self.refused = Some((why, now + AGAIN));
        }
    }

    /// When [`Self::look`] is due though nothing happened.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.refused.as_ref().filter(|_| self.wanted && self.needed && !self.held).map(|(_, again)| *again)
    }

    /// As people see it.
    #[must_use]
    pub fn view(&self) -> AwakeView {
        match &self.refused {
            _ if !self.wanted => AwakeView::NotWanted,
            _ if !self.needed => AwakeView::Idle,
            Some((why, _)) => AwakeView::Refused { why: why.clone() },
            None => AwakeView::Held,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn it_is_held_while_it_is_wanted_and_something_is_to_be_served() {
        let mut awake = Awake::default();
        assert_eq!((awake.look(false, true, at(0)), awake.view()), (None, AwakeView::NotWanted));
        assert_eq!((awake.look(true, false, at(0)), awake.view()), (None, AwakeView::Idle));
        assert_eq!((awake.look(true, true, at(0)), awake.view()), (Some(Effect::Hold), AwakeView::Held));
        assert_eq!(awake.look(true, true, at(1)), None, "it is asked once");
        assert_eq!((awake.look(true, false, at(2)), awake.view()), (Some(Effect::LetGo), AwakeView::Idle));
    }

    #[test]
    fn a_system_that_refuses_is_asked_again_after_a_minute() {
        let mut awake = Awake::default();
        awake.look(true, true, at(0));
        awake.ended("No.".into(), at(1));
        assert_eq!(awake.view(), AwakeView::Refused { why: "No.".into() });
        assert_eq!((awake.look(true, true, at(60)), awake.deadline()), (None, Some(at(61))));
        assert_eq!(awake.look(true, true, at(61)), Some(Effect::Hold));
        assert_eq!(awake.view(), AwakeView::Refused { why: "No.".into() }, "until it holds, the old word stands");
        awake.look(false, true, at(62));
        assert_eq!((awake.view(), awake.deadline()), (AwakeView::NotWanted, None));
    }

    #[test]
    fn what_ends_after_it_was_let_go_is_no_refusal() {
        let mut awake = Awake::default();
        awake.look(true, true, at(0));
        awake.look(true, false, at(1));
        awake.ended("It was told to.".into(), at(2));
        assert_eq!((awake.view(), awake.deadline()), (AwakeView::Idle, None));
    }
}
