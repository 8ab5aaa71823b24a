//! What exo answered to one document, read. Whoever fetched it reads it, so that the loop never waits for a parser.

use serde_json::Value;

use super::document::Document;
use super::heartbeat::{Stamps, read_stamps};
use super::instance::{Downloads, Instance, Runners, read_downloads, read_instances, read_runners};
use super::links::{Edges, Interface, Port, read_edges, read_interfaces, read_ports};
use super::members::{
    ByNode, Disk, Identity, MOST, NodeId, Ram, System, by_node, read_disk, read_identity, read_loops, read_ram,
    read_system,
};
use super::words::id;
use crate::reply::Reply;

/// The answer to one document.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub(super) document: Document,
    pub(super) said: Said,
}

/// What it says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    /// Nothing came back: nothing is known.
    Lost,
    /// Another status than 200, or no JSON.
    Refused,
    NodeId(Option<NodeId>),
    LastSeen(Stamps),
    Instances(Vec<Instance>),
    Runners(Runners),
    Topology(Vec<NodeId>, Edges),
    Identities(ByNode<Identity>),
    Memory(ByNode<Ram>),
    System(ByNode<System>),
    Network(ByNode<Vec<Interface>>),
    Thunderbolt(ByNode<Vec<Port>>),
    Rdma(ByNode<bool>),
    BridgeLoops(Vec<Vec<NodeId>>),
    Disk(ByNode<Disk>),
    Downloads(Downloads),
}

impl Answer {
    /// Reads a reply. Takes time in proportion to its length (a megabyte: some 10 ms): not on the loop.
    #[must_use]
    pub fn read(document: Document, reply: &Reply) -> Self {
        let said = match reply {
            Reply::Lost => Said::Lost,
            Reply::Answer { status: 200, body, .. } => {
                serde_json::from_slice(body).map_or(Said::Refused, |value| read(document, &value))
            }
            Reply::Answer { .. } => Said::Refused,
        };
        Self { document, said }
    }

    /// Which document was asked for.
    #[must_use]
    pub const fn document(&self) -> Document {
        self.document
    }

    /// Whether nothing came back.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.said == Said::Lost
    }
}

fn read(document: Document, value: &Value) -> Said {
    match document {
        Document::NodeId => Said::NodeId(value.as_str().and_then(id).map(str::to_owned)),
        Document::LastSeen => Said::LastSeen(read_stamps(value)),
        Document::Instances => Said::Instances(read_instances(value)),
        Document::Runners => Said::Runners(read_runners(value)),
        Document::Topology => {
            let there = value["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str).filter_map(id);
            Said::Topology(there.take(MOST).map(str::to_owned).collect(), read_edges(&value["connections"]))
        }
        Document::Identities => Said::Identities(by_node(value, read_identity)),
        Document::Memory => Said::Memory(by_node(value, read_ram)),
        Document::System => Said::System(by_node(value, read_system)),
        Document::Network => Said::Network(by_node(value, read_interfaces)),
        Document::Thunderbolt => Said::Thunderbolt(by_node(value, read_ports)),
        Document::Rdma => Said::Rdma(by_node(value, |told| told["enabled"] == true)),
        Document::BridgeLoops => Said::BridgeLoops(read_loops(value)),
        Document::Disk => Said::Disk(by_node(value, read_disk)),
        Document::Downloads => Said::Downloads(read_downloads(value)),
    }
}
