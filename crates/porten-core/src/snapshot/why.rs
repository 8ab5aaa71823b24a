//! Why no requests come for a model that could answer: what the Hub said, for a person.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The one reason, as the Hub said it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum WhyView {
    /// Nothing stands against it: nobody asks, or another node answered.
    Idle {
        /// When a client of the account last asked for it, of any node; `None`: not since `since`.
        #[cfg_attr(feature = "ts", ts(type = "string | null"))]
        asked: Option<Timestamp>,
        /// Since when the Hub has counted that.
        #[cfg_attr(feature = "ts", ts(type = "string | null"))]
        since: Option<Timestamp>,
        /// How many nodes could answer, this one among them.
        nodes: Option<u32>,
    },
    /// The node has as many requests as it takes at a time.
    AtCap,
    /// The catalog does not have it.
    NotOffered {
        /// The id there that is nearest.
        nearest: Option<String>,
    },
    /// The catalog asks for more memory than is advertised.
    NeedsMemory {
        /// What it asks for (MiB).
        needs_mib: Option<u64>,
        /// What is advertised (MiB).
        has_mib: u64,
    },
    /// It is offered only on routes that the engine does not answer.
    NoRoute,
    /// This node drains.
    Draining,
    /// The Hub drains: itself, or this node.
    HubDrains,
    /// The Hub has not heard for too long that it generates.
    StaleProof,
    /// It failed here several times in a row: other nodes are asked first.
    Resting {
        /// How many times.
        failures: u32,
        /// When it is tried here again.
        #[cfg_attr(feature = "ts", ts(type = "string | null"))]
        until: Option<Timestamp>,
    },
    /// The Hub is newer and has a reason that this version does not know.
    Unknown,
}
