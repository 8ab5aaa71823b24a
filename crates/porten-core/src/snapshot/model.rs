//! A model as a person sees it: what is wanted, what is, and what the Hub says of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::cluster::LinkKind;
use super::why::WhyView;
use crate::exo::Sharding;
use crate::route::Route;
use crate::wire;

/// One model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct ModelView {
    /// The Hub's id.
    pub id: String,
    /// The engine's id, if it could be matched. It may be a path: for this machine's own screens only.
    pub engine_id: Option<String>,
    /// What the person wants.
    pub wanted: bool,
    /// What is.
    pub state: ModelState,
    /// Its weights (MiB), where the engine tells.
    pub size_mib: Option<u64>,
    /// Who had the engine load it; `None` while it is not loaded, or where the engine does not tell.
    pub placed: Option<Placed>,
    /// How it is cut, where it is and the engine tells.
    pub sharding: Option<Sharding>,
    /// The slowest link that its parts talk over, where there is one and the engine tells.
    pub link: Option<LinkKind>,
    /// Its part on each Mac, where the engine tells.
    pub parts: Vec<PartView>,
    /// Routes that were proven.
    pub routes: Vec<Route>,
    /// What the Hub says of it.
    pub standing: Option<wire::Standing>,
    /// Why no requests come for it, where it could answer and the Hub has said.
    pub why: Option<WhyView>,
    /// Tokens per second of the last answer.
    pub tokens_per_s: Option<f64>,
}

/// What a model does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ModelState {
    /// Not wanted.
    Off,
    /// Others unloaded it in the engine; that is not fought, it stays off until a person turns it on.
    OffElsewhere,
    /// The engine does not answer, or what it tells is not true now.
    Withdrawn,
    /// It was loaded, and cannot serve: a Mac that holds a part of it is gone.
    Broken {
        /// One sentence.
        why: String,
    },
    /// No served id matches, or more than one.
    Unmatched {
        /// One sentence.
        why: String,
    },
    /// Wanted, and not asked of the engine yet.
    Waiting {
        /// For what, in a few words.
        why: String,
    },
    /// The engine was asked to load it and has not begun.
    Placing,
    /// The engine fetches the weights.
    Downloading {
        /// Of all Macs that will hold it (0–100).
        percent: u8,
        /// Of all Macs together (MiB a second), once it is known.
        mib_per_s: Option<u32>,
    },
    /// The engine reads the weights into memory.
    Loading {
        /// Layers that are there.
        layers: u32,
        /// Layers in all.
        of: u32,
    },
    /// Loaded; the engine runs through it once.
    Warming,
    /// It was coming, and a Mac has not moved for too long.
    Stalled {
        /// One sentence that names it.
        why: String,
    },
    /// In memory, by a saved state of the engine: nobody could ask it for a token.
    Loaded,
    /// One token is being asked for.
    Proving,
    /// It generated a token; requests may come.
    Ready {
        /// When it last generated.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        proven: Timestamp,
    },
    /// Requests are running on it.
    Serving {
        /// How many.
        requests: u32,
    },
    /// Turned off while requests run on it; they are finished first.
    Finishing {
        /// How many.
        requests: u32,
    },
    /// Its memory was given back after a time without requests; it is loaded again when somebody asks for it.
    Cold {
        /// Since when.
        #[cfg_attr(feature = "ts", ts(type = "string"))]
        since: Timestamp,
    },
    /// No place that the engine offers has room for it.
    Unfit {
        /// One sentence with the sum.
        why: String,
    },
    /// It cannot be loaded, or was asked for one token and gave none.
    Failed {
        /// One sentence.
        why: String,
    },
}

/// A model's part on one Mac.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct PartView {
    /// The Mac's name.
    pub on: String,
    /// Its weights (MiB).
    pub weights_mib: u64,
    /// Its layers, in a pipeline.
    pub layers: Option<u32>,
    /// What it does.
    pub state: PartStateView,
}

/// What a part does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PartStateView {
    /// It waits for its process, its neighbours or its turn.
    Waiting,
    /// Its Mac fetches the model's weights, all of them.
    Downloading {
        /// What is there (MiB).
        done_mib: u64,
        /// In all (MiB); 0 while unknown.
        total_mib: u64,
        /// How fast (MiB a second).
        mib_per_s: Option<u64>,
        /// For how long it will go on at that speed (seconds).
        left_s: Option<u64>,
    },
    /// Its Mac reads weights into memory.
    Loading {
        /// Layers that are there.
        layers: u32,
        /// Its layers.
        of: u32,
    },
    /// A first run through it.
    Warming,
    /// It can serve.
    Ready,
    /// It failed.
    Failed {
        /// exo's first line about it.
        why: String,
    },
}

/// Who had the engine load a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Placed {
    /// This agent; it unloads it again.
    Here,
    /// Somebody else; the agent never unloads it.
    Elsewhere,
}
