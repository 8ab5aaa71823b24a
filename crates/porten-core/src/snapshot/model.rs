//! A model as a person sees it: what is wanted, what is, and what the Hub says of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

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
    /// The names of the Macs that hold it, where the engine tells.
    pub on: Vec<String>,
    /// Routes that were proven.
    pub routes: Vec<Route>,
    /// What the Hub says of it.
    pub standing: Option<wire::Standing>,
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
    /// The engine does not answer.
    Withdrawn,
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
    /// It cannot be loaded, or was asked for one token and gave none.
    Failed {
        /// One sentence.
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
