//! What the host does for the node: rests, keeps the machine awake, and how busy it was.

use serde::{Deserialize, Serialize};

use crate::pause::Pause;

/// A rest that a person asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct PauseView {
    /// What was asked for.
    pub pause: Pause,
    /// Whether it rests now: while somebody uses this machine, or until the time has come.
    pub rests: bool,
    /// Why a rest while the machine is used cannot be had here, one sentence; `None` where it can.
    pub cannot: Option<String>,
}

/// Whether the machine is kept awake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AwakeView {
    /// The setting says not to (`power.keep_awake`).
    NotWanted,
    /// Nothing is to be served, so it may sleep.
    Idle,
    /// The system was asked to stay awake.
    Held,
    /// Wanted, and let go: the machine runs on its battery.
    OnBattery,
    /// Wanted, and the system refused.
    Refused {
        /// One sentence.
        why: String,
    },
}

/// How busy the node was in the last hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ActivityView {
    /// Tokens generated in each of the last whole minutes, oldest first, at most 60; shorter while the agent is younger.
    pub tokens_a_minute: Vec<u32>,
}
