//! The placements that exo offers for a model, and which of them is taken.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::instance::InstanceId;

/// Where previews are asked for, with `?model_id=`.
pub const PREVIEWS: &str = "/instance/previews";
/// Where a chosen one is posted.
pub const INSTANCE: &str = "/instance";

/// A placement that would work.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The id that the instance will have.
    pub id: InstanceId,
    /// How many Macs it takes.
    pub macs: usize,
    /// Whether its parts talk by RDMA.
    pub rdma: bool,
    /// Whether each Mac computes a slice of every layer: faster than a pipeline where the link is.
    pub tensor: bool,
    /// The body to post, as exo said it.
    pub body: Value,
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
    let places: Vec<Preview> = previews.iter().filter_map(preview).collect();
    if !places.is_empty() {
        return Ok(places);
    }
    let reasons: BTreeSet<&str> = previews.iter().filter_map(|preview| preview["error"].as_str()).collect();
    match reasons.into_iter().next() {
        Some(reason) => Err(PreviewError::NoPlace(reason.to_owned())),
        None => Err(PreviewError::NoPlace("it offers none".to_owned())),
    }
}

fn preview(preview: &Value) -> Option<Preview> {
    if !preview["error"].is_null() {
        return None;
    }
    let (kind, instance) = preview["instance"].as_object()?.iter().next()?;
    Some(Preview {
        id: instance["instanceId"].as_str()?.to_owned(),
        macs: instance["shardAssignments"]["nodeToRunner"].as_object()?.len(),
        rdma: kind == super::instance::RDMA_INSTANCE,
        tensor: preview["sharding"] == "Tensor",
        body: serde_json::json!({ "instance": preview["instance"] }),
    })
}

/// The one to take: on the fewest Macs, and of those the fastest. More Macs give more room, not more speed.
#[must_use]
pub fn choose(previews: Vec<Preview>) -> Option<Preview> {
    previews.into_iter().min_by_key(|preview| (preview.macs, !(preview.rdma && preview.tensor), preview.tensor))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn preview(id: &str, macs: usize, meta: &str, sharding: &str) -> Value {
        let nodes: serde_json::Map<String, Value> = (0..macs).map(|n| (format!("n{n}"), json!("r"))).collect();
        json!({ "model_id": "m", "sharding": sharding, "instance_meta": meta, "error": null, "instance":
            { format!("{meta}Instance"): { "instanceId": id, "shardAssignments": { "nodeToRunner": nodes } } } })
    }

    fn chosen(previews: &[Value]) -> String {
        choose(read_previews(json!({ "previews": previews }).to_string().as_bytes()).unwrap()).unwrap().id
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
    fn a_model_without_a_place_says_exos_reason() {
        let body = br#"{"previews":[{"model_id":"m","sharding":"Pipeline","instance_meta":"MlxRing","instance":null,
            "memory_delta_by_node":null,"error":"No cycles found with sufficient memory"}]}"#;
        let why = read_previews(body).unwrap_err();
        assert_eq!(why.to_string(), "exo finds no place for it: No cycles found with sufficient memory");
        assert_eq!(read_previews(b"<html>").unwrap_err(), PreviewError::Unreadable);
        assert!(read_previews(br#"{"previews":[{"instance":{"MlxRingInstance":{}}}]}"#).is_err());
    }
}
