//! The life of an instance, in exo's own words (shapes of exo 0.3.70).

use serde_json::{Value, json};

use super::*;

const MODEL: &str = "mlx-community/DeepSeek-V4-Flash";

fn card() -> Value {
    json!({ "modelId": MODEL, "storageSize": { "inBytes": 43_000_000_000_u64 }, "nLayers": 43 })
}

/// A pipeline on two Macs: 20 layers and 23.
fn pipeline() -> Instance {
    let shard = |start: u32, end: u32| {
        json!({ "PipelineShardMetadata": { "modelCard": card(), "deviceRank": 0, "worldSize": 2, "startLayer": start,
            "endLayer": end, "nLayers": 43 } })
    };
    placed("MlxRingInstance", &shard(0, 20), &shard(20, 43))
}

/// Each of two Macs has half of every layer.
fn tensor() -> Instance {
    let shard =
        json!({ "TensorShardMetadata": { "modelCard": card(), "startLayer": 0, "endLayer": 43, "nLayers": 43 } });
    placed("MlxJacclInstance", &shard, &shard)
}

fn placed(kind: &str, one: &Value, two: &Value) -> Instance {
    let instances = read_instances(&json!({ "i": { kind: { "instanceId": "i", "shardAssignments": { "modelId": MODEL,
        "nodeToRunner": { "a": "ra", "b": "rb" }, "runnerToShard": { "ra": one, "rb": two } } } } }));
    instances.into_iter().next().unwrap()
}

fn phase(instance: &Instance, one: Value, two: Value, downloads: &Value) -> Phase {
    let mut runners = serde_json::Map::new();
    runners.extend(
        [("ra", one), ("rb", two)]
            .into_iter()
            .filter(|(_, state)| !state.is_null())
            .map(|(id, state)| (id.into(), state)),
    );
    instance.phase(&read_runners(&Value::Object(runners)), &read_downloads(downloads))
}

fn download(tag: &str, done: u64, total: u64) -> Value {
    json!([{ tag: { "nodeId": "a", "shardMetadata": { "PipelineShardMetadata": { "modelCard": card() } },
        "downloadProgress": { "total": { "inBytes": total }, "downloaded": { "inBytes": done }, "speed": 1_048_576.0 },
        "total": { "inBytes": total }, "downloaded": { "inBytes": done }, "errorMessage": "disk full\nmore" } }])
}

#[test]
fn an_instance_is_as_far_as_the_last_of_its_parts() {
    let here = || json!({ "a": download("DownloadCompleted", 9, 9), "b": download("DownloadCompleted", 9, 9) });
    let at = |one: Value, two: Value| phase(&pipeline(), one, two, &here());
    let (ready, idle) = (json!({ "RunnerReady": {} }), json!({ "RunnerIdle": {} }));
    assert_eq!(at(Value::Null, Value::Null), Phase::Placed);
    assert_eq!(at(idle.clone(), Value::Null), Phase::Placed);
    let loading = |n: u32, of: u32| json!({ "RunnerLoading": { "layersLoaded": n, "totalLayers": of } });
    assert_eq!(at(loading(5, 20), loading(7, 23)), Phase::Loading { layers: 12, of: 43 });
    assert_eq!(at(json!({ "RunnerLoaded": {} }), loading(7, 23)), Phase::Loading { layers: 27, of: 43 });
    assert_eq!(at(json!({ "RunnerWarmingUp": {} }), ready.clone()), Phase::Warming);
    assert_eq!(at(ready.clone(), json!({ "RunnerRunning": {} })), Phase::Ready);
    assert_eq!(at(ready, json!({ "RunnerDreaming": { "depth": 2 } })), Phase::Placed, "an unknown word is not ready");
    let failed = json!({ "RunnerFailed": { "errorMessage": "Terminated (exitcode=1)\nTraceback", "diagnostics": [] } });
    assert_eq!(at(idle, failed), Phase::Failed("Terminated (exitcode=1)".into()));
}

#[test]
fn where_each_mac_holds_a_slice_of_all_layers_the_slowest_counts() {
    let loading = |n: u32| json!({ "RunnerLoading": { "layersLoaded": n, "totalLayers": 43 } });
    assert_eq!(phase(&tensor(), loading(30), loading(12), &json!({})), Phase::Loading { layers: 12, of: 43 });
    let warming = json!({ "RunnerLoaded": {} });
    assert_eq!(phase(&tensor(), warming, loading(12), &json!({})), Phase::Loading { layers: 12, of: 43 });
}

#[test]
fn downloads_of_all_macs_are_one_progress_and_a_failed_one_is_named() {
    let downloads = json!({ "a": download("DownloadOngoing", 30, 100), "b": download("DownloadOngoing", 10, 100),
        "c": download("DownloadOngoing", 0, 100) });
    let at = phase(&pipeline(), json!({ "RunnerIdle": {} }), Value::Null, &downloads);
    assert_eq!(at, Phase::Downloading { percent: 20, mib_per_s: Some(2) });
    let failed = json!({ "a": download("DownloadFailed", 30, 100) });
    assert_eq!(phase(&pipeline(), Value::Null, Value::Null, &failed), Phase::Failed("disk full".into()));
    let pending = json!({ "a": download("DownloadPending", 0, 0), "b": download("DownloadPending", 0, 0) });
    let at = phase(&pipeline(), Value::Null, Value::Null, &pending);
    assert_eq!(at, Phase::Downloading { percent: 0, mib_per_s: Some(2) });
}

#[test]
fn weights_lie_where_the_layers_are() {
    let one = pipeline();
    assert_eq!((one.weights_on(&"a".into()), one.weights_on(&"b".into())), (20_000_000_000, 23_000_000_000));
    assert_eq!(tensor().weights_on(&"a".into()), 21_500_000_000);
    assert_eq!(one.weights_on(&"c".into()), 0);
}

#[test]
fn an_instance_of_an_unknown_kind_is_still_one_and_nonsense_is_none() {
    let shard = json!({ "HypercubeShardMetadata": { "modelCard": card() } });
    assert_eq!(placed("MlxTeleportInstance", &shard, &shard).weights_on(&"a".into()), 21_500_000_000);
    for nonsense in [json!(null), json!([1]), json!({ "i": null }), json!({ "i": { "X": {} } }), json!({ "i": {} })] {
        assert_eq!(read_instances(&nonsense), [], "{nonsense}");
    }
}
