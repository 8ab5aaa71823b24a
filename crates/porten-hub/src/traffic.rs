//! Says to a node why it gets requests for a model, or gets none.

use std::time::Duration;

use porten_core::route::Route;
use porten_core::wire::{ModelTraffic, Offer, Standing, Traffic};

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
    /// The memory it advertised (MiB).
    pub(crate) memory_mib: u64,
    /// It said that it drains.
    pub(crate) draining: bool,
    /// The Hub drains: it, or itself.
    pub(crate) hub_drains: bool,
    /// It has as many requests as it takes.
    pub(crate) at_cap: bool,
    /// For how long the Hub has counted what clients ask for.
    pub(crate) counted: Duration,
}

/// Why requests come to a node, or do not, for each model it advertised, which comes with its routes. The first reason that
/// applies is told.
pub(crate) fn traffic<'a>(
    models: impl Iterator<Item = (&'a str, &'a [Route])>,
    whole: Whole,
    catalog: &Catalog,
    mut known: impl FnMut(&Offer) -> Known,
) -> Traffic {
    let say = |(id, routes): (&str, &[Route])| {
        // Which id may be meant, the node itself can find: it has the catalog.
        let Some(offer) = catalog.offer(id) else { return ModelTraffic::new(id, Standing::NotOffered) };
        let known = known(offer);
        let mut said = ModelTraffic {
            asked_s: known.asked.map(|asked| asked.as_secs()),
            counted_s: Some(whole.counted.as_secs()),
            nodes: Some(known.nodes),
            at_cap: whole.at_cap,
            ..ModelTraffic::new(id, Standing::Eligible)
        };
        said.standing = match known.resting {
            _ if whole.draining => Standing::Draining,
            _ if whole.hub_drains => Standing::HubDrains,
            _ if whole.memory_mib < offer.memory_mib => {
                said.needs_mib = Some(offer.memory_mib);
                Standing::NeedsMemory
            }
            _ if !routes.iter().any(|route| offer.routes.contains(route)) => Standing::NoRoute,
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
    Traffic { models: models.map(say).collect() }
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
    use super::*;

    const CHAT: &[Route] = &[Route::ChatCompletions];

    fn catalog() -> Catalog {
        Catalog::read("[[model]]\nid = \"tiny-one\"\nmemory_mib = 100\nroutes = [\"/v1/chat/completions\"]").unwrap()
    }

    const FITS: Whole =
        Whole { memory_mib: 100, draining: false, hub_drains: false, at_cap: false, counted: Duration::ZERO };

    fn told(id: &str, routes: &[Route], whole: Whole, known: Known) -> ModelTraffic {
        traffic([(id, routes)].into_iter(), whole, &catalog(), |_| known).models.remove(0)
    }

    #[test]
    fn each_advertised_model_is_told_the_first_reason_that_applies() {
        let standing = |routes, whole, known| told("tiny-one", routes, whole, known).standing;
        let alone = Known { nodes: 1, among: true, ..Known::default() };
        assert_eq!(standing(CHAT, FITS, alone), Standing::Eligible);
        assert_eq!(standing(&[Route::Completions], FITS, alone), Standing::NoRoute);
        assert_eq!(standing(CHAT, Whole { draining: true, hub_drains: true, ..FITS }, alone), Standing::Draining);
        assert_eq!(standing(CHAT, Whole { hub_drains: true, ..FITS }, alone), Standing::HubDrains);
        assert_eq!(standing(CHAT, FITS, Known { stale: true, ..alone }), Standing::StaleProof);
        let small = told("tiny-one", CHAT, Whole { memory_mib: 99, ..FITS }, alone);
        assert_eq!((small.standing, small.needs_mib), (Standing::NeedsMemory, Some(100)));
    }

    #[test]
    fn an_id_that_is_not_offered_is_told_so_and_nothing_is_searched() {
        let said = told("tiny_one", CHAT, FITS, Known::default());
        assert_eq!((said.standing, said.nearest), (Standing::NotOffered, None));
    }

    #[test]
    fn a_node_that_failed_rests_only_where_another_one_can_answer() {
        let resting = Known { resting: Some((3, Duration::from_secs(9))), ..Known::default() };
        let said = told("tiny-one", CHAT, FITS, Known { nodes: 1, ..resting });
        assert_eq!((said.standing, said.failures, said.retry_s), (Standing::Resting, Some(3), Some(9)));
        assert_eq!(told("tiny-one", CHAT, FITS, resting).standing, Standing::Eligible, "it is the only one");
    }

    #[test]
    fn that_somebody_asked_is_news_and_that_time_passed_is_none() {
        let at = |asked: Option<u64>, counted| {
            let whole = Whole { counted: Duration::from_secs(counted), ..FITS };
            let known = Known { asked: asked.map(Duration::from_secs), ..Known::default() };
            Traffic { models: vec![told("tiny-one", CHAT, whole, known)] }
        };
        let half = Duration::from_secs(30);
        assert!(!is_news(&at(Some(5), 10), &at(Some(35), 40), half));
        assert!(!is_news(&at(None, 10), &at(None, 40), half));
        assert!(is_news(&at(Some(5), 10), &at(Some(12), 40), half), "somebody asked since");
        assert!(is_news(&at(None, 10), &at(Some(12), 40), half));
        let full = told("tiny-one", CHAT, Whole { at_cap: true, ..FITS }, Known::default());
        assert!(is_news(&at(None, 10), &Traffic { models: vec![full] }, half));
    }
}
