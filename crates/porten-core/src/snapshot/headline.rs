//! What stands first on every screen while nothing can be served.

use serde::{Deserialize, Serialize};

use crate::remedy::Remedy;

/// What blocks or is awaited, in a few words, and the next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
pub struct Headline {
    /// A few words without a full stop, as they are shown: `Loading deepseek-v4-flash 40%`.
    pub text: String,
    /// The next step, one sentence without a full stop, if there is one.
    pub remedy: Option<String>,
    /// The same as data, which each front end has its own words for.
    pub fix: Option<Remedy>,
}

impl Headline {
    /// With this next step.
    #[must_use]
    pub fn new(text: impl Into<String>, fix: Option<Remedy>) -> Self {
        Self { text: text.into(), remedy: fix.as_ref().map(Remedy::advice), fix }
    }
}
