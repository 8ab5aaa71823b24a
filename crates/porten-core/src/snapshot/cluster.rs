//! The pooled Macs as a person sees them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The pooled Macs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ClusterView {
    /// Whether what the engine tells of them is true now.
    pub freshness: Freshness,
    /// This Mac first, then by name.
    pub members: Vec<MemberView>,
}

/// Whether what the engine tells of its Macs is true now. It is as long as it moves, by this Mac's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Freshness {
    /// It moves.
    Fresh,
    /// It has not moved for a while: the engine has lost its leader, hangs, or repeats its history.
    Stale {
        /// When it last moved.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        since: Timestamp,
    },
}

/// One Mac.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct MemberView {
    /// The engine's id of it; a new one each time the engine starts there.
    pub id: String,
    /// Its name, or the beginning of its id while it has told none.
    pub name: String,
    /// Whether it is the one the agent asks, and so (in all but strange set-ups) this one.
    pub this_mac: bool,
    /// Whether it is heard of.
    pub state: MemberState,
    /// `Mac Studio`.
    pub model: Option<String>,
    /// `Apple M3 Ultra`.
    pub chip: Option<String>,
    /// `26.2`.
    pub macos: Option<String>,
    /// Installed (MiB).
    pub installed_mib: Option<u64>,
    /// Free, as the Mac tells (MiB).
    pub free_mib: Option<u64>,
    /// What its GPU may hold (MiB): three quarters of what is installed, as long as nobody says otherwise.
    pub usable_mib: Option<u64>,
    /// The weights that were placed on it (MiB).
    pub models_mib: u64,
    /// How busy its GPU is (0–100).
    pub gpu_percent: Option<u8>,
    /// How warm its GPU is (degrees Celsius).
    pub gpu_celsius: Option<u32>,
    /// What it draws (watts).
    pub watts: Option<u32>,
    /// The fastest link between it and this Mac; `None` for this Mac itself, and where none is known.
    pub link: Option<LinkKind>,
}

/// Whether a Mac is heard of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum MemberState {
    /// It has joined, and not told what it is yet.
    Joining,
    /// It is.
    Online,
    /// Not for a while.
    Late {
        /// When it last was.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        since: Timestamp,
    },
}

/// How two Macs are linked, fastest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum LinkKind {
    /// RDMA over Thunderbolt 5.
    Rdma,
    /// IP over a Thunderbolt cable.
    ThunderboltIp,
    /// Ethernet.
    Ethernet,
    /// Wi-Fi.
    WiFi,
    /// A VPN, or something that does not tell what it is.
    Other,
}
