//! The Macs of a cluster, put together from exo's documents; everything about one is optional but that it is there.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::instance::{Instance, Phase};
use super::links::{self, Edge, Edges, Interface, Port};
use super::words;
use crate::memory::MIB;
use crate::snapshot::LinkKind;

/// exo's id of a node; a new one each time exo starts there.
pub type NodeId = String;

/// RDMA needs Thunderbolt 5 (Apple TN3205), whose ports run at least this fast (Gb/s).
pub const THUNDERBOLT_5: u32 = 80;
/// exo pools two to six Macs. A document with more than this many is nonsense, and must not cost the square of it.
pub(super) const MOST: usize = 16;
/// Nodes that a document tells of; exo remembers each that ever started.
const MOST_KNOWN: usize = 1024;

/// Something of each node.
pub(super) type ByNode<T> = BTreeMap<NodeId, T>;

/// What exo told of its nodes, document by document.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    pub(super) asked: Option<NodeId>,
    pub(super) there: BTreeSet<NodeId>,
    pub(super) edges: Edges,
    pub(super) identities: ByNode<Identity>,
    pub(super) memory: ByNode<Ram>,
    pub(super) system: ByNode<System>,
    pub(super) interfaces: ByNode<Vec<Interface>>,
    pub(super) ports: ByNode<Vec<Port>>,
    pub(super) rdma: ByNode<bool>,
    pub(super) disks: ByNode<Disk>,
    /// Macs whose Thunderbolt bridges form a loop.
    pub(super) loops: Vec<Vec<NodeId>>,
}

/// Who a node is. All of it is shown, so all of it is plain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) name: Option<String>,
    model: Option<String>,
    chip: Option<String>,
    os: Option<String>,
    build: Option<String>,
}

/// Its memory (MiB).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ram {
    installed: Option<u64>,
    free: Option<u64>,
    swapped: Option<u64>,
}

/// The disk that holds its models (MiB).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Disk {
    size: Option<u64>,
    free: Option<u64>,
}

/// How busy it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct System {
    gpu_percent: Option<u8>,
    cpu_percent: Option<u8>,
    gpu_celsius: Option<u32>,
    watts: Option<u32>,
}

/// One Mac.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// exo's id of it.
    pub id: NodeId,
    /// What it calls itself, once it has told.
    pub name: Option<String>,
    /// Whether it is the one that was asked.
    pub asked: bool,
    /// `Mac Studio`.
    pub model: Option<String>,
    /// `Apple M3 Ultra`.
    pub chip: Option<String>,
    /// `26.2`.
    pub os: Option<String>,
    /// `25C56`.
    pub build: Option<String>,
    /// Installed memory (MiB).
    pub installed_mib: Option<u64>,
    /// Free memory (MiB).
    pub free_mib: Option<u64>,
    /// Memory that was moved to its disk (MiB).
    pub swapped_mib: Option<u64>,
    /// The placed weights on it (MiB).
    pub models_mib: u64,
    /// The disk that holds its models (MiB).
    pub disk_mib: Option<u64>,
    /// What is free there (MiB).
    pub disk_free_mib: Option<u64>,
    /// 0–100.
    pub gpu_percent: Option<u8>,
    /// Of its fast cores, 0–100.
    pub cpu_percent: Option<u8>,
    /// Degrees Celsius.
    pub gpu_celsius: Option<u32>,
    /// What it draws.
    pub watts: Option<u32>,
    /// Its fastest Thunderbolt port (Gb/s), where the system says.
    pub thunderbolt_gbit_per_s: Option<u32>,
    /// Whether RDMA is turned on; `None` where it has not told.
    pub rdma: Option<bool>,
    /// The fastest link to each of the others that it has one to.
    pub links: BTreeMap<NodeId, LinkKind>,
}

/// The Macs that are there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cluster {
    /// The asked one first, then by name.
    pub members: Vec<Member>,
    /// Those whose Thunderbolt bridges form a loop.
    pub loops: Vec<Vec<NodeId>>,
}

impl Cluster {
    /// The Mac with this id.
    #[must_use]
    pub fn member(&self, id: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.id == id)
    }

    /// The one that was asked.
    #[must_use]
    pub fn asked(&self) -> Option<&Member> {
        self.members.iter().find(|member| member.asked)
    }
}

impl Nodes {
    /// Who is there. Members are those of the topology: exo keeps the names of dead ones for ever.
    pub(super) fn cluster(&self, instances: &[(Instance, Phase)]) -> Cluster {
        let mut members: Vec<Member> = self.there.iter().map(|id| self.member(id, instances)).collect();
        members.sort_by(|a, b| b.asked.cmp(&a.asked).then_with(|| a.name.cmp(&b.name)).then_with(|| a.id.cmp(&b.id)));
        Cluster { members, loops: self.loops.clone() }
    }

    fn member(&self, id: &NodeId, instances: &[(Instance, Phase)]) -> Member {
        let who = self.identities.get(id).cloned().unwrap_or_default();
        let ram = self.memory.get(id).copied().unwrap_or_default();
        let disk = self.disks.get(id).copied().unwrap_or_default();
        let system = self.system.get(id).copied().unwrap_or_default();
        let weights = instances.iter().fold(0_u64, |sum, (instance, _)| sum.saturating_add(instance.weights_on(id)));
        Member {
            asked: self.asked.as_ref() == Some(id),
            name: who.name,
            model: who.model,
            chip: who.chip,
            os: who.os,
            build: who.build,
            installed_mib: ram.installed,
            free_mib: ram.free,
            swapped_mib: ram.swapped,
            models_mib: weights / MIB,
            disk_mib: disk.size,
            disk_free_mib: disk.free,
            gpu_percent: system.gpu_percent,
            cpu_percent: system.cpu_percent,
            gpu_celsius: system.gpu_celsius,
            watts: system.watts,
            thunderbolt_gbit_per_s: self.ports.get(id).into_iter().flatten().filter_map(|port| port.gbit_per_s).max(),
            rdma: self.rdma.get(id).copied(),
            links: self.links(id),
            id: id.clone(),
        }
    }

    fn links(&self, id: &NodeId) -> BTreeMap<NodeId, LinkKind> {
        let others = self.there.iter().filter(|other| *other != id);
        others.filter_map(|other| Some((other.clone(), self.link(id, other)?))).collect()
    }

    /// The fastest link in either direction.
    fn link(&self, one: &NodeId, other: &NodeId) -> Option<LinkKind> {
        let towards = |from: &NodeId, to: &NodeId| {
            let edges = self.edges.get(from).and_then(|ends| ends.get(to)).map_or(&[][..], Vec::as_slice);
            edges.iter().map(|edge| self.kind(edge, to)).min()
        };
        [towards(one, other), towards(other, one)].into_iter().flatten().min()
    }

    fn kind(&self, edge: &Edge, to: &NodeId) -> LinkKind {
        let interfaces = self.interfaces.get(to).map_or(&[][..], Vec::as_slice);
        let ports = self.ports.get(to).map_or(&[][..], Vec::as_slice);
        links::kind(edge, interfaces, ports)
    }

    /// The slowest of the links that the parts of an instance talk over; `None` where it has one part, or does not say.
    pub(super) fn used_link(&self, instance: &Instance) -> Option<LinkKind> {
        if instance.is_rdma() {
            return Some(LinkKind::Rdma);
        }
        // An address says whose it is; those of Macs that are no neighbours in the ring are nobody's.
        let owner = |address: &str| {
            let mut nodes = instance.nodes();
            nodes.find(|node| self.interfaces.get(*node).is_some_and(|own| links::owns(own, address)))
        };
        let used = instance
            .addresses()
            .filter_map(|address| Some(self.kind(&Edge::Socket(address.to_owned()), owner(address)?)));
        used.max()
    }
}

/// A document with one entry for each node.
pub(super) fn by_node<T>(document: &Value, read: impl Fn(&Value) -> T) -> ByNode<T> {
    let nodes = document.as_object().into_iter().flatten();
    let named = nodes.filter_map(|(id, value)| Some((words::id(id)?.to_owned(), read(value))));
    named.take(MOST_KNOWN).collect()
}

pub(super) fn read_identity(value: &Value) -> Identity {
    // A Linux node calls what it does not know "Unknown …".
    let text = |key: &str| words::text(&value[key]).filter(|text| !text.starts_with("Unknown"));
    Identity {
        name: text("friendlyName"),
        model: text("modelId"),
        chip: text("chipId"),
        os: text("osVersion"),
        build: text("osBuildVersion"),
    }
}

pub(super) fn read_ram(value: &Value) -> Ram {
    let installed = mib(&value["ramTotal"]);
    let swapped = mib(&value["swapTotal"]).zip(mib(&value["swapAvailable"]));
    Ram {
        installed,
        // What is free is a part of what is there, whatever the document says.
        free: mib(&value["ramAvailable"]).map(|free| installed.map_or(free, |installed| free.min(installed))),
        swapped: swapped.map(|(all, free)| all.saturating_sub(free)),
    }
}

pub(super) fn read_disk(value: &Value) -> Disk {
    Disk { size: mib(&value["total"]), free: mib(&value["available"]) }
}

pub(super) fn read_system(value: &Value) -> System {
    let percent = |value: &Value| whole(value, 100.0).and_then(|percent| u8::try_from(percent.min(100)).ok());
    System {
        gpu_percent: percent(&value["gpuUsage"]),
        cpu_percent: percent(&value["pcpuUsage"]),
        gpu_celsius: whole(&value["temp"], 1.0),
        watts: whole(&value["sysPower"], 1.0),
    }
}

/// Reads `thunderboltBridgeCycles`.
pub(super) fn read_loops(value: &Value) -> Vec<Vec<NodeId>> {
    let nodes = |cycle: &Value| -> Vec<NodeId> {
        let ids = cycle.as_array().into_iter().flatten().filter_map(Value::as_str).filter_map(words::id);
        ids.take(MOST).map(str::to_owned).collect()
    };
    let loops = value.as_array().into_iter().flatten().map(nodes);
    // Two bridges face to face are one cable.
    loops.filter(|nodes| nodes.len() > 2).take(MOST).collect()
}

/// exo's sizes are `{"inBytes": n}`.
fn mib(value: &Value) -> Option<u64> {
    value["inBytes"].as_u64().map(|bytes| bytes / MIB)
}

/// A fraction or a reading, as a whole number of `unit`s.
fn whole(value: &Value, unit: f64) -> Option<u32> {
    let scaled = (value.as_f64()? * unit).round();
    // Rounded and in range: nothing is lost.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range, as the condition says")]
    (0.0..=f64::from(u32::MAX)).contains(&scaled).then_some(scaled as u32)
}
