//! What exo reports of each node, and of the links between them.

use serde::Serialize;

use super::card::Memory;

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Identity {
    /// The marketing name, like "Mac Studio".
    pub(crate) model_id: &'static str,
    pub(crate) chip_id: &'static str,
    /// The Mac's own name.
    pub(crate) friendly_name: String,
    pub(crate) os_version: &'static str,
    pub(crate) os_build_version: &'static str,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemoryUse {
    pub(crate) ram_total: Memory,
    pub(crate) ram_available: Memory,
    pub(crate) swap_total: Memory,
    pub(crate) swap_available: Memory,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Disk {
    pub(crate) total: Memory,
    pub(crate) available: Memory,
}

/// Load and heat. Usages are fractions of one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct System {
    pub(crate) gpu_usage: f64,
    /// Of the GPU, in °C.
    pub(crate) temp: f64,
    /// Watts.
    pub(crate) sys_power: f64,
    pub(crate) pcpu_usage: f64,
    pub(crate) ecpu_usage: f64,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Interfaces<T> {
    pub(crate) interfaces: Vec<T>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NetworkInterface {
    pub(crate) name: String,
    pub(crate) ip_address: String,
    pub(crate) interface_type: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ThunderboltInterface {
    pub(crate) rdma_interface: String,
    pub(crate) domain_uuid: String,
    pub(crate) link_speed: &'static str,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Bridge {
    pub(crate) enabled: bool,
    pub(crate) exists: bool,
    pub(crate) service_name: &'static str,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct RdmaCtl {
    pub(crate) enabled: bool,
}

/// A way from one node to another. Told apart by their keys.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub(crate) enum Edge {
    Rdma { source_rdma_iface: String, sink_rdma_iface: String },
    Socket { sink_multiaddr: Multiaddr },
}

/// snake_case, unlike what surrounds it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Multiaddr {
    pub(crate) address: String,
    pub(crate) address_type: &'static str,
    pub(crate) ip_address: String,
    pub(crate) port: u16,
}
