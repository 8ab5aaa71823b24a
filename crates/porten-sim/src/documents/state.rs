//! `/state`, whole or one of its sections.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::card::Card;
use super::download::Download;
use super::instance::Instance;
use super::member::{
    Bridge, Disk, Edge, Identity, Interfaces, MemoryUse, NetworkInterface, RdmaCtl, System, ThunderboltInterface,
};
use super::runner::RunnerStatus;
use super::table::Table;
use super::task::Task;

/// A time as Python writes it: six digits of a second, or none, and `Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(pub(crate) Timestamp);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let is_whole = self.0.subsec_nanosecond() / 1_000 == 0;
        if is_whole {
            serializer.collect_str(&format_args!("{:.0}", self.0))
        } else {
            serializer.collect_str(&format_args!("{:.6}", self.0))
        }
    }
}

/// Nodes, and from → to → ways.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Topology {
    pub(crate) nodes: Vec<String>,
    pub(crate) connections: Table<Table<Vec<Edge>>>,
}

/// All that exo tells of its cluster.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct State {
    pub(crate) instances: Table<Arc<Instance>>,
    pub(crate) runners: Table<RunnerStatus>,
    pub(crate) downloads: Table<Vec<Download>>,
    pub(crate) tasks: Table<Task>,
    pub(crate) last_seen: Table<Stamp>,
    pub(crate) topology: Topology,
    /// -1 if nothing ever happened.
    pub(crate) last_event_applied_idx: i64,
    pub(crate) node_identities: Table<Identity>,
    pub(crate) node_memory: Table<MemoryUse>,
    pub(crate) node_disk: Table<Disk>,
    pub(crate) node_system: Table<System>,
    pub(crate) node_network: Table<Interfaces<NetworkInterface>>,
    pub(crate) node_thunderbolt: Table<Interfaces<ThunderboltInterface>>,
    pub(crate) node_thunderbolt_bridge: Table<Bridge>,
    pub(crate) node_rdma_ctl: Table<RdmaCtl>,
    pub(crate) node_backends: Table<[&'static str; 2]>,
    pub(crate) thunderbolt_bridge_cycles: Vec<Vec<String>>,
    pub(crate) instance_links: Table<Value>,
    pub(crate) prefill_server_ports: Table<Value>,
    pub(crate) custom_model_cards: Table<Arc<Card>>,
}

impl State {
    /// The state of a node that knows nothing yet.
    pub(crate) fn empty() -> Self {
        Self { last_event_applied_idx: -1, ..Self::default() }
    }

    /// One section as a value; nothing if there is none of that name.
    pub(crate) fn section(&self, name: &str) -> Option<Value> {
        let value = match name {
            "instances" => serde_json::to_value(&self.instances),
            "runners" => serde_json::to_value(&self.runners),
            "downloads" => serde_json::to_value(&self.downloads),
            "tasks" => serde_json::to_value(&self.tasks),
            "lastSeen" => serde_json::to_value(&self.last_seen),
            "topology" => serde_json::to_value(&self.topology),
            "lastEventAppliedIdx" => serde_json::to_value(self.last_event_applied_idx),
            "nodeIdentities" => serde_json::to_value(&self.node_identities),
            "nodeMemory" => serde_json::to_value(&self.node_memory),
            "nodeDisk" => serde_json::to_value(&self.node_disk),
            "nodeSystem" => serde_json::to_value(&self.node_system),
            "nodeNetwork" => serde_json::to_value(&self.node_network),
            "nodeThunderbolt" => serde_json::to_value(&self.node_thunderbolt),
            "nodeThunderboltBridge" => serde_json::to_value(&self.node_thunderbolt_bridge),
            "nodeRdmaCtl" => serde_json::to_value(&self.node_rdma_ctl),
            "nodeBackends" => serde_json::to_value(&self.node_backends),
            "thunderboltBridgeCycles" => serde_json::to_value(&self.thunderbolt_bridge_cycles),
            "instanceLinks" => serde_json::to_value(&self.instance_links),
            "prefillServerPorts" => serde_json::to_value(&self.prefill_server_ports),
            "customModelCards" => serde_json::to_value(&self.custom_model_cards),
            _ => return None,
        };
        value.ok()
    }
}
