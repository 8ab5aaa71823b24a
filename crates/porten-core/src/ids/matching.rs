//! Finds, for each wanted Hub id, the one served engine id that it means; a doubt is said, never resolved by a guess.

use serde::{Deserialize, Serialize};

use super::{EngineId, IdError, ModelId, without_quantisation};
use crate::nearest::distance;

/// The most engine ids that a sentence names.
pub const MAX_NAMED: usize = 5;

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
    let mut matched = Matched::default();
    for Wanted { hub, engine } in wanted {
        match find(hub, engine.as_ref(), served) {
            Ok(engine) => matched.pairs.push(Pair { hub: hub.clone(), engine: engine.clone() }),
            Err(why) => matched.unmatched.push(why),
        }
    }
    matched
}

/// What to offer when nobody listed anything: the models of the Hub's catalog that the engine serves. That most of a
/// catalog is not served is no news; only ids that could mean several models are reported.
#[must_use]
pub fn match_catalog<'a>(catalog: impl IntoIterator<Item = &'a str>, served: &[EngineId]) -> Matched {
    let mut matched = Matched::default();
    for hub in catalog.into_iter().filter_map(|id| ModelId::read(id).ok()) {
        match find(&hub, None, served) {
            Ok(engine) => matched.pairs.push(Pair { engine: engine.clone(), hub }),
            Err(why @ Unmatched::Several { .. }) => matched.unmatched.push(why),
            Err(Unmatched::NotServed { .. } | Unmatched::NothingServed { .. }) => {}
        }
    }
    matched
}

fn find<'a>(hub: &ModelId, alias: Option<&EngineId>, served: &'a [EngineId]) -> Result<&'a EngineId, Unmatched> {
    let wanted = alias.map_or(hub.as_str(), EngineId::as_str);
    if let Some(verbatim) = served.iter().find(|id| id.as_str() == wanted) {
        return Ok(verbatim);
    }
    // An alias is meant to the letter.
    let alike: Vec<_> = served.iter().filter(|id| alias.is_none() && means(hub, id)).collect();
    match alike.as_slice() {
        [one] => Ok(one),
        [] if served.is_empty() => Err(Unmatched::NothingServed { hub: hub.clone() }),
        [] => Err(Unmatched::NotServed {
            hub: hub.clone(),
            wanted: wanted.to_owned(),
            nearest: most_alike(wanted, served),
            served: served.len(),
        }),
        several => {
            let matches = several.iter().map(|&id| id.clone()).collect();
            Err(Unmatched::Several { hub: hub.clone(), matches })
        }
    }
}

/// Whether the engine's id is the Hub's without case, and perhaps without its quantisation. A Hub id with slashes is
/// compared with the whole engine id, one without them with the last part.
fn means(hub: &ModelId, engine: &EngineId) -> bool {
    let name = if hub.as_str().contains('/') { engine.as_str() } else { engine.last_part() };
    name.eq_ignore_ascii_case(hub.as_str()) || without_quantisation(name).eq_ignore_ascii_case(hub.as_str())
}

fn most_alike(wanted: &str, served: &[EngineId]) -> Vec<EngineId> {
    let mut ids: Vec<_> =
        served.iter().map(|id| (distance(wanted, &without_quantisation(id.last_part())), id)).collect();
    ids.sort();
    ids.into_iter().take(MAX_NAMED).map(|(_, id)| id.clone()).collect()
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
        find(&wanted.hub, wanted.engine.as_ref(), &served(ids)).map(|id| id.as_str().to_owned())
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
    fn a_list_keeps_its_order_and_one_bad_entry_spoils_no_other() {
        let wanted: Vec<_> = ["b", "nope", "a=x/A"].iter().map(|w| Wanted::read(w).unwrap()).collect();
        let matched = match_wanted(&wanted, &served(&["x/A", "x/B-4bit"]));
        let pairs: Vec<_> = matched.pairs.iter().map(|p| (p.hub.as_str(), p.engine.as_str())).collect();
        assert_eq!(pairs, [("b", "x/B-4bit"), ("a", "x/A")]);
        assert_eq!(matched.unmatched.len(), 1);
    }
}
