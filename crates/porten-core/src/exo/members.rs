//! The Macs of a cluster, put together from exo's documents; everything about one is optional but that it is there.

use std::collections::BTreeMap;

use serde_json::Value;

use super::instance::Instance;
use super::links::{self, Edges, Interface};
use crate::snapshot::LinkKind;

/// exo's id of a node; a new one each time exo starts there.
pub type NodeId = String;

/// Bytes in a MiB.
pub(super) const MIB: u64 = 1024 * 1024;

/// What exo told of its nodes, document by document.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    pub(super) asked: Option<NodeId>,
    pub(super) there: Vec<NodeId>,
    pub(super) edges: Edges,
    pub(super) identities: BTreeMap<NodeId, Identity>,
    pub(super) memory: BTreeMap<NodeId, Ram>,
    pub(super) system: BTreeMap<NodeId, System>,
    pub(super) interfaces: BTreeMap<NodeId, Vec<Interface>>,
    pub(super) ports: BTreeMap<NodeId, Vec<String>>,
}

/// Who a node is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Identity {
    name: Option<String>,
    model: Option<String>,
    chip: Option<String>,
    os: Option<String>,
}

/// Its memory (MiB).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ram {
    installed: Option<u64>,
    free: Option<u64>,
}

/// How busy it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct System {
    gpu_percent: Option<u8>,
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
    /// Installed memory (MiB).
    pub installed_mib: Option<u64>,
    /// Free memory (MiB).
    pub free_mib: Option<u64>,
    /// The placed weights on it (MiB).
    pub models_mib: u64,
    /// 0–100.
    pub gpu_percent: Option<u8>,
    /// Degrees Celsius.
    pub gpu_celsius: Option<u32>,
    /// What it draws.
    pub watts: Option<u32>,
    /// The fastest link to the one that was asked.
    pub link: Option<LinkKind>,
}

/// The Macs that are there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cluster {
    /// The asked one first, then by name.
    pub members: Vec<Member>,
}

impl Cluster {
    /// Installed in all of them (MiB); `None` until each has told.
    #[must_use]
    pub fn installed_mib(&self) -> Option<u64> {
        if self.members.is_empty() {
            return None;
        }
        self.members.iter().map(|member| member.installed_mib).sum()
    }
}

impl Nodes {
    /// Who is there. Members are those of the topology: exo keeps the names of dead ones for ever.
    pub(super) fn cluster(&self, instances: &[Instance]) -> Cluster {
        let mut members: Vec<Member> = self.there.iter().map(|id| self.member(id, instances)).collect();
        members.sort_by(|a, b| b.asked.cmp(&a.asked).then_with(|| a.name.cmp(&b.name)).then_with(|| a.id.cmp(&b.id)));
        Cluster { members }
    }

    fn member(&self, id: &NodeId, instances: &[Instance]) -> Member {
        let who = self.identities.get(id).cloned().unwrap_or_default();
        let ram = self.memory.get(id).copied().unwrap_or_default();
        let system = self.system.get(id).copied().unwrap_or_default();
        Member {
            asked: self.asked.as_ref() == Some(id),
            name: who.name,
            model: who.model,
            chip: who.chip,
            os: who.os,
            installed_mib: ram.installed,
            free_mib: ram.free,
            models_mib: instances.iter().map(|instance| instance.weights_on(id)).sum::<u64>() / MIB,
            gpu_percent: system.gpu_percent,
            gpu_celsius: system.gpu_celsius,
            watts: system.watts,
            link: self.asked.as_ref().and_then(|asked| self.link(asked, id)),
            id: id.clone(),
        }
    }

    /// The fastest link in either direction.
    fn link(&self, one: &NodeId, other: &NodeId) -> Option<LinkKind> {
        if one == other {
            return None;
        }
        let towards = |from: &NodeId, to: &NodeId| {
            let edges = self.edges.get(from).and_then(|ends| ends.get(to)).map_or(&[][..], Vec::as_slice);
            let interfaces = self.interfaces.get(to).map_or(&[][..], Vec::as_slice);
            let ports = self.ports.get(to).map_or(&[][..], Vec::as_slice);
            edges.iter().map(|edge| links::kind(edge, interfaces, ports)).min()
        };
        [towards(one, other), towards(other, one)].into_iter().flatten().min()
    }
}

/// A document with one entry for each node.
pub(super) fn by_node<T>(document: &Value, read: impl Fn(&Value) -> T) -> BTreeMap<NodeId, T> {
    document.as_object().into_iter().flatten().map(|(id, value)| (id.clone(), read(value))).collect()
}

pub(super) fn read_identity(value: &Value) -> Identity {
    // A Linux node calls what it does not know "Unknown …".
    let text = |key: &str| {
        value[key].as_str().filter(|text| !text.is_empty() && !text.starts_with("Unknown")).map(str::to_owned)
    };
    Identity { name: text("friendlyName"), model: text("modelId"), chip: text("chipId"), os: text("osVersion") }
}

pub(super) fn read_ram(value: &Value) -> Ram {
    let mib = |key: &str| value[key]["inBytes"].as_u64().map(|bytes| bytes / MIB);
    Ram { installed: mib("ramTotal"), free: mib("ramAvailable") }
}

pub(super) fn read_system(value: &Value) -> System {
    System {
        gpu_percent: whole(&value["gpuUsage"], 100.0).and_then(|percent| u8::try_from(percent.min(100)).ok()),
        gpu_celsius: whole(&value["temp"], 1.0),
        watts: whole(&value["sysPower"], 1.0),
    }
}

/// A fraction or a reading, as a whole number of `unit`s.
fn whole(value: &Value, unit: f64) -> Option<u32> {
    let scaled = (value.as_f64()? * unit).round();
    // Rounded and in range: nothing is lost.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range, as the condition says")]
    (0.0..=f64::from(u32::MAX)).contains(&scaled).then_some(scaled as u32)
}
