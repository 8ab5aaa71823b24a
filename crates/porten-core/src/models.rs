//! Which models are meant, which may be served now, and what the Hub is told of them.

use std::collections::BTreeSet;

use crate::engine::{Health, Reach, Standing};
use crate::ids::{EngineId, Matched, ModelId, Wanted, match_catalog, match_wanted};
use crate::relay::{Served, Serving};
use crate::wire::{Advert, AdvertModel, Offer};

/// Pairs what is wanted with what the engine lists. With nothing configured, whatever of the Hub's catalog the engine
/// lists is meant.
#[must_use]
pub fn plan(wanted: &[Wanted], catalog: &[Offer], served: &[EngineId]) -> Matched {
    if !wanted.is_empty() {
        return match_wanted(wanted, served);
    }
    match_catalog(catalog.iter().map(|offer| offer.id.as_str()), served)
}

/// The models that requests may be for: wanted on, and proven by an engine that answers.
#[must_use]
pub fn serving(matched: &Matched, off: &BTreeSet<ModelId>, health: &Health) -> Serving {
    if !matches!(health.reach(), Reach::Up { .. }) {
        return Serving::default();
    }
    let ready = matched.pairs.iter().filter(|pair| !off.contains(&pair.hub)).filter_map(|pair| {
        let Standing::Proven { routes, .. } = health.standing(pair.engine.as_str()) else { return None };
        let served = Served { engine_id: pair.engine.as_str().to_owned(), routes: routes.clone() };
        Some((pair.hub.as_str().to_owned(), served))
    });
    ready.collect()
}

/// What the Hub is told; numbering is the sender's.
#[must_use]
pub fn advert(serving: &Serving, memory_mib: u64, max_streams: u32, engine_up: bool) -> Advert {
    let models = serving.iter().map(|(id, served)| AdvertModel { id: id.to_owned(), routes: served.routes.clone() });
    Advert { seq: 0, memory_mib, models: models.collect(), max_streams, engine_up }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::config::{EngineKind, EngineUrl};
    use crate::engine::{Input, Listing, Proof};
    use crate::route::Route;
    use crate::time::{Moment, Now};

    fn now() -> Now {
        Now::new(Moment::START, Timestamp::UNIX_EPOCH)
    }

    fn up(engine_id: &str) -> Health {
        let mut health = Health::default();
        health.on(Input::Tick, now());
        let models = vec![EngineId::read(engine_id).unwrap()];
        let listing = Listing { kind: EngineKind::Openai, url: EngineUrl::localhost(8000).unwrap(), models };
        health.on(Input::Probed(Ok(listing)), now());
        health.on(Input::Wanted(vec![engine_id.into()]), now());
        health
    }

    #[test]
    fn only_a_proven_model_that_is_wanted_on_is_told_to_the_hub() {
        let engine_id = "/Users/me/models/DeepSeek-V4-Flash";
        let wanted = [Wanted::read("deepseek-v4-flash").unwrap()];
        let matched = plan(&wanted, &[], &[EngineId::read(engine_id).unwrap()]);
        let mut health = up(engine_id);
        assert!(serving(&matched, &BTreeSet::new(), &health).is_empty(), "listed, but not proven");
        let proof = Proof { routes: vec![Route::ChatCompletions], took: Duration::ZERO };
        health.on(Input::Proved(engine_id.into(), Ok(proof)), now());
        let told = advert(&serving(&matched, &BTreeSet::new(), &health), 4096, 8, true);
        assert_eq!(told.models, [AdvertModel { id: "deepseek-v4-flash".into(), routes: vec![Route::ChatCompletions] }]);
        let off = BTreeSet::from([ModelId::read("deepseek-v4-flash").unwrap()]);
        assert!(serving(&matched, &off, &health).is_empty(), "turned off");
        health.on(Input::Nudge, now());
        health.on(Input::Probed(Err("gone".into())), now());
        assert!(serving(&matched, &BTreeSet::new(), &health).is_empty(), "the engine is down");
    }

    #[test]
    fn with_nothing_configured_what_the_hub_offers_and_the_engine_lists_is_meant() {
        let offer = |id: &str| Offer { id: id.into(), memory_mib: 1, routes: vec![] };
        let served = [EngineId::read("mlx-community/gpt-oss-120b-MXFP4-Q8").unwrap()];
        let matched = plan(&[], &[offer("gpt-oss-120b"), offer("deepseek-v4-flash")], &served);
        assert_eq!(matched.pairs.len(), 1);
        assert_eq!(matched.pairs[0].hub.as_str(), "gpt-oss-120b");
    }
}
