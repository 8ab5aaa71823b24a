//! What this node serves right now: the Hub's ids, the engine's ids behind them, and the routes of each.

use std::collections::BTreeMap;

use super::names::Names;
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
    models: BTreeMap<String, (Served, Names)>,
}

impl Serving {
    /// The model that a Hub calls `hub_id`, byte for byte.
    #[must_use]
    pub fn find(&self, hub_id: &str) -> Option<&Served> {
        self.models.get(hub_id).map(|(served, _)| served)
    }

    /// Both names of that model.
    #[must_use]
    pub fn names(&self, hub_id: &str) -> Option<&Names> {
        self.models.get(hub_id).map(|(_, names)| names)
    }

    /// Hub id and model, in the order of the ids.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Served)> {
        self.models.iter().map(|(id, (served, _))| (id.as_str(), served))
    }

    /// Whether nothing is served.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

impl FromIterator<(String, Served)> for Serving {
    fn from_iter<I: IntoIterator<Item = (String, Served)>>(models: I) -> Self {
        let with_names = |(hub_id, served): (String, Served)| {
            let names = Names::new(&hub_id, &served.engine_id);
            (hub_id, (served, names))
        };
        Self { models: models.into_iter().map(with_names).collect() }
    }
}
