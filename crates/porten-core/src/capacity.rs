//! What the engine can do at a time: as a person set it, else as exo's own limit and the memory of its Macs have it.
//!
//! Of other engines nothing is known: they bound themselves, and count the tokens of a prompt before they begin. exo does
//! not: it computes until the memory of a Mac is full, and that Mac with it.

use crate::config::Config;
use crate::exo::{Phase, Told};
use crate::fitting::Fitting;
use crate::ids::Pair;
use crate::relay::{Bound, Bounds};

/// The requests that exo 0.3.70 computes at a time for each instance, if nobody changed `EXO_MAX_CONCURRENT_REQUESTS`; what is
/// beyond waits in a line of its own, which is fair to nobody and says nothing.
pub const EXO_AT_ONCE: u32 = 8;

/// The bounds of the paired models.
#[must_use]
pub fn bounds(config: &Config, pairs: &[Pair], fitting: &Fitting<'_>) -> Bounds {
    let models = pairs.iter().filter_map(|pair| {
        let bound = bound(config, pair, fitting);
        (bound != Bound::default()).then(|| (pair.hub.as_str().to_owned(), bound))
    });
    Bounds { at_once: config.at_once.as_ref().map(|set| set.value), models: models.collect() }
}

fn bound(config: &Config, pair: &Pair, fitting: &Fitting<'_>) -> Bound {
    let at_once = config.models_at_once.get(pair.hub.as_str()).copied();
    let context = config.contexts.get(pair.hub.as_str()).copied();
    if fitting.telling.told() != Told::Cluster {
        let together = context.zip(at_once).map(|(context, at_once)| context.saturating_mul(u64::from(at_once)));
        return Bound { at_once, context, together };
    }
    let ready = fitting.telling.instances().filter(|(_, phase)| *phase == Phase::Ready);
    let ready: Vec<_> =
        ready.filter(|(one, _)| one.model == pair.engine.as_str()).map(|(one, _)| fitting.longest(one)).collect();
    let own = u32::try_from(ready.len()).unwrap_or(u32::MAX).saturating_mul(EXO_AT_ONCE);
    // The instances share the requests between them, and exo says not how: one must fit wherever it comes.
    let longest = ready.iter().copied().min().flatten();
    let sum = ready.iter().try_fold(0_u64, |sum, one| Some(sum.saturating_add((*one)?)));
    Bound {
        at_once: at_once.or((own > 0).then_some(own)),
        context: context.or(longest),
        // What was promised to one is there for it, whatever is known.
        together: sum.filter(|sum| *sum > 0).map(|sum| sum.max(context.unwrap_or(0))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::config::{self, SettingsFile};
    use crate::exo::{Answer, Document, Input, Telling};
    use crate::ids::{EngineId, ModelId};
    use crate::limits::Limits;
    use crate::pool::Wired;
    use crate::reply::Reply;
    use crate::time::{Moment, Now};

    const NOW: Now = Now::new(Moment::START, Timestamp::UNIX_EPOCH);
    const ENGINE_ID: &str = "mlx-community/MiniMax-M2.7-8bit";

    fn bounds_of(settings: &str, telling: &Telling) -> Bound {
        let file = SettingsFile { text: settings, path: "f" };
        let config = config::read(&BTreeMap::new(), Some(file)).unwrap();
        let pair = Pair { hub: ModelId::read("m2").unwrap(), engine: EngineId::read(ENGINE_ID).unwrap() };
        let limits = Limits::default();
        let fitting = Fitting { telling, wired: Wired { read_mib: None, limits: &limits }, now: NOW };
        bounds(&config, &[pair], &fitting).of("m2")
    }

    /// Instances of the model, ready, each on a Mac of its own with so much memory.
    fn exo(macs: &[u64]) -> Telling {
        let mut telling = Telling::default();
        let mut tell = |document, body: Value| {
            let _ = telling.on(Input::Told(Answer::read(document, &Reply::answer(200, body.to_string()))), NOW);
        };
        let each = |value: &dyn Fn(usize, u64) -> Value, name: &str| -> Value {
            Value::Object(macs.iter().enumerate().map(|(at, gib)| (format!("{name}{at}"), value(at, *gib))).collect())
        };
        let bytes = |gib: u64| json!({ "inBytes": gib << 30 });
        let nodes: Vec<String> = (0..macs.len()).map(|at| format!("n{at}")).collect();
        tell(Document::Topology, json!({ "nodes": nodes, "connections": {} }));
        tell(Document::Identities, each(&|at, _| json!({ "friendlyName": format!("mac-{at}") }), "n"));
        tell(Document::Memory, each(&|_, gib| json!({ "ramTotal": bytes(gib), "ramAvailable": bytes(gib) }), "n"));
        let card = json!({ "modelId": ENGINE_ID, "storageSize": { "inBytes": 243_000_000_000_u64 }, "nLayers": 62 });
        let shard =
            json!({ "PipelineShardMetadata": { "modelCard": card, "startLayer": 0, "endLayer": 62, "nLayers": 62 } });
        let instance = |at: usize, _| {
            let (runner, node) = (format!("r{at}"), format!("n{at}"));
            json!({ "MlxRingInstance": { "instanceId": format!("i{at}"), "shardAssignments": { "modelId": ENGINE_ID,
                "nodeToRunner": { node: runner }, "runnerToShard": { runner: shard } } } })
        };
        tell(Document::Runners, each(&|_, _| json!({ "RunnerReady": {} }), "r"));
        tell(Document::Instances, each(&instance, "i"));
        telling
    }

    #[test]
    fn an_engine_that_says_nothing_of_itself_is_bounded_only_by_what_a_person_set() {
        let nothing = Telling::default();
        assert_eq!(bounds_of("", &nothing), Bound::default());
        let set = "[model.m2]\nmax_concurrent = 4\ncontext_tokens = 8192\n";
        assert_eq!(bounds_of(set, &nothing), Bound { at_once: Some(4), context: Some(8192), together: Some(32_768) });
        let context = "[model.m2]\ncontext_tokens = 8192\n";
        assert_eq!(bounds_of(context, &nothing), Bound { at_once: None, context: Some(8192), together: None });
    }

    #[test]
    fn exo_is_bounded_by_its_own_limit_and_by_the_memory_of_its_macs() {
        let one = bounds_of("", &exo(&[512]));
        assert_eq!(one, Bound { at_once: Some(8), context: Some(196_608), together: Some(196_608) });
        let two = bounds_of("", &exo(&[512, 352]));
        assert_eq!(two.at_once, Some(16));
        assert!(two.context.unwrap() < 196_608 && two.together.unwrap() > 196_608, "{two:?}");
        let set = "[model.m2]\nmax_concurrent = 2\ncontext_tokens = 65536\n";
        assert_eq!(
            bounds_of(set, &exo(&[512])),
            Bound { at_once: Some(2), context: Some(65_536), together: Some(196_608) }
        );
    }

    #[test]
    fn where_its_memory_is_not_known_to_be_enough_nothing_is_promised() {
        let tight = bounds_of("", &exo(&[256]));
        assert_eq!(tight, Bound { at_once: Some(8), context: None, together: None });
        let wide = bounds_of("[engine]\nmax_concurrent = 3\n", &exo(&[]));
        assert_eq!(wide, Bound::default());
    }
}
