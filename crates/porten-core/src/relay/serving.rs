//! What this node serves right now: the Hub's ids, the engine's ids behind them, and the routes of each.

use std::collections::BTreeMap;

use crate::route::Route;

/// One served model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// What the engine calls it. It may be a path of this machine, so it never leaves it.
    pub engine_id: String,
    /// The routes its engine answers.
    pub routes: Vec<Route>,
}

/// Every served model by its Hub id. Cheap to share behind an `Arc`; replaced whole when it changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Serving {
    models: BTreeMap<String, Served>,
}

impl Serving {
    /// The model that a Hub calls `hub_id`, byte for byte.
    #[must_use]
    pub fn find(&self, hub_id: &str) -> Option<&Served> {
        self.models.get(hub_id)
    }

    /// Hub id and model, in the order of the ids.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Served)> {
        self.models.iter().map(|(id, served)| (id.as_str(), served))
    }

    /// Whether nothing is served.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

impl FromIterator<(String, Served)> for Serving {
    fn from_iter<I: IntoIterator<Item = (String, Served)>>(models: I) -> Self {
        Self { models: models.into_iter().collect() }
    }
}
