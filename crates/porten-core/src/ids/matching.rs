//! Finds, for each wanted Hub id, the one served engine id that it means; a doubt is said, never resolved by a guess.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{EngineId, IdError, ModelId, without_quantisation};
use crate::nearest::Known;

/// The most engine ids that a sentence names.
pub const MAX_NAMED: usize = 5;
/// Of so many builds of one model it is weighed which is meant.
const MAX_MEANT: usize = 64;
/// Of so many missing models it is said which served ones are like them; of the others only that they are missing.
const MAX_LIKENED: usize = 8;

/// A model that a person listed: `hub-id`, or `hub-id=engine-id` where the names have nothing in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The name for the Hub.
    pub hub: ModelId,
    /// The engine's name, if the person gave it.
    pub engine: Option<EngineId>,
}

/// An entry of the list that does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// The part before `=`, or the whole.
    #[error("not a hub id")]
    Hub(#[source] IdError),
    /// The part after `=`.
    #[error("not an engine's model id")]
    Engine(#[source] IdError),
}

impl std::fmt::Display for Wanted {
    /// As the settings write it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.engine {
            Some(engine) => write!(f, "{}={engine}", self.hub),
            None => self.hub.fmt(f),
        }
    }
}

impl Wanted {
    /// Reads one entry; spaces around either id are not part of it.
    ///
    /// # Errors
    /// One of the two ids is none.
    pub fn read(entry: &str) -> Result<Self, WantedError> {
        let (hub, engine) = match entry.split_once('=') {
            Some((hub, engine)) => (hub, Some(engine.trim())),
            None => (entry, None),
        };
        let hub = ModelId::read(hub.trim()).map_err(WantedError::Hub)?;
        let engine = engine.map(EngineId::read).transpose().map_err(WantedError::Engine)?;
        Ok(Self { hub, engine })
    }
}

/// A model that can be offered: what the Hub calls it and what the engine calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// For the Hub and its clients.
    pub hub: ModelId,
    /// For the engine, verbatim as it said it.
    pub engine: EngineId,
}

/// What can be offered, and what was asked for but cannot be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Matched {
    /// In the order in which they were asked for.
    pub pairs: Vec<Pair>,
    /// One sentence each, for the person at this machine (they may name paths of it).
    pub unmatched: Vec<Unmatched>,
}

/// Why a Hub id stands for no served model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmatched {
    /// It could mean more than one.
    #[error(
        "{hub} could be {}: write {hub}={} (or another of them) in PORTEN_ENGINE_MODELS",
        named(matches, "or"),
        first(matches)
    )]
    Several {
        /// The wanted id.
        hub: ModelId,
        /// All that it could mean, two at least.
        matches: Vec<EngineId>,
    },
    /// The engine serves other models.
    #[error("the engine does not serve {wanted}; it serves {}", named_of(nearest, *served))]
    NotServed {
        /// The wanted Hub id.
        hub: ModelId,
        /// The name that was looked for: the alias if there is one, else the Hub id.
        wanted: String,
        /// The most alike ones first, at most [`MAX_NAMED`].
        nearest: Vec<EngineId>,
        /// How many it serves in all.
        served: usize,
    },
    /// The engine serves no model at all.
    #[error("the engine serves no model now, so not {hub} either: load one there")]
    NothingServed {
        /// The wanted Hub id.
        hub: ModelId,
    },
}

impl Unmatched {
    /// The Hub's id that found no engine id.
    #[must_use]
    pub const fn hub(&self) -> &ModelId {
        match self {
            Self::Several { hub, .. } | Self::NotServed { hub, .. } | Self::NothingServed { hub } => hub,
        }
    }
}

/// What to offer when a person listed models.
#[must_use]
pub fn match_wanted(wanted: &[Wanted], served: &[EngineId]) -> Matched {
    let shelf = Index::of(served);
    let (mut matched, mut missing) = (Matched::default(), Vec::new());
    for Wanted { hub, engine } in wanted {
        match shelf.find(hub, engine.as_ref()) {
            Found::One(engine) => matched.pairs.push(Pair { hub: hub.clone(), engine: engine.clone() }),
            Found::Several(several) => matched.unmatched.push(unclear(hub, &several)),
            Found::None if served.is_empty() => {
                matched.unmatched.push(Unmatched::NothingServed { hub: hub.clone() });
            }
            Found::None => {
                missing.push(matched.unmatched.len());
                let wanted = engine.as_ref().map_or(hub.as_str(), EngineId::as_str).to_owned();
                let (hub, nearest, served) = (hub.clone(), Vec::new(), served.len());
                matched.unmatched.push(Unmatched::NotServed { hub, wanted, nearest, served });
            }
        }
    }
    liken(&mut matched.unmatched, &missing, served);
    matched
}

/// Says of the first of the `missing` which served models are like them.
fn liken(unmatched: &mut [Unmatched], missing: &[usize], served: &[EngineId]) {
    if missing.is_empty() {
        return;
    }
    let alike = Alike::of(served);
    let known = alike.known();
    for at in missing.iter().take(MAX_LIKENED) {
        if let Some(Unmatched::NotServed { wanted, nearest, .. }) = unmatched.get_mut(*at) {
            *nearest = alike.most(wanted, &known);
        }
    }
}

/// What to offer when nobody listed anything: the models of the Hub's catalog that the engine serves. That most of a
/// catalog is not served is no news; only ids that could mean several models are reported.
#[must_use]
pub fn match_catalog<'a>(catalog: impl IntoIterator<Item = &'a str>, served: &[EngineId]) -> Matched {
    let shelf = Index::of(served);
    let mut matched = Matched::default();
    for hub in catalog.into_iter().filter_map(|id| ModelId::read(id).ok()) {
        match shelf.find(&hub, None) {
            Found::One(engine) => matched.pairs.push(Pair { engine: engine.clone(), hub }),
            Found::Several(several) => matched.unmatched.push(unclear(&hub, &several)),
            Found::None => {}
        }
    }
    matched
}

/// What a name may mean.
enum Found<'a> {
    One(&'a EngineId),
    Several(Vec<&'a EngineId>),
    None,
}

/// The served ids by what they may be called, so that a name is looked up and not compared with each of them.
struct Index<'a> {
    verbatim: BTreeMap<&'a str, &'a EngineId>,
    /// Without case, and perhaps without its quantisation: the whole ids, and their last parts.
    whole: BTreeMap<String, Vec<&'a EngineId>>,
    last: BTreeMap<String, Vec<&'a EngineId>>,
}

impl<'a> Index<'a> {
    fn of(served: &'a [EngineId]) -> Self {
        let (mut whole, mut last) = (BTreeMap::new(), BTreeMap::new());
        for id in served {
            enter(&mut whole, id.as_str(), id);
            enter(&mut last, id.last_part(), id);
        }
        Self { verbatim: served.iter().rev().map(|id| (id.as_str(), id)).collect(), whole, last }
    }

    /// A Hub id with slashes means the whole of an engine id, one without them the last part. An alias is meant to the
    /// letter.
    fn find(&self, hub: &ModelId, alias: Option<&EngineId>) -> Found<'a> {
        let wanted = alias.map_or(hub.as_str(), EngineId::as_str);
        if let Some(verbatim) = self.verbatim.get(wanted) {
            return Found::One(verbatim);
        }
        let names = if hub.as_str().contains('/') { &self.whole } else { &self.last };
        let alike = if alias.is_none() { names.get(&hub.as_str().to_ascii_lowercase()) } else { None };
        match alike.map_or(&[][..], Vec::as_slice) {
            [] => Found::None,
            [one] => Found::One(one),
            several => Found::Several(several.iter().copied().take(MAX_MEANT).collect()),
        }
    }
}

/// By its name with its quantisation and without.
fn enter<'a>(names: &mut BTreeMap<String, Vec<&'a EngineId>>, name: &str, id: &'a EngineId) {
    let full = name.to_ascii_lowercase();
    let short = without_quantisation(name).to_ascii_lowercase();
    if short != full {
        names.entry(short).or_default().push(id);
    }
    names.entry(full).or_default().push(id);
}

fn unclear(hub: &ModelId, several: &[&EngineId]) -> Unmatched {
    Unmatched::Several { hub: hub.clone(), matches: several.iter().map(|&id| id.clone()).collect() }
}

/// The served ids by their names without quantisation, to be likened to others.
struct Alike<'a> {
    of_name: BTreeMap<String, Vec<&'a EngineId>>,
}

impl<'a> Alike<'a> {
    fn of(served: &'a [EngineId]) -> Self {
        let mut of_name: BTreeMap<String, Vec<&EngineId>> = BTreeMap::new();
        for id in served {
            of_name.entry(without_quantisation(id.last_part())).or_default().push(id);
        }
        Self { of_name }
    }

    fn known(&self) -> Known<'_> {
        Known::of(self.of_name.keys().map(String::as_str))
    }

    fn most(&self, wanted: &str, known: &Known<'_>) -> Vec<EngineId> {
        let alike = known.nearest(wanted, MAX_NAMED);
        let ids = alike.into_iter().flat_map(|name| self.of_name.get(name).into_iter().flatten());
        ids.take(MAX_NAMED).map(|&id| id.clone()).collect()
    }
}

fn named(ids: &[EngineId], last: &str) -> String {
    let shown: Vec<_> = ids.iter().take(MAX_NAMED).map(EngineId::as_str).collect();
    match shown.as_slice() {
        _ if ids.len() > shown.len() => format!("{} {last} {} more", shown.join(", "), ids.len() - shown.len()),
        [but_last @ .., end] if !but_last.is_empty() => format!("{} {last} {end}", but_last.join(", ")),
        _ => shown.concat(),
    }
}

fn named_of(nearest: &[EngineId], served: usize) -> String {
    let more = served.saturating_sub(nearest.len());
    if nearest.is_empty() {
        return format!("{served} others");
    }
    if more == 0 {
        return named(nearest, "and");
    }
    let shown: Vec<_> = nearest.iter().map(EngineId::as_str).collect();
    format!("{} and {more} more", shown.join(", "))
}

fn first(ids: &[EngineId]) -> &str {
    ids.first().map_or("", EngineId::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::real_ids::REAL;

    fn served(ids: &[&str]) -> Vec<EngineId> {
        ids.iter().map(|id| EngineId::read(id).unwrap()).collect()
    }

    fn found(wanted: &str, ids: &[&str]) -> Result<String, Unmatched> {
        let wanted = Wanted::read(wanted).unwrap();
        let Matched { mut pairs, mut unmatched } = match_wanted(&[wanted], &served(ids));
        pairs.pop().map(|pair| pair.engine.into()).ok_or_else(|| unmatched.remove(0))
    }

    #[test]
    fn an_entry_is_a_hub_id_or_an_alias_with_spaces_that_do_not_count() {
        let alias = Wanted::read(" tiny = /Users/jane doe/tiny=1 ").unwrap();
        assert_eq!((alias.hub.as_str(), alias.engine.unwrap().as_str()), ("tiny", "/Users/jane doe/tiny=1"));
        assert_eq!(Wanted::read("tiny").unwrap().engine, None);
        assert!(matches!(Wanted::read("/m"), Err(WantedError::Hub(IdError::Path))));
        assert!(matches!(Wanted::read("=m"), Err(WantedError::Hub(IdError::Empty))));
        assert!(matches!(Wanted::read("m="), Err(WantedError::Engine(IdError::Empty))));
        assert!(matches!(Wanted::read("m=a\tb"), Err(WantedError::Engine(IdError::Control))));
    }

    #[test]
    fn the_recipes_model_is_found_among_all_that_exo_lists() {
        let all: Vec<_> = REAL.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
        assert_eq!(found("deepseek-v4-flash", &all).as_deref(), Ok("mlx-community/DeepSeek-V4-Flash"));
    }

    #[test]
    fn each_real_model_is_found_by_its_plain_name_or_all_that_it_could_be_are_named() {
        let all: Vec<_> = REAL.iter().flat_map(|(_, ids)| ids.iter().copied()).collect();
        for (plain, ids) in REAL {
            match found(plain, &all) {
                Ok(one) => assert_eq!([one.as_str()], *ids, "{plain}"),
                Err(Unmatched::Several { matches, .. }) => assert_eq!(matches, served(ids), "{plain}"),
                Err(other) => panic!("{plain}: {other}"),
            }
            for id in *ids {
                assert_eq!(found(id, &all).as_deref(), Ok(*id), "verbatim always wins");
                let twins = all.iter().filter(|other| other.rsplit('/').next() == id.rsplit('/').next()).count();
                let last = id.rsplit('/').next().unwrap().to_lowercase();
                if twins == 1 && *plain != last {
                    assert_eq!(found(&last, &all).as_deref(), Ok(*id), "a quantisation that is said is meant");
                }
            }
        }
    }

    #[test]
    fn an_alias_is_meant_to_the_letter() {
        let ids = ["/Users/jane/models/tiny", "mlx-community/GLM-5"];
        assert_eq!(found("smollm2=/Users/jane/models/tiny", &ids).as_deref(), Ok("/Users/jane/models/tiny"));
        assert!(matches!(found("glm=mlx-community/glm-5", &ids), Err(Unmatched::NotServed { .. })));
        assert_eq!(found("TINY", &ids).as_deref(), Ok("/Users/jane/models/tiny"), "a path is known by its last part");
    }

    #[test]
    fn a_hub_id_with_an_organisation_means_only_that_organisation() {
        let ids = ["mlx-community/Kimi-K2.6-4bit", "moonshotai/Kimi-K2.6"];
        assert_eq!(found("moonshotai/kimi-k2.6", &ids).as_deref(), Ok("moonshotai/Kimi-K2.6"));
        assert_eq!(found("mlx-community/kimi-k2.6", &ids).as_deref(), Ok("mlx-community/Kimi-K2.6-4bit"));
    }

    #[test]
    fn two_that_fit_are_both_named_and_none_is_taken() {
        let why = found("glm-5", &["x/GLM-5", "x/GLM-5-MXFP4-Q8", "x/GLM-4"]).unwrap_err();
        insta::assert_snapshot!(why, @"glm-5 could be x/GLM-5 or x/GLM-5-MXFP4-Q8: write glm-5=x/GLM-5 (or another of them) in PORTEN_ENGINE_MODELS");
    }

    #[test]
    fn what_is_not_served_is_answered_with_what_is_nearest_first() {
        let ids = ["x/Kimi-K2.5", "x/GLM-5-4bit", "x/GLM-4.7", "x/GLM-5.1", "x/Step-3.5", "x/GLM-4.5-Air", "x/Qwen3"];
        insta::assert_snapshot!(found("glm-6", &ids).unwrap_err(), @"the engine does not serve glm-6; it serves x/GLM-5-4bit, x/GLM-4.7, x/GLM-5.1, x/Qwen3, x/GLM-4.5-Air and 2 more");
        insta::assert_snapshot!(found("glm-6", &ids[1..3]).unwrap_err(), @"the engine does not serve glm-6; it serves x/GLM-5-4bit and x/GLM-4.7");
        insta::assert_snapshot!(found("glm-6", &[]).unwrap_err(), @"the engine serves no model now, so not glm-6 either: load one there");
    }

    #[test]
    fn with_nothing_listed_the_catalog_is_offered_as_far_as_it_is_served() {
        let served = served(&["x/GLM-5", "x/Qwen3.5-27B-4bit", "x/Qwen3.5-27B-8bit", "x/Private"]);
        let matched = match_catalog(["glm-5", "qwen3.5-27b", "deepseek-v4-pro", "/etc/passwd"], &served);
        let pairs: Vec<_> = matched.pairs.iter().map(|p| (p.hub.as_str(), p.engine.as_str())).collect();
        assert_eq!(pairs, [("glm-5", "x/GLM-5")], "nothing that the Hub does not offer");
        assert!(matches!(matched.unmatched.as_slice(), [Unmatched::Several { matches, .. }] if matches.len() == 2));
    }

    #[test]
    fn only_some_of_many_missing_models_are_likened_to_served_ones() {
        let ids: Vec<EngineId> = (0..300).map(|n| EngineId::read(&format!("x/some-{n}-4bit")).unwrap()).collect();
        let wanted: Vec<_> = (0..200).map(|n| Wanted::read(&format!("other-{n}")).unwrap()).collect();
        let matched = match_wanted(&wanted, &ids);
        let likened = |why: &Unmatched| matches!(why, Unmatched::NotServed { nearest, .. } if !nearest.is_empty());
        assert_eq!(matched.unmatched.iter().filter(|why| likened(why)).count(), MAX_LIKENED);
        let last = matched.unmatched.last().unwrap().to_string();
        assert_eq!(last, "the engine does not serve other-199; it serves 300 others");
    }

    #[test]
    fn a_list_keeps_its_order_and_one_bad_entry_spoils_no_other() {
        let wanted: Vec<_> = ["b", "nope", "a=x/A"].iter().map(|w| Wanted::read(w).unwrap()).collect();
        let matched = match_wanted(&wanted, &served(&["x/A", "x/B-4bit"]));
        let pairs: Vec<_> = matched.pairs.iter().map(|p| (p.hub.as_str(), p.engine.as_str())).collect();
        assert_eq!(pairs, [("b", "x/B-4bit"), ("a", "x/A")]);
        assert_eq!(matched.unmatched.len(), 1);
    }
}
