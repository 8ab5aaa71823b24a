//! A rest that a person gives a node that is wanted online: it drains, and comes back by itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How long it rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum Pause {
    /// Until then.
    Until {
        /// When it comes back.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        until: Timestamp,
    },
    /// Whenever somebody uses this machine's keyboard or pointer.
    WhileInUse,
}
