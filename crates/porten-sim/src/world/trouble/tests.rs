//! Whole troubles, without a clock or a socket.

mod members;
mod recorded;
mod shown;
mod wires;
mod work;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::documents::state::State;
use crate::trouble;
pub(super) use crate::world::World;
pub(super) use crate::world::tests::{LARGE, SMALL, ask, pass, ring, runners, section, world};

/// Switches a trouble on.
pub(super) fn order(world: &mut World, text: &str) {
    let order = trouble::read(text, &world.known()).unwrap_or_else(|error| panic!("{error}"));
    world.order(order);
}

/// The names of a section's entries, in words of the Macs' names.
pub(super) fn names(world: &World, name: &str) -> Vec<String> {
    section(world, name).as_object().unwrap().keys().map(|node| mac_of(world, node)).collect()
}

/// The Macs of the topology.
pub(super) fn topology(world: &World) -> Vec<String> {
    let nodes = section(world, "topology")["nodes"].clone();
    nodes.as_array().unwrap().iter().map(|node| mac_of(world, node.as_str().unwrap())).collect()
}

/// A node's Mac; a node that is none keeps its id.
fn mac_of(world: &World, node: &str) -> String {
    world.member(node).map_or_else(|| node.to_owned(), |member| member.mac.name.clone())
}

/// `from->to` with what leads there.
pub(super) fn edges(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut edges = BTreeMap::new();
    let connections = section(world, "topology")["connections"].clone();
    for (from, ways) in connections.as_object().unwrap() {
        for (to, list) in ways.as_object().unwrap() {
            let words = list.as_array().unwrap().iter().map(|edge| {
                edge["sinkMultiaddr"]["ip_address"].as_str().map_or_else(|| "rdma".to_owned(), str::to_owned)
            });
            edges.insert(format!("{}->{}", mac_of(world, from), mac_of(world, to)), words.collect());
        }
    }
    edges
}

/// How many instances `/state` has.
pub(super) fn instances(world: &World) -> usize {
    section(world, "instances").as_object().unwrap().len()
}

/// What `/state` says of a Mac in a section.
pub(super) fn of_mac(world: &World, section: &str, name: &str) -> Value {
    let node = world.node_of(name).unwrap();
    crate::world::tests::section(world, section)[&node].clone()
}

pub(super) fn stamp(world: &World, name: &str) -> String {
    of_mac(world, "lastSeen", name).as_str().unwrap_or_default().to_owned()
}

pub(super) fn is_empty(state: &State) -> bool {
    let value = serde_json::to_value(state).unwrap();
    let is_hollow = |part: &Value| {
        part.as_object().is_none_or(|object| {
            object.values().all(|one| {
                one.as_array().is_some_and(Vec::is_empty) || one.as_object().is_some_and(serde_json::Map::is_empty)
            })
        })
    };
    value
        .as_object()
        .unwrap()
        .iter()
        .all(|(name, part)| if name == "lastEventAppliedIdx" { *part == -1 } else { is_hollow(part) })
}
