//! The exact (method, path) pairs a Hub may reach, and the dialect each one speaks. Nothing else is ever forwarded.

use serde::{Deserialize, Serialize};

/// A conversation format whose end we know how to recognise (`relay::terminal`).
///
/// Responses, Messages and embeddings join here when their terminal rules are written; until then they are no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dialect {
    /// OpenAI chat completions.
    Chat,
    /// OpenAI (legacy) text completions.
    Text,
}

/// One forwardable route. On the wire it is its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub enum Route {
    /// `POST /v1/chat/completions`
    #[serde(rename = "/v1/chat/completions")]
    ChatCompletions,
    /// `POST /v1/completions`
    #[serde(rename = "/v1/completions")]
    Completions,
}

impl Route {
    /// Every route there is.
    pub const ALL: [Self; 2] = [Self::ChatCompletions, Self::Completions];

    /// The constant path. The string a peer sent is compared with it and then thrown away: only constants travel on.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::ChatCompletions => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
        }
    }

    /// The one method of the route.
    #[must_use]
    pub const fn method(self) -> http::Method {
        http::Method::POST
    }

    /// How its answers end.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::ChatCompletions => Dialect::Chat,
            Self::Completions => Dialect::Text,
        }
    }

    /// The route with exactly this path: no decoding, no case folding, no trailing slash.
    #[must_use]
    pub fn read(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|route| route.path() == path)
    }
}
