//! What is wrong with a Mac itself, for as long as it is there.

use std::time::Duration;

use super::super::{Now, World};

/// What is free where memory is short (bytes).
const SCARCE: u64 = 192 * 1024 * 1024;
/// What goes to swap there each second (bytes).
const SWAPPED_A_SECOND: u64 = 64 * 1024 * 1024;
/// The most that goes there (bytes).
const MOST_SWAPPED: u64 = 96 * 1024 * 1024 * 1024;

/// A Mac's troubles of its own. A restart of its exo changes nothing about them.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
pub(in super::super) struct Condition {
    /// Since when memory is short.
    pressed: Option<Now>,
    pub(in super::super) is_disk_full: bool,
    pub(in super::super) has_bridge: bool,
    pub(super) has_other_build: bool,
    pub(super) is_rdma_off: bool,
    pub(super) has_thunderbolt_four: bool,
}

impl Condition {
    /// What is free of what would be (bytes).
    pub(in super::super) fn free(&self, bytes: u64) -> u64 {
        if self.pressed.is_some() { bytes.min(SCARCE) } else { bytes }
    }

    /// Bytes in swap.
    pub(in super::super) fn swapped(&self, now: Now) -> u64 {
        let past = self.pressed.map_or(Duration::ZERO, |since| now.saturating_sub(since));
        past.as_secs().saturating_mul(SWAPPED_A_SECOND).min(MOST_SWAPPED)
    }

    /// macOS's version and build.
    pub(in super::super) const fn build(&self) -> (&'static str, &'static str) {
        if self.has_other_build { ("26.1", "25B78") } else { ("26.2", "25C56") }
    }

    pub(in super::super) const fn has_rdma(&self) -> bool {
        !self.is_rdma_off && !self.has_thunderbolt_four
    }

    pub(in super::super) const fn link_speed(&self) -> &'static str {
        if self.has_thunderbolt_four { "Up to 40 Gb/s" } else { "Up to 80 Gb/s" }
    }
}

impl World {
    pub(super) fn press(&mut self, name: &str) {
        let now = self.now;
        self.change(name, |condition| {
            condition.pressed.get_or_insert(now);
        });
    }

    /// Changes a Mac, under whatever node ids it is known.
    pub(super) fn change(&mut self, name: &str, alter: impl Fn(&mut Condition)) {
        for member in self.members.iter_mut().filter(|member| member.mac.name == name) {
            alter(&mut member.condition);
        }
    }

    pub(super) fn change_all(&mut self, alter: impl Fn(&mut Condition)) {
        self.members.iter_mut().for_each(|member| alter(&mut member.condition));
    }

    /// Loops of Macs whose Thunderbolt Bridges are on.
    pub(in super::super) fn bridge_cycles(&self) -> Vec<Vec<String>> {
        let bridged = self.seen().filter(|member| member.condition.has_bridge);
        let cycle: Vec<String> = bridged.map(|member| member.node.clone()).collect();
        if cycle.len() > 1 { vec![cycle] } else { Vec::new() }
    }
}
