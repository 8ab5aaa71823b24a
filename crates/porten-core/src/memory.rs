//! How much memory this node advertises, and where the number comes from. MB means MiB everywhere.

use serde::{Deserialize, Serialize};

/// The part of a Mac's memory that its GPU may wire when nobody has said otherwise (measured default of macOS; per cent).
pub const ASSUMED_WIRED_PERCENT: u64 = 75;

/// Where the advertised number comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum BudgetOrigin {
    /// The person set it: the pooled total, taken as it is.
    Set,
    /// Three quarters of what is installed, since nobody said how much the GPUs may hold.
    Assumed,
    /// Nothing is known; nothing is advertised.
    Unknown,
}

/// The node's memory (MiB).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct Memory {
    /// Installed, if the system or the engine says: of the pooled Macs together, else of this machine.
    pub raw_mib: Option<u64>,
    /// What the GPUs may hold of it, as far as is known.
    pub usable_mib: Option<u64>,
    /// What the Hub is told.
    pub advertised_mib: u64,
    /// Where that comes from.
    pub origin: BudgetOrigin,
}

/// The budget: what the person set, else what the GPUs could hold of `raw_mib`.
#[must_use]
pub fn budget(raw_mib: Option<u64>, set_mib: Option<u64>) -> Memory {
    let usable_mib = raw_mib.map(usable);
    let (advertised_mib, origin) = match (set_mib, usable_mib) {
        (Some(set), _) => (set, BudgetOrigin::Set),
        (None, Some(usable)) => (usable, BudgetOrigin::Assumed),
        (None, None) => (0, BudgetOrigin::Unknown),
    };
    Memory { raw_mib, usable_mib, advertised_mib, origin }
}

/// What a Mac's GPU may hold of its memory when nobody has said otherwise (MiB).
#[must_use]
pub const fn usable(installed_mib: u64) -> u64 {
    installed_mib * ASSUMED_WIRED_PERCENT / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_budget_overrides_detection_and_its_absence_is_called_assumed() {
        assert_eq!(budget(Some(131_072), Some(262_144)).advertised_mib, 262_144);
        let assumed = budget(Some(131_072), None);
        assert_eq!((assumed.advertised_mib, assumed.origin), (98_304, BudgetOrigin::Assumed));
        assert_eq!(budget(None, None).origin, BudgetOrigin::Unknown);
    }
}
