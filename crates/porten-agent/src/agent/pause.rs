//! A rest that a person asked for, as the loop does it: `core::pause` decides when it rests.

use std::sync::Arc;
use std::time::Duration;

use super::effects::Done;
use super::world::World;

impl World {
    /// Takes the rest that the wishes hold.
    pub(super) fn take_pause(&mut self) {
        let pause = self.wishes.pause;
        self.resting.set(pause, self.hands.clock.now());
        self.tick_rest();
    }

    /// Time went by.
    pub(super) fn tick_rest(&mut self) {
        if self.resting.tick(self.hands.clock.now()) {
            let in_use = Arc::clone(&self.hands.in_use);
            self.tasks.spawn(async move { Done::Rested(in_use().await) });
        }
    }

    /// The system said how long nobody has used the machine.
    pub(super) fn rested(&mut self, rested: Result<Duration, String>) {
        self.resting.saw(rested, self.hands.clock.now());
    }

    /// Whether it is to be online: wished, and not at rest.
    pub(super) fn is_wanted(&self) -> bool {
        self.wishes.online && !self.resting.rests()
    }

    /// Goes by the wish and the rest as they are now; going offline, what runs may take so long.
    pub(super) fn settle_wish(&mut self, within: Option<Duration>) {
        let online = self.is_wanted();
        let changed = std::mem::replace(&mut self.online, online) != online;
        self.wished(online, changed, within);
    }
}
