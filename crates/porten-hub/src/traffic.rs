//! Says to a node why it gets requests for a model, or gets none.

use std::time::Duration;

use porten_core::nearest::{distance, nearest};
use porten_core::wire::{Advert, AdvertModel, ModelTraffic, Offer, Standing, Traffic};

use crate::catalog::Catalog;

/// What the Hub knows of one model on one node, beside the advert and the catalog.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// How many failed in a row, and how long it still rests.
    pub(crate) resting: Option<(u32, Duration)>,
    /// It has not been proven for too long.
    pub(crate) stale: bool,
    /// How long ago a client of the account asked for it.
    pub(crate) asked: Option<Duration>,
    /// Nodes that could answer and do not rest, this one among them if it is one.
    pub(crate) nodes: u32,
    /// Whether this node is one of them.
    pub(crate) among: bool,
}

/// A node as a whole.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Whole {
    /// It said that it drains.
    pub(crate) draining: bool,
    /// The Hub drains: it, or itself.
    pub(crate) hub_drains: bool,
    /// It has as many requests as it takes.
    pub(crate) at_cap: bool,
    /// For how long the Hub has counted what clients ask for.
    pub(crate) counted: Duration,
}

/// Why requests come to a node, or do not, for each model it advertised. The first reason that applies is told.
pub(crate) fn traffic(
    advert: &Advert,
    whole: Whole,
    catalog: &Catalog,
    mut known: impl FnMut(&Offer) -> Known,
) -> Traffic {
    let mut say = |model: &AdvertModel| {
        let Some(offer) = catalog.offer(&model.id) else {
            let nearest = near(&model.id, catalog).map(str::to_owned);
            return ModelTraffic { nearest, ..ModelTraffic::new(&model.id, Standing::NotOffered) };
        };
        let known = known(offer);
        let mut said = ModelTraffic {
            asked_s: known.asked.map(|asked| asked.as_secs()),
            counted_s: Some(whole.counted.as_secs()),
            nodes: Some(known.nodes),
            at_cap: whole.at_cap,
            ..ModelTraffic::new(&model.id, Standing::Eligible)
        };
        said.standing = match known.resting {
            _ if whole.draining => Standing::Draining,
            _ if whole.hub_drains => Standing::HubDrains,
            _ if advert.memory_mib < offer.memory_mib => {
                said.needs_mib = Some(offer.memory_mib);
                Standing::NeedsMemory
            }
            _ if !model.routes.iter().any(|route| offer.routes.contains(route)) => Standing::NoRoute,
            _ if known.stale => Standing::StaleProof,
            // Where no other could, it is asked all the same.
            Some((failures, left)) if known.nodes > u32::from(known.among) => {
                (said.failures, said.retry_s) = (Some(failures), Some(left.as_secs()));
                Standing::Resting
            }
            _ => Standing::Eligible,
        };
        said
    };
    Traffic { models: advert.models.iter().map(&mut say).collect() }
}

/// The catalog's id that somebody may have meant: fewer than half of its letters are others.
fn near<'a>(id: &str, catalog: &'a Catalog) -> Option<&'a str> {
    let nearest = nearest(id, catalog.offers().iter().map(|offer| offer.id.as_str()))?;
    (distance(id, nearest) * 2 < id.chars().count()).then_some(nearest)
}

/// Whether a node has to be told anew: time that passes is no news, but that somebody asked is.
pub(crate) fn is_news(told: &Traffic, fresh: &Traffic, since: Duration) -> bool {
    let calm = |model: &ModelTraffic| ModelTraffic { asked_s: None, counted_s: None, retry_s: None, ..model.clone() };
    let asked = |told: &ModelTraffic, fresh: &ModelTraffic| match (told.asked_s, fresh.asked_s) {
        (told, Some(fresh)) => told.is_none_or(|told| fresh < told.saturating_add(since.as_secs())),
        (_, None) => false,
    };
    let differs = |(told, fresh)| calm(told) != calm(fresh) || asked(told, fresh);
    told.models.len() != fresh.models.len() || told.models.iter().zip(&fresh.models).any(differs)
}

#[cfg(test)]
mod tests {
    use porten_core::route::Route;

    use super::*;

    fn catalog() -> Catalog {
        Catalog::read("[[model]]\nid = \"tiny-one\"\nmemory_mib = 100\nroutes = [\"/v1/chat/completions\"]").unwrap()
    }

    fn advert(id: &str, memory_mib: u64, route: Route) -> Advert {
        let models = vec![AdvertModel { id: id.into(), routes: vec![route], proven_s: None }];
        Advert { seq: 1, memory_mib, models, max_streams: 8, engine_up: true, cold: vec![] }
    }

    fn told(advert: &Advert, whole: Whole, known: Known) -> ModelTraffic {
        traffic(advert, whole, &catalog(), |_| known).models.remove(0)
    }

    #[test]
    fn each_advertised_model_is_told_the_first_reason_that_applies() {
        let chat = Route::ChatCompletions;
        let fits = advert("tiny-one", 100, chat);
        let standing = |advert: &Advert, whole, known| told(advert, whole, known).standing;
        let (whole, alone) = (Whole::default(), Known { nodes: 1, among: true, ..Known::default() });
        assert_eq!(standing(&fits, whole, alone), Standing::Eligible);
        assert_eq!(standing(&advert("tiny-one", 100, Route::Completions), whole, alone), Standing::NoRoute);
        assert_eq!(standing(&fits, Whole { draining: true, hub_drains: true, ..whole }, alone), Standing::Draining);
        assert_eq!(standing(&fits, Whole { hub_drains: true, ..whole }, alone), Standing::HubDrains);
        assert_eq!(standing(&fits, whole, Known { stale: true, ..alone }), Standing::StaleProof);
        let small = told(&advert("tiny-one", 99, chat), whole, alone);
        assert_eq!((small.standing, small.needs_mib), (Standing::NeedsMemory, Some(100)));
    }

    #[test]
    fn an_id_that_is_not_offered_is_told_the_nearest_one_if_it_is_near() {
        let near = |id| told(&advert(id, 100, Route::ChatCompletions), Whole::default(), Known::default()).nearest;
        assert_eq!(near("tiny_one").as_deref(), Some("tiny-one"));
        assert_eq!(near("deepseek-v4-flash"), None);
    }

    #[test]
    fn a_node_that_failed_rests_only_where_another_one_can_answer() {
        let fits = advert("tiny-one", 100, Route::ChatCompletions);
        let resting = Known { resting: Some((3, Duration::from_secs(9))), ..Known::default() };
        let said = told(&fits, Whole::default(), Known { nodes: 1, ..resting });
        assert_eq!((said.standing, said.failures, said.retry_s), (Standing::Resting, Some(3), Some(9)));
        assert_eq!(told(&fits, Whole::default(), resting).standing, Standing::Eligible, "it is the only one");
    }

    #[test]
    fn that_somebody_asked_is_news_and_that_time_passed_is_none() {
        let fits = advert("tiny-one", 100, Route::ChatCompletions);
        let at = |asked: Option<u64>, counted| {
            let whole = Whole { counted: Duration::from_secs(counted), ..Whole::default() };
            traffic(&fits, whole, &catalog(), |_| Known { asked: asked.map(Duration::from_secs), ..Known::default() })
        };
        let half = Duration::from_secs(30);
        assert!(!is_news(&at(Some(5), 10), &at(Some(35), 40), half));
        assert!(!is_news(&at(None, 10), &at(None, 40), half));
        assert!(is_news(&at(Some(5), 10), &at(Some(12), 40), half), "somebody asked since");
        assert!(is_news(&at(None, 10), &at(Some(12), 40), half));
        let full = Whole { at_cap: true, ..Whole::default() };
        assert!(is_news(&at(None, 10), &traffic(&fits, full, &catalog(), |_| Known::default()), half));
    }
}
