//! exo writes its whole state for each path into it, and answers nobody else meanwhile.

use std::time::Duration;

use super::super::{Now, World};

/// The one loop that answers.
#[derive(Debug, Default)]
pub(super) struct Slow {
    /// How long one state takes.
    pub(super) each: Duration,
    busy_until: Now,
}

impl Slow {
    /// Until when it answers nobody.
    pub(super) fn busy(&self, now: Now) -> Option<Now> {
        (self.busy_until > now).then_some(self.busy_until)
    }

    /// Queues one state; when it is written.
    fn write(&mut self, now: Now) -> Now {
        self.busy_until = self.busy_until.max(now) + self.each;
        self.busy_until
    }
}

/// What is asked of the loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    State,
    /// Anything else that only looks.
    Look,
    /// What the master has to hear.
    Command,
}

impl World {
    /// When a request is taken that comes now; nothing if that is at once.
    pub(crate) fn turn(&mut self, turn: Turn) -> Option<Now> {
        let now = self.now;
        let slow = &mut self.trouble.slow;
        let until = match turn {
            Turn::State if slow.each.is_zero() => slow.busy(now),
            Turn::State => Some(slow.write(now)),
            Turn::Look => slow.busy(now),
            Turn::Command => slow.busy(now).max(self.trouble.paused),
        };
        until.filter(|until| *until > now)
    }
}
