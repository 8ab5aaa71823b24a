//! The pooled Macs as a person sees them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::memory::UsableOrigin;

/// The pooled Macs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ClusterView {
    /// Whether what the engine tells of them is true now.
    pub freshness: Freshness,
    /// This Mac first, then by name.
    pub members: Vec<MemberView>,
    /// Macs that were here and are not, and those whose names exo keeps, by name.
    pub absent: Vec<AbsentView>,
}

/// A Mac that is not among the members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct AbsentView {
    /// The engine's last id of it.
    pub id: String,
    /// What it called itself.
    pub name: String,
    /// When it was last heard of; `None`: only the engine remembers its name.
    #[cfg_attr(feature = "ts", ts(type = "string | null"))]
    pub since: Option<Timestamp>,
    /// What was installed in it (MiB), where that was told.
    pub installed_mib: Option<u64>,
}

/// Whether what the engine tells of its Macs is true now. It is as long as it moves, by this Mac's own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Freshness {
    /// It moves.
    Fresh,
    /// It moves faster than time does: the engine has just joined and goes through the cluster's history.
    Replaying,
    /// It has not moved for a while: the engine has lost its leader, or hangs.
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
    /// `25C56`: exo wants the same on all.
    pub macos_build: Option<String>,
    /// Installed (MiB).
    pub installed_mib: Option<u64>,
    /// Free, as the Mac tells (MiB).
    pub free_mib: Option<u64>,
    /// Memory that it moved to its disk (MiB).
    pub swapped_mib: Option<u64>,
    /// What its GPU may hold (MiB).
    pub usable_mib: Option<u64>,
    /// Where that comes from.
    pub usable_origin: UsableOrigin,
    /// The weights that were placed on it (MiB).
    pub models_mib: u64,
    /// The disk that holds its models (MiB).
    pub disk_mib: Option<u64>,
    /// What is free there (MiB).
    pub disk_free_mib: Option<u64>,
    /// How busy its GPU is (0–100).
    pub gpu_percent: Option<u8>,
    /// How busy its fast cores are (0–100).
    pub cpu_percent: Option<u8>,
    /// How warm its GPU is (degrees Celsius).
    pub gpu_celsius: Option<u32>,
    /// What it draws (watts).
    pub watts: Option<u32>,
    /// Whether RDMA is turned on there; `None` where it does not tell.
    pub rdma: Option<bool>,
    /// Its fastest Thunderbolt port (Gb/s): 80 is Thunderbolt 5, which RDMA needs.
    pub thunderbolt_gbit_per_s: Option<u32>,
    /// The fastest link between it and this Mac; `None` for this Mac itself, and where none is known.
    pub link: Option<LinkKind>,
    /// The fastest link to each other member.
    pub links: Vec<MemberLink>,
}

/// The link between one member and another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct MemberLink {
    /// The other's name.
    pub to: String,
    /// What there is now; `None`: no link.
    pub kind: Option<LinkKind>,
    /// What there was, if it was faster.
    pub was: Option<FormerLink>,
}

/// A link that was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct FormerLink {
    /// Which.
    pub kind: LinkKind,
    /// When it was last there.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub last: Timestamp,
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
    /// exo started anew on that Mac, and has not forgotten what it was before.
    Ghost {
        /// When that was last heard of.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        since: Timestamp,
    },
}

impl MemberState {
    /// Whether it counts: a Mac that is not heard of lends no memory, and a ghost never did.
    #[must_use]
    pub const fn is_heard(self) -> bool {
        matches!(self, Self::Joining | Self::Online)
    }
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
