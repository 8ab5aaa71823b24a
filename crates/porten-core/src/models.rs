//! Which models are meant, which may be served now, and what the Hub is told of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::EngineKind;
use crate::desk::Desk;
use crate::engine::{Health, Reach, Standing};
use crate::exo::{Telling, Told};
use crate::idle::Idle;
use crate::ids::{EngineId, Matched, ModelId, Pair, Unmatched, Wanted, match_catalog, match_wanted};
use crate::relay::{Served, Serving};
use crate::time::{Moment, Now};
use crate::wire::{Advert, AdvertModel, MAX_ADVERT_MODELS, Offer};

/// What an engine serves, as far as it matters for pairing.
#[derive(Debug, Clone, Copy)]
pub struct Shelf<'a> {
    /// The ids it lists.
    pub listed: &'a [EngineId],
    /// Their weights (MiB), where it tells.
    pub sizes: &'a BTreeMap<String, u64>,
    /// The ids it has loaded, where it tells.
    pub loaded: &'a BTreeSet<String>,
}

/// Pairs what is wanted with what the engine lists. With nothing configured, whatever of the Hub's catalog the engine
/// lists is meant.
#[must_use]
pub fn plan(wanted: &[Wanted], catalog: &[Offer], shelf: Shelf<'_>) -> Matched {
    if !wanted.is_empty() {
        return match_wanted(wanted, shelf.listed);
    }
    let mut matched = match_catalog(catalog.iter().map(|offer| offer.id.as_str()), shelf.listed);
    let (mut pairs, mut unmatched) = (Vec::new(), Vec::new());
    for why in std::mem::take(&mut matched.unmatched) {
        match pick(&why, catalog, shelf) {
            Some(pair) => pairs.push(pair),
            None => unmatched.push(why),
        }
    }
    matched.pairs.extend(pairs);
    Matched { unmatched, ..matched }
}

/// One of several builds of a model, where nobody said which: the loaded one; else the largest whose weights fit into
/// what the Hub asks of a node for it, since that number was made for one of them.
fn pick(why: &Unmatched, catalog: &[Offer], shelf: Shelf<'_>) -> Option<Pair> {
    let Unmatched::Several { hub, matches } = why else { return None };
    let room = catalog.iter().find(|offer| offer.id == hub.as_str())?.memory_mib;
    let loaded: Vec<&EngineId> = matches.iter().filter(|id| shelf.loaded.contains(id.as_str())).collect();
    let size = |id: &&EngineId| shelf.sizes.get(id.as_str()).copied().filter(|size| *size <= room);
    let engine = match loaded.as_slice() {
        [one] => *one,
        _ => {
            let largest = matches.iter().filter_map(|id| size(&id)).max()?;
            let mut fitting = matches.iter().filter(|id| size(id) == Some(largest));
            let one = fitting.next()?;
            // Two builds of one size differ in something that only a person can judge.
            fitting.next().is_none().then_some(one)?
        }
    };
    Some(Pair { hub: hub.clone(), engine: engine.clone() })
}

/// What a person has said of models, on top of the settings.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// Whether the settings list models.
    pub listed: bool,
    /// Turned on.
    pub on: &'a BTreeSet<ModelId>,
    /// Turned off.
    pub off: &'a BTreeSet<ModelId>,
}

/// Of an engine that does not tell what it has loaded so many models are wanted that nobody asked for: each is proven, and
/// for that many engines load it. What a Hub offers must not keep them at that.
const MAX_UNASKED: usize = 3;

/// The paired models that are not wanted now. Where nobody said anything: what the settings list is wanted; else the first
/// few of what the Hub offers and the engine serves, and of exo, which tells what it has loaded, just that.
#[must_use]
pub fn unwanted(
    matched: &Matched,
    said: Said<'_>,
    health: &Health,
    telling: &Telling,
    desk: &Desk,
) -> BTreeSet<ModelId> {
    let cluster = is_exo(health) && telling.told() != Told::Nothing;
    let mut unwanted = said.off.clone();
    let mut unasked = 0;
    for pair in &matched.pairs {
        let engine = pair.engine.as_str();
        let placed = || telling.instances().any(|(instance, _)| instance.model == engine);
        let unsaid = !said.listed && !said.on.contains(&pair.hub);
        if cluster {
            if desk.is_elsewhere(engine) || (unsaid && !placed()) {
                unwanted.insert(pair.hub.clone());
            }
        } else if unsaid && !unwanted.contains(&pair.hub) {
            unasked += 1;
            if unasked > MAX_UNASKED {
                unwanted.insert(pair.hub.clone());
            }
        }
    }
    unwanted
}

/// Whether the engine can be asked for this model at all: exo must have loaded it first.
#[must_use]
pub fn is_loaded(engine_id: &str, health: &Health, telling: &Telling, now: Now) -> bool {
    match telling.told() {
        _ if !is_exo(health) => true,
        Told::Nothing => true,
        Told::NotYet => false,
        Told::Cluster => telling.is_ready(engine_id, now),
    }
}

fn is_exo(health: &Health) -> bool {
    matches!(health.reach(), Reach::Up { listing, .. } if listing.kind == EngineKind::Exo)
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

/// The age of a proof is told in steps of this (seconds): an advert that changed each second would be sent each second.
const AGE_STEP: u64 = 15 * 60;

/// What the Hub is told; numbering is the sender's.
#[must_use]
pub fn advert(
    serving: &Serving,
    idle: &Idle,
    memory_mib: u64,
    max_streams: u32,
    health: &Health,
    now: Moment,
) -> Advert {
    let model = |(id, served): (&str, &Served)| AdvertModel {
        id: id.to_owned(),
        routes: served.routes.clone(),
        proven_s: health.proof_age(&served.engine_id, now).map(|age| age.as_secs() / AGE_STEP * AGE_STEP),
    };
    // A Hub ends the link over a longer one.
    let models = serving.iter().take(MAX_ADVERT_MODELS).map(model);
    let engine_up = matches!(health.reach(), Reach::Up { .. });
    let models: Vec<AdvertModel> = models.collect();
    let cold = idle.cold().map(|id| id.as_str().to_owned()).take(MAX_ADVERT_MODELS - models.len());
    Advert { seq: 0, memory_mib, max_streams, engine_up, cold: cold.collect(), models }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::config::{EngineKind, EngineUrl};
    use crate::engine::{Input, Listing, Proof};
    use crate::exo;
    use crate::reply::Reply;
    use crate::route::Route;
    use crate::time::Moment;

    fn now() -> Now {
        Now::new(Moment::START, Timestamp::UNIX_EPOCH)
    }

    /// Lists these, and tells nothing more.
    fn shelf(listed: &[EngineId]) -> Shelf<'_> {
        static SIZES: BTreeMap<String, u64> = BTreeMap::new();
        static LOADED: BTreeSet<String> = BTreeSet::new();
        Shelf { listed, sizes: &SIZES, loaded: &LOADED }
    }

    fn up(engine_id: &str) -> Health {
        let mut health = Health::default();
        health.on(Input::Tick, now());
        let models = vec![EngineId::read(engine_id).unwrap()];
        let listing = Listing {
            kind: EngineKind::Openai,
            url: EngineUrl::localhost(8000).unwrap(),
            models,
            sizes: BTreeMap::new(),
        };
        health.on(Input::Probed(Ok(listing)), now());
        health.on(Input::Wanted(vec![engine_id.into()]), now());
        health
    }

    #[test]
    fn only_a_proven_model_that_is_wanted_on_is_told_to_the_hub() {
        let engine_id = "/Users/me/models/DeepSeek-V4-Flash";
        let wanted = [Wanted::read("deepseek-v4-flash").unwrap()];
        let matched = plan(&wanted, &[], shelf(&[EngineId::read(engine_id).unwrap()]));
        let mut health = up(engine_id);
        assert!(serving(&matched, &BTreeSet::new(), &health).is_empty(), "listed, but not proven");
        let proof = Proof { routes: vec![Route::ChatCompletions], took: Duration::ZERO };
        health.on(Input::Proved(engine_id.into(), Ok(proof)), now());
        let told =
            advert(&serving(&matched, &BTreeSet::new(), &health), &Idle::default(), 4096, 8, &health, Moment::START);
        assert_eq!(
            told.models,
            [AdvertModel { id: "deepseek-v4-flash".into(), routes: vec![Route::ChatCompletions], proven_s: Some(0) }]
        );
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
        let matched = plan(&[], &[offer("gpt-oss-120b"), offer("deepseek-v4-flash")], shelf(&served));
        assert_eq!(matched.pairs.len(), 1);
        assert_eq!(matched.pairs[0].hub.as_str(), "gpt-oss-120b");
    }

    const EXO_ID: &str = "mlx-community/gpt-oss-120b-MXFP4-Q8";

    /// exo lists a model; with `instances` it also tells what is loaded.
    fn exo(instances: Option<&str>) -> (Health, Telling, Matched) {
        let mut health = Health::default();
        health.on(Input::Tick, now());
        let models = vec![EngineId::read(EXO_ID).unwrap()];
        let url = EngineUrl::localhost(52415).unwrap();
        let listing = Listing { kind: EngineKind::Exo, url, models, sizes: BTreeMap::new() };
        health.on(Input::Probed(Ok(listing)), now());
        let mut telling = Telling::default();
        if let Some(instances) = instances {
            let told = exo::Input::Told(exo::Answer::read(exo::Document::Instances, &Reply::answer(200, instances)));
            telling.on(told, now());
        }
        let matched = plan(&[Wanted::read("gpt-oss-120b").unwrap()], &[], shelf(&[EngineId::read(EXO_ID).unwrap()]));
        (health, telling, matched)
    }

    const PLACED: &str = r#"{"i":{"MlxRingInstance":{"shardAssignments":{"modelId":"mlx-community/gpt-oss-120b-MXFP4-Q8",
        "nodeToRunner":{"a":"r"},"runnerToShard":{"r":{"PipelineShardMetadata":{"modelCard":{}}}}}}}}"#;

    #[test]
    fn of_exo_only_what_is_loaded_or_asked_for_is_wanted() {
        let id = BTreeSet::from([ModelId::read("gpt-oss-120b").unwrap()]);
        let none = BTreeSet::new();
        let off = |instances: Option<&str>, listed, on, off| {
            let (health, telling, matched) = exo(instances);
            !unwanted(&matched, Said { listed, on, off }, &health, &telling, &Desk::default()).is_empty()
        };
        assert!(off(Some("{}"), false, &none, &none), "nobody asked for it, and it is not loaded");
        assert!(off(None, false, &none, &none), "not known yet");
        assert!(!off(Some(PLACED), false, &none, &none), "somebody loaded it in exo");
        assert!(!off(Some("{}"), true, &none, &none), "the settings list it");
        assert!(!off(Some("{}"), false, &id, &none), "a person turned it on");
        assert!(off(Some(PLACED), true, &none, &id), "a person turned it off");
    }

    #[test]
    fn a_long_catalog_does_not_make_an_engine_prove_all_that_it_lists() {
        let ids: Vec<String> = (0..40).map(|n| format!("model-{n:02}")).collect();
        let listed: Vec<EngineId> = ids.iter().map(|id| EngineId::read(id).unwrap()).collect();
        let catalog: Vec<Offer> =
            ids.iter().map(|id| Offer { id: id.clone(), memory_mib: 1, routes: vec![] }).collect();
        let (health, telling, none) = (up("model-00"), Telling::default(), BTreeSet::new());
        let wanted = |listed_by_settings, on: &BTreeSet<ModelId>, wanted: &[Wanted]| {
            let matched = plan(wanted, &catalog, shelf(&listed));
            let said = Said { listed: listed_by_settings, on, off: &none };
            40 - unwanted(&matched, said, &health, &telling, &Desk::default()).len()
        };
        assert_eq!(wanted(false, &none, &[]), MAX_UNASKED);
        let on = BTreeSet::from([ModelId::read("model-39").unwrap()]);
        assert_eq!(wanted(false, &on, &[]), MAX_UNASKED + 1, "a person asked for one more");
        let all: Vec<Wanted> = ids.iter().map(|id| Wanted::read(id).unwrap()).collect();
        assert_eq!(wanted(true, &none, &all), 40, "the settings list them");
    }

    #[test]
    fn an_advert_is_never_longer_than_a_hub_takes() {
        let route = vec![Route::ChatCompletions];
        let served = |id: String| (id.clone(), Served { engine_id: id, routes: route.clone() });
        let serving: Serving = (0..400).map(|n| served(format!("{}{n:03}", "x".repeat(197)))).collect();
        let health = up("m");
        let told = advert(&serving, &Idle::default(), u64::MAX, u32::MAX, &health, Moment::START);
        assert_eq!(told.models.len() + told.cold.len(), MAX_ADVERT_MODELS);
        let text = crate::wire::write(&crate::wire::FromAgent::Advert(told));
        assert!(text.len() < crate::wire::MAX_MESSAGE_TAKEN / 8, "{}", text.len());
    }

    #[test]
    fn a_model_that_exo_has_not_loaded_is_not_asked_for_a_token() {
        let loaded = |instances| {
            let (health, telling, _) = exo(instances);
            is_loaded(EXO_ID, &health, &telling, now())
        };
        assert!(!loaded(None) && !loaded(Some("{}")) && !loaded(Some(PLACED)));
        let (health, mut telling, _) = exo(Some(PLACED));
        let ready = exo::Input::Told(exo::Answer::read(
            exo::Document::Runners,
            &Reply::answer(200, r#"{"r":{"RunnerReady":{}}}"#),
        ));
        telling.on(ready, now());
        assert!(is_loaded(EXO_ID, &health, &telling, now()));
        assert!(is_loaded("anything", &up("other"), &Telling::default(), now()), "other engines list what is loaded");
    }

    #[test]
    fn of_several_builds_the_loaded_one_is_meant_else_the_largest_that_the_hubs_number_has_room_for() {
        let id = |bits: u32| format!("mlx-community/Qwen3-Coder-Next-{bits}bit");
        let listed = [4, 5, 8].map(|bits| EngineId::read(&id(bits)).unwrap());
        // The cards of exo 0.3.70 (MiB).
        let sizes = BTreeMap::from([(id(4), 43_487), (id(5), 55_027), (id(8), 85_258)]);
        let offer = Offer { id: "qwen3-coder-next".into(), memory_mib: 51_000, routes: vec![] };
        let meant = |memory_mib, sizes: &BTreeMap<String, u64>, loaded: &BTreeSet<String>| {
            let shelf = Shelf { listed: &listed, sizes, loaded };
            let matched = plan(&[], &[Offer { memory_mib, ..offer.clone() }], shelf);
            matched.pairs.first().map(|pair| pair.engine.as_str().to_owned())
        };
        let none = BTreeSet::new();
        assert_eq!(meant(51_000, &sizes, &none), Some(id(4)));
        assert_eq!(meant(100_000, &sizes, &none), Some(id(8)));
        assert_eq!(meant(1_000, &sizes, &none), None, "none of them");
        assert_eq!(meant(51_000, &BTreeMap::new(), &none), None, "nothing tells them apart");
        assert_eq!(meant(51_000, &sizes, &BTreeSet::from([id(5)])), Some(id(5)), "the one that is loaded");
        let twins = BTreeMap::from([(id(4), 43_487), (id(5), 43_487)]);
        assert_eq!(meant(51_000, &twins, &none), None, "a person must say");
    }
}
