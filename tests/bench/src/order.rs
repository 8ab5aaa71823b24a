//! What the runner asks of the load tool, and what it hears back: one line of JSON each way.
//!
//! The order goes through standard input, because it holds a key and arguments can be read by everybody.

use serde::{Deserialize, Serialize};

/// Where requests go.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Target {
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// The API key; empty sends none.
    pub(crate) key: String,
    /// The model's id there.
    pub(crate) model: String,
}

/// The work of one measurement; the same for every path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Work {
    /// Requests at a time, each on a connection of its own.
    pub(crate) streams: usize,
    /// Requests on each of them, one after the other.
    pub(crate) requests: usize,
    /// Tokens of an answer.
    pub(crate) tokens: u32,
    /// Between two tokens (microseconds); 0 is as fast as it goes.
    pub(crate) pace_us: u32,
    /// From one request of a stream to its next (microseconds); 0 asks again as soon as it has the answer.
    pub(crate) every_us: u32,
    /// Length of the prompt (bytes).
    pub(crate) prompt: usize,
    /// A new connection for each request, whose opening counts.
    pub(crate) newconn: bool,
}

/// One order for the load tool.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) target: Target,
    pub(crate) work: Work,
}

/// What one measurement found. Times are of the answers that were whole; none if there was not one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    /// From the request, or its connection if that is new, to the first token (nanoseconds).
    pub(crate) ttfb_p50: Option<u64>,
    pub(crate) ttfb_p99: Option<u64>,
    /// From the engine's write of a token to its arrival (nanoseconds).
    pub(crate) chunk_p50: Option<u64>,
    pub(crate) chunk_p99: Option<u64>,
    /// Whole answers a second, all streams together.
    pub(crate) req_per_s: f64,
    /// Tokens of whole answers a second.
    pub(crate) tok_per_s: f64,
    /// Requests that did not end in a whole answer.
    pub(crate) errors: u64,
    /// What went wrong first.
    pub(crate) first_error: Option<String>,
}
