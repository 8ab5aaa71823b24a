//! How much an engine does at a time, as far as a person set it or the engine's memory tells: what admission goes by.

use std::collections::BTreeMap;

/// The bounds of one engine and of its models. Where nothing is known nothing is bounded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Answers of all models at a time.
    pub at_once: Option<u32>,
    /// By the Hub's id.
    pub models: BTreeMap<String, Bound>,
}

/// The bounds of one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bound {
    /// Answers at a time.
    pub at_once: Option<u32>,
    /// What one request may hold (tokens): what it was promised.
    pub context: Option<u64>,
    /// What all requests that run may hold together (tokens): the promised context times the sequences that there is memory
    /// for.
    pub together: Option<u64>,
}

impl Bounds {
    /// The bounds of this model.
    #[must_use]
    pub fn of(&self, model: &str) -> Bound {
        self.models.get(model).copied().unwrap_or_default()
    }
}
