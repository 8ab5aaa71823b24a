//! The one picture that every front end shows: whole, never a patch; no prompt, no answer, no token in it.

mod cluster;
mod host;
mod model;
mod why;
mod words;

pub use cluster::{AbsentView, ClusterView, FormerLink, Freshness, LinkKind, MemberLink, MemberState, MemberView};
pub use host::{ActivityView, AwakeView, PauseView};
pub use model::{ModelState, ModelView, PartStateView, PartView, Placed};
pub use why::WhyView;
pub use words::{count, sentence};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{EngineKind, Origin};
use crate::ladder::Rung;
use crate::memory::Memory;
use crate::notice::Notice;
use crate::seat::Host;

/// Everything there is to see.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct Snapshot {
    /// Grows with each picture that differs from the last.
    pub seq: u64,
    /// The state in one word, with what belongs to it.
    pub overall: Overall,
    /// The process that hosts the agent.
    pub host: HostView,
    /// Who is signed in.
    pub account: Option<AccountView>,
    /// The link to the Hub.
    pub hub: HubView,
    /// The engine.
    pub engine: EngineView,
    /// The pooled Macs, where the engine tells about them: exo does.
    pub cluster: Option<ClusterView>,
    /// The pooled memory.
    pub memory: MemoryView,
    /// The models that may be served, in the order of the configuration.
    pub models: Vec<ModelView>,
    /// Requests, as numbers only.
    pub traffic: TrafficView,
    /// How busy it was.
    pub activity: ActivityView,
    /// A rest that a person asked for.
    pub pause: Option<PauseView>,
    /// Whether the machine is kept awake.
    pub awake: AwakeView,
    /// Every step from "signed in" to "serving".
    pub ladder: Vec<Rung>,
    /// What to know or do, worst first.
    pub notices: Vec<Notice>,
}

/// The state word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Overall {
    /// The person wants it off.
    Off,
    /// On its way.
    Connecting,
    /// Requests are running.
    Serving {
        /// How many.
        requests: u32,
    },
    /// Requests may come.
    Ready {
        /// Models that the Hub places here.
        models: u32,
        /// Models that are wanted.
        wanted: u32,
    },
    /// The Hub could not be reached.
    Waiting {
        /// When the next try is.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        until: Timestamp,
    },
    /// Going offline.
    Finishing {
        /// Requests still running.
        requests: u32,
    },
    /// A person gave it a rest; it comes back by itself.
    Paused {
        /// When; `None` while it rests because somebody uses this machine.
        #[cfg_attr(feature = "ts", ts(type = "string | null"))]
        until: Option<Timestamp>,
    },
    /// The first notice says what.
    NeedsYou,
}

/// The process that hosts the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct HostView {
    /// Which kind.
    pub kind: Host,
    /// Its process id.
    pub pid: u32,
    /// The agent's version.
    pub version: String,
    /// This machine's name.
    pub name: String,
    /// This node's stable id.
    pub node: String,
    /// Since when it runs.
    #[cfg_attr(feature = "ts", ts(type = "string"))]
    pub since: Timestamp,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct AccountView {
    /// The account's name, once the Hub has said it.
    pub name: Option<String>,
    /// Where the credential is kept, in words.
    pub kept_in: String,
    /// When a person signed in, where that is known.
    #[cfg_attr(feature = "ts", ts(type = "string | null"))]
    pub since: Option<Timestamp>,
}

/// The link to the Hub.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct HubView {
    /// The Hub's address.
    pub url: String,
    /// What clients of the Hub set as the base address of their OpenAI client: ends in `/v1`.
    pub endpoint: String,
    /// Who set it.
    pub origin: Origin,
    /// The link.
    pub link: LinkView,
    /// The proxy that leads there, while a link is wanted and there is one.
    pub proxy: Option<ProxyView>,
    /// Round trip of the last ping (milliseconds).
    pub rtt_ms: Option<u32>,
    /// When it last said why requests come, or do not.
    #[cfg_attr(feature = "ts", ts(type = "string | null"))]
    pub said: Option<Timestamp>,
    /// It asked this node to finish what runs: its reason, in one sentence.
    pub drains: Option<String>,
}

/// An HTTP proxy on the way to the Hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ProxyView {
    /// `host:port`, without user and password.
    pub address: String,
    /// Who named it.
    pub origin: ProxyOrigin,
}

/// Who named a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "from", content = "name", rename_all = "snake_case")]
pub enum ProxyOrigin {
    /// This environment variable.
    Environment(String),
    /// The system's settings.
    System,
}

/// Where the link is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LinkView {
    /// Not wanted.
    Off,
    /// Wanted, but nobody is signed in.
    SignedOut {
        /// Why, if the Hub ended it.
        why: Option<String>,
    },
    /// An attempt is under way.
    Connecting,
    /// The Hub said welcome.
    Online {
        /// Since when.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        since: Timestamp,
    },
    /// Waiting for the next attempt.
    Waiting {
        /// When it is.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        until: Timestamp,
        /// Why the last one ended.
        why: String,
    },
    /// Only a person can mend it.
    Refused {
        /// Why.
        why: String,
        /// What to do.
        remedy: String,
    },
}

/// The engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct EngineView {
    /// Where it is, or is looked for.
    pub url: Option<String>,
    /// Who says so.
    pub origin: Origin,
    /// What it is, once it answered.
    pub kind: Option<EngineKind>,
    /// Whether it answers.
    pub reach: ReachView,
}

/// Whether the engine answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReachView {
    /// Not asked yet.
    Unknown,
    /// Answers.
    Up {
        /// Since when.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        since: Timestamp,
    },
    /// Does not.
    Down {
        /// One sentence.
        why: String,
        /// Since when.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        since: Timestamp,
    },
}

/// The memory: of the pooled Macs where the engine tells about them, else of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct MemoryView {
    /// The numbers (MiB).
    #[serde(flatten)]
    pub memory: Memory,
    /// Who set the budget.
    pub set_by: Origin,
}

/// Requests, as numbers only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct TrafficView {
    /// Running now.
    pub in_flight: u32,
    /// Answered to their end since the process started.
    pub completed: u64,
    /// Ended in an error event or an error status.
    pub failed: u64,
    /// Given up by the client.
    pub cancelled: u64,
    /// Refused before the engine was asked.
    pub refused: u64,
    /// Tokens generated, where the engine counts them.
    pub tokens: u64,
}
