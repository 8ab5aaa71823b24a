//! The largest picture that a Hub, an engine and its Macs can make.

use serde_json::{Value, json};

use super::*;
use crate::exo::{Answer, Document, Input as Exo};
use crate::ids::{Pair, Unmatched};
use crate::reply::Reply;
use crate::snapshot::MAX_SNAPSHOT;
use crate::wire::{MAX_ADVERT_MODELS, MAX_MODEL_ID};

/// Quotes take two bytes in JSON, and so do these letters in UTF-8; these take four.
const LONG: char = '𝔐';

fn engine_id(n: usize) -> EngineId {
    let id = format!("{}{n:04}", "\"".repeat(crate::ids::MAX_ENGINE_ID - 4));
    EngineId::read(&id).unwrap()
}

fn hub_id(n: usize) -> ModelId {
    ModelId::read(&format!("{}{n:04}", "x".repeat(MAX_MODEL_ID - 4))).unwrap()
}

/// Sixteen Macs with names of nothing but long letters, each linked to each, that hold 32 models and fail on all of them.
fn macs() -> Telling {
    let id = |n: usize| format!("{}{n:03}", "a".repeat(125));
    let each = |value: &dyn Fn(usize) -> Value, count: usize| -> Value {
        Value::Object((0..count).map(|n| (id(n), value(n))).collect())
    };
    let name = |n: usize| format!("{}{n:03}", LONG.to_string().repeat(61));
    let now = Now::new(Moment::START, Timestamp::UNIX_EPOCH);
    let bytes = json!({ "inBytes": 1_u64 << 40 });
    let shard = json!({ "PipelineShardMetadata": { "modelCard": { "storageSize": bytes, "nLayers": 16 }, "startLayer": 0,
        "endLayer": 1, "nLayers": 16 } });
    let instance = |n: usize| {
        let runners = each(&|mac| json!(format!("{n}-{mac}")), 40);
        let shards: Value = Value::Object((0..40).map(|mac| (format!("{n}-{mac}"), shard.clone())).collect());
        json!({ "MlxRingInstance": { "shardAssignments": { "modelId": engine_id(n).as_str(), "nodeToRunner": runners,
            "runnerToShard": shards } } })
    };
    let failed = json!({ "RunnerFailed": { "errorMessage": LONG.to_string().repeat(10_000) } });
    let runner = |(n, mac): (usize, usize)| (format!("{n}-{mac}"), failed.clone());
    let documents = [
        (Document::NodeId, json!(id(0))),
        (
            Document::Topology,
            json!({ "nodes": (0..100).map(id).collect::<Vec<_>>(),
            "connections": each(&|_| each(&|_| json!([{ "sourceRdmaIface": "rdma_en3" }]), 40), 40) }),
        ),
        (
            Document::Identities,
            each(
                &|n| {
                    json!({ "friendlyName": name(n), "chipId": name(n), "modelId": name(n),
            "osVersion": format!("2{}", name(n)), "osBuildVersion": name(n) })
                },
                999,
            ),
        ),
        (Document::Memory, each(&|_| json!({ "ramTotal": bytes, "ramAvailable": json!({ "inBytes": 1 }) }), 100)),
        (Document::LastSeen, each(&|_| json!("2026-11-22T19:30:00Z"), 100)),
        (Document::Instances, each(&instance, 60)),
        (
            Document::Runners,
            Value::Object((0..60).flat_map(|n| (0..40).map(move |mac| (n, mac))).map(runner).collect()),
        ),
    ];
    let mut telling = Telling::default();
    for (document, body) in documents {
        telling.on(Exo::Told(Answer::read(document, &Reply::answer(200, body.to_string()))), now);
    }
    telling
}

#[test]
fn the_largest_picture_fits_the_local_socket() {
    let mut scene = Scene { telling: macs(), ..Scene::well() };
    let url = config::EngineUrl::localhost(52415).unwrap();
    let listing = Listing { kind: config::EngineKind::Exo, url, models: vec![], sizes: BTreeMap::new() };
    scene.health.on(Input::Nudge, scene.now);
    scene.health.on(Input::Probed(Ok(listing)), scene.now);
    let several = |n: usize| Unmatched::Several { hub: hub_id(n), matches: (0..64).map(engine_id).collect() };
    scene.matched = Matched {
        pairs: (0..200).map(|n| Pair { hub: hub_id(n), engine: engine_id(n) }).collect(),
        unmatched: (200..600).map(several).collect(),
    };
    scene.account =
        Some(AccountView { name: Some(LONG.to_string().repeat(300)), kept_in: "the Keychain".into(), since: None });
    let picture = scene.draw_later();
    let cluster = picture.cluster.as_ref().unwrap();
    assert_eq!((cluster.members.len(), cluster.absent.len()), (16, 32));
    assert_eq!((picture.models.len(), picture.notices.len()), (MAX_ADVERT_MODELS, 64));
    let parts = picture.models.iter().map(|model| model.parts.len());
    assert_eq!((parts.clone().max(), parts.sum()), (Some(16), 32 * 16), "the first 32 instances");
    let left_out = picture.left_out.unwrap();
    assert_eq!(left_out.models, 600 - 256);
    assert!(left_out.notices > 0 && left_out.absent > 0);
    let size = serde_json::to_string(&picture).unwrap().len();
    assert!((1024 * 1024..MAX_SNAPSHOT * 3 / 4).contains(&size), "{size}: larger than a usual limit, and within ours");
}

#[test]
fn what_is_not_wanted_is_left_out_first_and_an_ordinary_picture_is_whole() {
    let mut scene = Scene::well();
    assert_eq!(scene.draw_later().left_out, None);
    scene.matched.pairs = (0..300).map(|n| Pair { hub: hub_id(n), engine: engine_id(n) }).collect();
    scene.off = (0..290).map(hub_id).collect();
    let picture = scene.draw_later();
    assert_eq!(picture.models.iter().filter(|model| model.wanted).count(), 10);
    assert_eq!((picture.models.len(), picture.left_out.unwrap().models), (MAX_ADVERT_MODELS, 44));
}

#[test]
fn an_id_that_is_not_offered_is_told_with_the_near_one_that_was_found() {
    let mut scene = Scene::well();
    scene.standings = BTreeMap::from([told(wire::Standing::NotOffered)]);
    assert_eq!(scene.draw_later().models[0].why, Some(WhyView::NotOffered { nearest: None }));
    scene.nearest = BTreeMap::from([(HUB_ID.to_owned(), "deepseek-v4".to_owned())]);
    let picture = scene.draw_later();
    assert_eq!(picture.models[0].why, Some(WhyView::NotOffered { nearest: Some("deepseek-v4".into()) }));
}
