//! How much a Hub takes at a time, given how many files its process may have open.

use crate::nodes::MAX_NODES;

/// Files that are not connections: the state file and its journals, the listener, the log, the runtime's own.
const OWN_FILES: usize = 64;
/// Connections of clients at a time, besides the tunnels.
const MAX_CONNECTIONS: usize = 8192;
/// Connections at a time that have not shown a good key or token.
const MAX_STRANGERS: usize = 1024;
/// One in so many connections is what one account, and what all strangers together may have.
const SHARE: usize = 4;
/// One in so many strangers is what one address may have before its oldest have to go.
const ADDRESS_SHARE: usize = 4;

/// How much a Hub takes at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Connections of clients.
    pub(crate) connections: usize,
    /// Of these, the ones that have not shown a good key or token.
    pub(crate) strangers: usize,
    /// Strangers of one address, above which the oldest goes for a new one.
    pub(crate) strangers_of_one: usize,
    /// Connections, and requests, of one account.
    pub(crate) of_account: u32,
    /// Connected nodes.
    pub(crate) nodes: usize,
}

impl Capacity {
    /// What a process takes that may have so many files open.
    #[must_use]
    pub fn of(open_files: u64) -> Self {
        let files = usize::try_from(open_files).unwrap_or(usize::MAX).saturating_sub(OWN_FILES);
        let nodes = (files / 8).clamp(1, MAX_NODES);
        // A node that comes again has two tunnels for a moment.
        let tunnels = nodes + nodes / 4;
        let connections = files.saturating_sub(tunnels).clamp(16, MAX_CONNECTIONS);
        let strangers = (connections / SHARE).min(MAX_STRANGERS);
        Self {
            connections,
            strangers,
            strangers_of_one: strangers / ADDRESS_SHARE,
            of_account: u32::try_from(connections / SHARE).unwrap_or(u32::MAX),
            nodes,
        }
    }
}

impl Default for Capacity {
    fn default() -> Self {
        Self::of(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn where_files_are_plenty_the_hubs_own_limits_hold() {
        let Capacity { connections, strangers, of_account, nodes, .. } = Capacity::default();
        assert_eq!((connections, strangers, of_account, nodes), (8192, 1024, 2048, 1024));
        assert_eq!(Capacity::of(16 * 1024), Capacity::default());
    }

    proptest! {
        #[test]
        fn what_is_taken_fits_the_files(open_files in 128u64..20_000) {
            let capacity = Capacity::of(open_files);
            let tunnels = capacity.nodes + capacity.nodes / 4;
            prop_assert!(capacity.connections + tunnels + OWN_FILES <= usize::try_from(open_files).unwrap());
            prop_assert!(capacity.strangers_of_one >= 1 && capacity.strangers < capacity.connections);
        }
    }
}
