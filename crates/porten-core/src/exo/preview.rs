//! The placements that exo offers for a model, and which of them is taken.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::instance::{Instance, Sharding, read_instance};
use super::words;

/// Where previews are asked for, with `?model_id=`.
pub const PREVIEWS: &str = "/instance/previews";
/// Where a chosen one is posted.
pub const INSTANCE: &str = "/instance";

/// Placements that are weighed: exo offers one for each number of Macs, cut and kind of link.
const MOST_PLACES: usize = 64;

/// A placement that would work, as far as exo counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The instance that would come of it; its id will be the same.
    pub instance: Instance,
    /// The body to post, as exo said it.
    pub body: Value,
}

/// How a person wants a model placed; what is not said is Porten's choice.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(default)]
pub struct How {
    /// How it is to be cut.
    pub sharding: Option<Sharding>,
    /// Whether its parts are to talk by RDMA.
    pub rdma: Option<bool>,
    /// On how many Macs at least.
    pub least_macs: Option<u32>,
    /// Even where a Mac would hold more than its GPU may.
    pub anyway: bool,
}

impl How {
    /// Whether an instance is placed so.
    #[must_use]
    pub fn is(&self, instance: &Instance) -> bool {
        let macs = u32::try_from(instance.nodes().count()).unwrap_or(u32::MAX);
        self.sharding.is_none_or(|sharding| sharding == instance.sharding())
            && self.rdma.is_none_or(|rdma| rdma == instance.is_rdma())
            && self.least_macs.is_none_or(|least| macs >= least)
    }
}

/// No placement would work, or the answer does not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreviewError {
    /// exo's own reasons.
    #[error("exo finds no place for it: {0}")]
    NoPlace(String),
    /// Another exo?
    #[error("exo's answer about places for it does not read")]
    Unreadable,
}

/// Reads the body of a 200.
///
/// # Errors
/// Nothing in it would work.
pub fn read_previews(body: &[u8]) -> Result<Vec<Preview>, PreviewError> {
    #[derive(Deserialize)]
    struct Previews {
        previews: Vec<Value>,
    }
    let Previews { previews } = serde_json::from_slice(body).map_err(|_| PreviewError::Unreadable)?;
    let places: Vec<Preview> = previews.iter().filter_map(preview).take(MOST_PLACES).collect();
    if !places.is_empty() {
        return Ok(places);
    }
    let reasons: BTreeSet<&str> = previews.iter().filter_map(|preview| preview["error"].as_str()).collect();
    match reasons.into_iter().find_map(words::first_line) {
        Some(reason) => Err(PreviewError::NoPlace(reason)),
        None => Err(PreviewError::NoPlace("it offers none".to_owned())),
    }
}

fn preview(preview: &Value) -> Option<Preview> {
    if !preview["error"].is_null() {
        return None;
    }
    let (_, body) = preview["instance"].as_object()?.iter().next()?;
    let instance = read_instance(body["instanceId"].as_str()?, &preview["instance"])?;
    Some(Preview { instance, body: serde_json::json!({ "instance": preview["instance"] }) })
}

/// The best first: on the fewest Macs, and of those the fastest. More Macs give more room, not more speed.
pub fn rank(previews: &mut [Preview]) {
    previews.sort_by_key(|Preview { instance, .. }| {
        let (rdma, tensor) = (instance.is_rdma(), instance.sharding() == Sharding::Tensor);
        (instance.nodes().count(), !(rdma && tensor), tensor)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn preview(id: &str, macs: usize, meta: &str, sharding: &str) -> Value {
        let nodes: serde_json::Map<String, Value> =
            (0..macs).map(|n| (format!("n{n}"), json!(format!("r{n}")))).collect();
        let shard = json!({ format!("{sharding}ShardMetadata"): { "modelCard": {} } });
        let shards: serde_json::Map<String, Value> = (0..macs).map(|n| (format!("r{n}"), shard.clone())).collect();
        json!({ "model_id": "m", "sharding": sharding, "instance_meta": meta, "error": null, "instance":
            { format!("{meta}Instance"): { "instanceId": id, "shardAssignments":
                { "modelId": "m", "nodeToRunner": nodes, "runnerToShard": shards } } } })
    }

    fn chosen(previews: &[Value]) -> String {
        let mut previews = read_previews(json!({ "previews": previews }).to_string().as_bytes()).unwrap();
        rank(&mut previews);
        previews.remove(0).instance.id
    }

    #[test]
    fn the_fewest_macs_come_first_then_tensor_over_rdma_then_a_pipeline() {
        let ring = |id, macs| preview(id, macs, "MlxRing", "Pipeline");
        let tensor = |id, meta| preview(id, 2, meta, "Tensor");
        assert_eq!(chosen(&[ring("three", 3), ring("one", 1), tensor("rdma", "MlxJaccl")]), "one");
        assert_eq!(chosen(&[ring("ring", 2), tensor("slow", "MlxRing"), tensor("rdma", "MlxJaccl")]), "rdma");
        assert_eq!(chosen(&[tensor("slow", "MlxRing"), ring("ring", 2)]), "ring");
    }

    #[test]
    fn a_person_may_want_it_otherwise() {
        let body = json!({ "previews": [preview("rdma", 2, "MlxJaccl", "Tensor"), preview("ring", 3, "MlxRing", "Pipeline")] });
        let previews = read_previews(body.to_string().as_bytes()).unwrap();
        let so = |how: How| {
            previews.iter().filter(|one| how.is(&one.instance)).map(|one| one.instance.id.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(so(How::default()), ["rdma", "ring"]);
        assert_eq!(so(How { sharding: Some(Sharding::Pipeline), ..How::default() }), ["ring"]);
        assert_eq!(so(How { rdma: Some(true), ..How::default() }), ["rdma"]);
        assert_eq!(so(How { least_macs: Some(3), ..How::default() }), ["ring"]);
        assert!(so(How { rdma: Some(true), least_macs: Some(3), ..How::default() }).is_empty());
    }

    #[test]
    fn a_model_without_a_place_says_exos_reason() {
        let body = br#"{"previews":[{"model_id":"m","sharding":"Pipeline","instance_meta":"MlxRing","instance":null,
            "memory_delta_by_node":null,"error":"No cycles found with sufficient memory"}]}"#;
        let why = read_previews(body).unwrap_err();
        assert_eq!(why.to_string(), "exo finds no place for it: No cycles found with sufficient memory");
        assert_eq!(read_previews(b"<html>").unwrap_err(), PreviewError::Unreadable);
        assert!(read_previews(br#"{"previews":[{"instance":{"MlxRingInstance":{}}}]}"#).is_err());
    }
}
