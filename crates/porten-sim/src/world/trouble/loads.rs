//! Loads that fail, and downloads that come to a halt.

use super::super::World;
use super::Troubles;

impl Troubles {
    /// Whether the load that is due fails.
    pub(in super::super) const fn take_failing_load(&mut self) -> bool {
        let does_fail = self.failing_loads > 0;
        self.failing_loads = self.failing_loads.saturating_sub(1);
        does_fail
    }
}

impl World {
    pub(super) fn stall(&mut self, name: &str) {
        if let Some(node) = self.node_of(name) {
            self.downloads.stall(&node, self.now);
        }
    }

    pub(super) fn go_on(&mut self, name: &str) {
        if let Some(node) = self.node_of(name) {
            self.downloads.go_on(&node, self.now);
        }
    }

    /// A disk takes no more.
    pub(super) fn fill(&mut self, name: &str) {
        self.change(name, |condition| condition.is_disk_full = true);
        if let Some(node) = self.node_of(name) {
            self.downloads.fill(&node, self.now);
        }
    }

    /// Deletes the instances that have failed too often, as exo does.
    pub(super) fn give_up(&mut self) {
        self.lose_where(|world, placed| placed.life.is_given_up(world.now));
    }
}
