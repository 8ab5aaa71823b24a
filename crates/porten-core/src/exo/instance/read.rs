//! Reads exo's documents about placed models, leniently: an unknown word is unknown.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Download, Downloads, Instance, Runner, Runners, Shard, Sharding};
use crate::exo::members::{MOST, by_node};
use crate::exo::words;
use crate::ids::EngineId;

/// Instances that are looked at. exo holds as many as fit into its Macs.
const MOST_PLACED: usize = 32;
/// Runners of live and dead instances, and downloads of one node: exo knows 123 models.
const MOST_NAMED: usize = 4096;

/// Reads `instances`. An instance of an unknown kind is still one; one without parts is none.
pub(in crate::exo) fn read_instances(document: &Value) -> Vec<Instance> {
    let instances = document.as_object().into_iter().flatten();
    instances.filter_map(|(id, tagged)| read_instance(id, tagged)).take(MOST_PLACED).collect()
}

pub(in crate::exo) fn read_instance(id: &str, tagged: &Value) -> Option<Instance> {
    let (kind, body) = untagged(tagged)?;
    let assigned = &body["shardAssignments"];
    let nodes = assigned["nodeToRunner"].as_object()?;
    let mut shards = Vec::new();
    let (mut bytes, mut layers, mut tensor) = (None, 0, false);
    for (node, runner) in nodes.iter().take(MOST) {
        let (Some(node), Some(runner)) = (words::id(node), runner.as_str().and_then(words::id)) else { continue };
        let Some((tag, shard)) = assigned["runnerToShard"].get(runner).and_then(untagged) else { continue };
        let card = &shard["modelCard"];
        let all = card["storageSize"]["inBytes"].as_u64().unwrap_or(0);
        let Some((own, own_layers)) = read_shard(tag, shard, all, nodes.len()) else { continue };
        bytes = bytes.max(Some(all));
        layers = layers.max(card["nLayers"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0));
        tensor |= tag == "TensorShardMetadata" && nodes.len() > 1;
        shards.push(Shard { node: node.to_owned(), runner: runner.to_owned(), bytes: own, layers: own_layers });
    }
    Some(Instance {
        id: words::id(id)?.to_owned(),
        model: read_model(&assigned["modelId"])?,
        bytes: bytes?,
        layers,
        sharding: if tensor { Sharding::Tensor } else { Sharding::Pipeline },
        rdma: kind == RDMA_INSTANCE,
        addresses: read_addresses(&body["hostsByNode"]),
        shards,
    })
}

/// The kind of instance whose parts talk by RDMA.
const RDMA_INSTANCE: &str = "MlxJacclInstance";

/// The addresses in `hostsByNode`; a node's own is `0.0.0.0` there.
fn read_addresses(hosts: &Value) -> Vec<String> {
    let hosts = hosts.as_object().into_iter().flatten().flat_map(|(_, hosts)| hosts.as_array().into_iter().flatten());
    let addresses = hosts.filter_map(|host| words::id(host["ip"].as_str()?));
    addresses.take(MOST * MOST).map(str::to_owned).collect()
}

/// The bytes of this part, and its own layers in a pipeline.
fn read_shard(tag: &str, shard: &Value, all: u64, parts: usize) -> Option<(u64, Option<u32>)> {
    let number = |key: &str| shard[key].as_u64();
    let pipeline = tag == "PipelineShardMetadata";
    match (pipeline, number("startLayer"), number("endLayer"), number("nLayers")) {
        (true, Some(start), Some(end), Some(of)) if of > 0 && (start..=of).contains(&end) => {
            let layers = end - start;
            let bytes = u128::from(all) * u128::from(layers) / u128::from(of);
            Some((u64::try_from(bytes).ok()?, u32::try_from(layers).ok()))
        }
        _ => Some((all / u64::try_from(parts).ok()?.max(1), None)),
    }
}

/// Reads `runners`. Entries of dead instances stay there for ever: only those that an instance names mean something.
pub(in crate::exo) fn read_runners(document: &Value) -> Runners {
    let runners = document.as_object().into_iter().flatten();
    let named = runners.filter_map(|(id, tagged)| Some((words::id(id)?.to_owned(), read_runner(tagged))));
    named.take(MOST_NAMED).collect()
}

fn read_runner(tagged: &Value) -> Runner {
    let Some((tag, body)) = untagged(tagged) else { return Runner::Unknown };
    let number = |key: &str| body[key].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(0);
    match tag {
        "RunnerIdle" | "RunnerConnecting" | "RunnerConnected" => Runner::Idle,
        "RunnerLoading" => Runner::Loading { layers: number("layersLoaded"), of: number("totalLayers") },
        "RunnerLoaded" | "RunnerWarmingUp" => Runner::Warming,
        "RunnerReady" => Runner::Ready,
        "RunnerRunning" => Runner::Running,
        "RunnerFailed" => Runner::Failed(first_line(&body["errorMessage"])),
        _ => Runner::Unknown,
    }
}

/// Reads `downloads`, leaving out what is only known and not wanted.
pub(in crate::exo) fn read_downloads(document: &Value) -> Downloads {
    by_node(document, |entries| {
        let entries = entries.as_array().into_iter().flatten().filter_map(read_download).take(MOST_NAMED);
        let mut downloads = BTreeMap::new();
        for (model, download) in entries {
            // The first of a model counts.
            downloads.entry(model).or_insert(download);
        }
        downloads
    })
}

fn read_download(tagged: &Value) -> Option<(String, Download)> {
    let (tag, body) = untagged(tagged)?;
    let (_, shard) = untagged(&body["shardMetadata"])?;
    let model = read_model(&shard["modelCard"]["modelId"])?;
    let bytes = |value: &Value, key: &str| value[key]["inBytes"].as_u64().unwrap_or(0);
    let progress = &body["downloadProgress"];
    let (done, total) = match tag {
        "DownloadOngoing" => (bytes(progress, "downloaded"), bytes(progress, "total")),
        "DownloadCompleted" => {
            let total = bytes(body, "total").max(1);
            (total, total)
        }
        _ => (bytes(body, "downloaded"), bytes(body, "total")),
    };
    let failed = (tag == "DownloadFailed").then(|| first_line(&body["errorMessage"]));
    Some((model, Download { done, total, bytes_per_s: progress["speed"].as_f64(), failed }))
}

/// The one key and value of exo's tagged unions.
fn untagged(value: &Value) -> Option<(&str, &Value)> {
    value.as_object()?.iter().next().map(|(tag, body)| (tag.as_str(), body))
}

/// exo's first line about what went wrong.
fn first_line(text: &Value) -> String {
    text.as_str().and_then(words::first_line).unwrap_or_else(|| "it does not say why".to_owned())
}

/// The engine's id of a model: one that cannot be is nobody's model.
fn read_model(id: &Value) -> Option<String> {
    EngineId::read(id.as_str()?).ok().map(String::from)
}
