//! What `/state` shows while it does not show the truth.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::super::{Now, World, pace};
use super::phantoms::History;
use crate::documents::state::{Stamp, State};

/// What is shown.
#[derive(Debug, Default)]
pub(super) enum Show {
    #[default]
    Truth,
    /// A state that was, for ever the same.
    Still(Arc<State>),
    /// The node that answers, and no other.
    Alone,
    /// Nothing at all.
    Empty,
    /// What was long ago, up to now.
    History(History),
}

impl Show {
    /// How many nodes are shown of so many.
    pub(super) fn members(&self, now: Now, all: usize) -> usize {
        match self {
            Self::Truth | Self::Still(_) => all,
            Self::Alone => 1,
            Self::Empty => 0,
            Self::History(history) => history.members(now, all),
        }
    }
}

/// What is shown from which moment on.
#[derive(Debug, Default)]
pub(super) struct Programme(Vec<(Now, Show)>);

impl Programme {
    fn at(&self, now: Now) -> &Show {
        self.0.iter().rev().find(|(from, _)| *from <= now).map_or(&Show::Truth, |(_, show)| show)
    }

    /// When it changes.
    pub(super) fn next(&self, now: Now) -> Option<Now> {
        self.0.iter().map(|(from, _)| *from).find(|from| *from > now)
    }

    /// Forgets what has been shown.
    pub(super) fn tidy(&mut self, now: Now) {
        let past = self.0.iter().rposition(|(from, _)| *from <= now).unwrap_or_default();
        self.0.drain(..past);
    }
}

impl World {
    /// `/state` as it answers now.
    pub(crate) fn state(&self) -> Arc<State> {
        match self.show() {
            Show::Truth | Show::Alone => Arc::new(self.draw()),
            Show::Still(state) => Arc::clone(state),
            Show::Empty => Arc::new(State::empty()),
            Show::History(history) => Arc::new(self.draw_history(history)),
        }
    }

    pub(super) fn show(&self) -> &Show {
        self.trouble.programme.at(self.now)
    }

    pub(super) fn show_in_turn<const N: usize>(&mut self, shows: [(Now, Show); N]) {
        self.trouble.programme = Programme(shows.into());
    }

    /// Whether the API's own state has the instances that there are.
    pub(in super::super) fn knows_instances(&self) -> bool {
        matches!(self.show(), Show::Truth | Show::Still(_))
    }

    /// The wall clock's time as the master has it.
    pub(in super::super) fn stamp(&self, now: Now) -> Stamp {
        let right = self.calendar.stamp(now).0;
        Stamp(right.saturating_add(self.trouble.clock).unwrap_or(right))
    }

    /// The same, so long before.
    pub(super) fn stamp_before(&self, now: Now, age: Duration) -> Stamp {
        let right = self.stamp(now).0;
        let age = SignedDuration::try_from(self.calendar.real(age)).unwrap_or_default();
        Stamp(right.saturating_sub(age).unwrap_or(right))
    }

    /// Nothing moves any more. What is shown stays, whatever it is.
    pub(super) fn freeze(&mut self) {
        let last = self.state();
        self.show_in_turn([(self.now, Show::Still(last))]);
    }

    /// The truth again.
    pub(super) fn thaw(&mut self) {
        self.show_in_turn([]);
    }

    /// The API's node has just joined: alone, empty, history, truth.
    pub(super) fn replay(&mut self, lasts: Duration) {
        let empty = self.now + pace::ALONE;
        let from = empty + pace::EMPTY;
        let history = self.recall(from, lasts);
        self.show_in_turn([
            (self.now, Show::Alone),
            (empty, Show::Empty),
            (from, Show::History(history)),
            (from + lasts, Show::Truth),
        ]);
    }
}
