//! How much memory this node advertises, and where each number comes from. MB means MiB everywhere.
//!
//! ```text
//! raw ──────────► usable ───────────────► schedulable ─────────► advertised
//! installed       what the GPUs may        for the sharding in    that; or what a person set,
//! in the Macs     wire: read, told or      use: a slice of each   less the share of the Macs
//! that are heard  assumed                  layer on each Mac is   that are missing
//!                                          as large as the
//!                                          smallest can hold
//! ```

use serde::{Deserialize, Serialize};

use crate::exo::Sharding;
use crate::fit;

/// Bytes in a MiB.
pub const MIB: u64 = 1024 * 1024;
/// The part of a Mac's memory that its GPU may wire when nobody has said otherwise (per cent). Apple publishes no rule;
/// three quarters were observed on large Macs (llama.cpp's issue 15055).
pub const ASSUMED_WIRED_PERCENT: u64 = 75;

/// Where the advertised number comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum BudgetOrigin {
    /// The person set it: the pooled total, taken as it is as long as no Mac is missing.
    Set,
    /// What the GPUs can hold, as each Mac's limit was read or told.
    Known,
    /// What the GPUs can hold, three quarters being assumed for at least one Mac.
    Assumed,
    /// Nothing is known; nothing is advertised.
    Unknown,
}

/// Where what a Mac's GPU may hold comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum UsableOrigin {
    /// The system said (`iogpu.wired_limit_mb`); of this Mac only.
    Read,
    /// The person said.
    Told,
    /// Three quarters of what is installed.
    Assumed,
}

/// The node's memory (MiB).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct Memory {
    /// Installed, if the system or the engine says: in the pooled Macs that are heard of together, else in this machine.
    pub raw_mib: Option<u64>,
    /// What the GPUs may hold of it.
    pub usable_mib: Option<u64>,
    /// What of it can be used for models as they are cut now.
    pub schedulable_mib: Option<u64>,
    /// Installed in Macs that were here and are not heard of.
    pub missing_mib: u64,
    /// What the Hub is told.
    pub advertised_mib: u64,
    /// Where that comes from.
    pub origin: BudgetOrigin,
}

/// One Mac, as far as its memory goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Installed (MiB).
    pub installed_mib: u64,
    /// What its GPU may hold (MiB).
    pub usable_mib: u64,
    /// Where that comes from.
    pub origin: UsableOrigin,
    /// Whether it is heard of: else it is missing.
    pub heard: bool,
    /// Whether it holds a slice of every layer of some model, together with the others that do.
    pub sliced: bool,
}

/// What a Mac's GPU may hold, from the system's word or the person's; a limit of 0 is macOS's own.
#[must_use]
pub fn usable(installed_mib: u64, read_mib: Option<u64>, told_mib: Option<u64>) -> (u64, UsableOrigin) {
    let (limit, origin) = match (read_mib.filter(|mib| *mib > 0), told_mib.filter(|mib| *mib > 0)) {
        (Some(read), _) => (read, UsableOrigin::Read),
        (None, Some(told)) => (told, UsableOrigin::Told),
        (None, None) => (share(installed_mib, ASSUMED_WIRED_PERCENT, 100), UsableOrigin::Assumed),
    };
    // No limit makes a Mac larger.
    (limit.min(installed_mib), origin)
}

/// The budget that a person set, if it can be meant: not more than what is installed in all these Macs, those that are
/// missing included, unless the person forces it.
#[must_use]
pub fn meant(rooms: &[Room], set_mib: Option<u64>, force: bool) -> Option<u64> {
    let installed = rooms.iter().fold(0_u64, |sum, room| sum.saturating_add(room.installed_mib));
    set_mib.filter(|set| force || *set <= installed)
}

/// The budget: what the person set, else what the GPUs can hold of these Macs.
#[must_use]
pub fn budget(rooms: &[Room], set_mib: Option<u64>) -> Memory {
    let heard = || rooms.iter().filter(|room| room.heard);
    let sum = |of: fn(&Room) -> u64| heard().fold(0_u64, |sum, room| sum.saturating_add(of(room)));
    let known = heard().next().is_some();
    let raw_mib = known.then(|| sum(|room| room.installed_mib));
    let usable_mib = known.then(|| sum(|room| room.usable_mib));
    let schedulable_mib = known.then(|| schedulable(heard()));
    let missing = rooms.iter().filter(|room| !room.heard);
    let missing_mib = missing.fold(0_u64, |sum, room| sum.saturating_add(room.installed_mib));
    let (advertised_mib, origin) = match (set_mib, schedulable_mib) {
        (Some(set), _) if missing_mib == 0 => (set, BudgetOrigin::Set),
        (Some(set), _) => {
            let raw = raw_mib.unwrap_or(0);
            (share(set, raw, raw.saturating_add(missing_mib)), BudgetOrigin::Set)
        }
        (None, Some(schedulable)) => {
            let assumed = heard().any(|room| room.origin == UsableOrigin::Assumed);
            (schedulable, if assumed { BudgetOrigin::Assumed } else { BudgetOrigin::Known })
        }
        (None, None) => (0, BudgetOrigin::Unknown),
    };
    Memory { raw_mib, usable_mib, schedulable_mib, missing_mib, advertised_mib, origin }
}

/// Macs that hold slices of every layer hold equal ones. The others add up.
fn schedulable<'a>(rooms: impl Iterator<Item = &'a Room>) -> u64 {
    let (sliced, whole): (Vec<&Room>, Vec<&Room>) = rooms.partition(|room| room.sliced);
    let usable = |rooms: &[&Room]| rooms.iter().map(|room| room.usable_mib).collect::<Vec<_>>();
    let slices = fit::schedulable(&usable(&sliced), Sharding::Tensor);
    slices.saturating_add(fit::schedulable(&usable(&whole), Sharding::Pipeline))
}

/// `part / of` of a number, rounded down.
fn share(number: u64, part: u64, of: u64) -> u64 {
    let share = u128::from(number) * u128::from(part) / u128::from(of.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mac(gib: u64) -> Room {
        let (usable_mib, origin) = usable(gib * 1024, None, None);
        Room { installed_mib: gib * 1024, usable_mib, origin, heard: true, sliced: false }
    }

    #[test]
    fn a_set_budget_overrides_detection_and_its_absence_is_called_assumed() {
        assert_eq!(budget(&[mac(128)], Some(262_144)).advertised_mib, 262_144);
        let assumed = budget(&[mac(128)], None);
        assert_eq!((assumed.advertised_mib, assumed.origin), (98_304, BudgetOrigin::Assumed));
        assert_eq!(budget(&[], None).origin, BudgetOrigin::Unknown);
        assert_eq!(budget(&[], Some(4096)).advertised_mib, 4096);
    }

    #[test]
    fn more_than_is_installed_is_meant_only_with_a_force() {
        let lost = Room { heard: false, ..mac(128) };
        let rooms = [mac(128), lost];
        assert_eq!(meant(&rooms, Some(262_144), false), Some(262_144));
        assert_eq!(meant(&rooms, Some(262_145), false), None);
        assert_eq!(meant(&rooms, Some(262_145), true), Some(262_145));
        assert_eq!(meant(&rooms, None, true), None);
    }

    #[test]
    fn a_limit_is_read_or_told_or_assumed_and_makes_no_mac_larger() {
        assert_eq!(usable(131_072, Some(114_688), Some(1)), (114_688, UsableOrigin::Read));
        assert_eq!(usable(131_072, Some(0), Some(114_688)), (114_688, UsableOrigin::Told));
        assert_eq!(usable(131_072, Some(0), None), (98_304, UsableOrigin::Assumed));
        assert_eq!(usable(131_072, None, Some(999_999)), (131_072, UsableOrigin::Told));
        let told = Room { usable_mib: 114_688, origin: UsableOrigin::Told, ..mac(128) };
        assert_eq!(budget(&[told], None).origin, BudgetOrigin::Known);
        assert_eq!(budget(&[told, mac(64)], None).origin, BudgetOrigin::Assumed);
    }

    #[test]
    fn macs_that_hold_slices_count_as_the_smallest_of_them() {
        let sliced = |gib| Room { sliced: true, ..mac(gib) };
        let memory = budget(&[sliced(512), sliced(128), mac(64)], None);
        assert_eq!(memory.usable_mib, Some((512 + 128 + 64) * 768));
        assert_eq!(memory.schedulable_mib, Some((128 + 128 + 64) * 768));
        assert_eq!(memory.advertised_mib, (128 + 128 + 64) * 768);
    }

    #[test]
    fn a_missing_mac_takes_its_memory_along_also_from_a_budget_that_was_set() {
        let lost = Room { heard: false, ..mac(128) };
        let memory = budget(&[mac(128), mac(128), lost], None);
        assert_eq!((memory.raw_mib, memory.missing_mib), (Some(262_144), 131_072));
        assert_eq!(memory.advertised_mib, 2 * 98_304);
        assert_eq!(budget(&[mac(128), mac(128), lost], Some(300_000)).advertised_mib, 200_000);
        assert_eq!(budget(&[lost], Some(300_000)).advertised_mib, 0);
    }
}
