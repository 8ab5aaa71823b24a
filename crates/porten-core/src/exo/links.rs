//! How two Macs are linked: exo lists the ends of each link, and each Mac its interfaces.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use super::members::{MOST, NodeId};
use super::words;
use crate::snapshot::LinkKind;

/// One end of a link, as it leads from one node to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Edge {
    /// RDMA over Thunderbolt.
    Rdma,
    /// An address of the other node that answers.
    Socket(String),
    /// A word from another exo.
    Unknown,
}

/// A network interface of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interface {
    name: String,
    address: String,
    kind: String,
}

/// Ends between two nodes, and interfaces of one, that are looked at: each end is held against each interface.
const MOST_ENDS: usize = 32;
/// Nodes with links; a few are of Macs that have just left.
const MOST_LINKED: usize = 4 * MOST;

/// From node to node.
pub(super) type Edges = BTreeMap<NodeId, BTreeMap<NodeId, Vec<Edge>>>;

/// Reads `topology.connections`.
pub(super) fn read_edges(connections: &Value) -> Edges {
    let nodes = connections.as_object().into_iter().flatten();
    let ends = |edges: &Value| edges.as_array().into_iter().flatten().take(MOST_ENDS).map(edge).collect();
    let read = |(from, to): (&String, &Value)| {
        let to = to.as_object().into_iter().flatten();
        let to = to.filter_map(|(to, edges)| Some((words::id(to)?.to_owned(), ends(edges))));
        Some((words::id(from)?.to_owned(), to.take(MOST_LINKED).collect()))
    };
    nodes.filter_map(read).take(MOST_LINKED).collect()
}

fn edge(edge: &Value) -> Edge {
    if edge.get("sourceRdmaIface").is_some() {
        return Edge::Rdma;
    }
    match edge["sinkMultiaddr"]["ip_address"].as_str().and_then(words::id) {
        Some(ip) => Edge::Socket(ip.to_owned()),
        None => Edge::Unknown,
    }
}

/// Reads one node of `nodeNetwork`.
pub(super) fn read_interfaces(network: &Value) -> Vec<Interface> {
    let text = |value: &Value| value.as_str().and_then(words::id).unwrap_or_default().to_owned();
    let interfaces = network["interfaces"].as_array().into_iter().flatten();
    interfaces
        .take(MOST_ENDS)
        .map(|one| Interface {
            name: text(&one["name"]),
            address: text(&one["ipAddress"]),
            kind: text(&one["interfaceType"]),
        })
        .collect()
}

/// A Thunderbolt port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Port {
    /// Its RDMA interface, like `rdma_en3`.
    interface: String,
    /// Its speed (Gb/s), where the system says.
    pub(super) gbit_per_s: Option<u32>,
}

/// Reads one node of `nodeThunderbolt`.
pub(super) fn read_ports(thunderbolt: &Value) -> Vec<Port> {
    let ports = thunderbolt["interfaces"].as_array().into_iter().flatten();
    let port = |port: &Value| {
        let gbit_per_s = port["linkSpeed"].as_str().and_then(speed);
        Some(Port { interface: port["rdmaInterface"].as_str().and_then(words::id)?.to_owned(), gbit_per_s })
    };
    ports.filter_map(port).take(MOST_ENDS).collect()
}

/// The number in the system's own words: `Up to 80 Gb/s`.
fn speed(words: &str) -> Option<u32> {
    words.split(|c: char| !c.is_ascii_digit()).find(|digits| !digits.is_empty())?.parse().ok()
}

/// The kind of a link that leads to a node with these interfaces and Thunderbolt ports.
pub(super) fn kind(edge: &Edge, interfaces: &[Interface], ports: &[Port]) -> LinkKind {
    let address = match edge {
        Edge::Rdma => return LinkKind::Rdma,
        Edge::Unknown => return LinkKind::Other,
        Edge::Socket(address) => address,
    };
    if is_vpn(address) {
        return LinkKind::Other;
    }
    let Some(interface) = interfaces.iter().find(|interface| interface.address == *address) else {
        return LinkKind::Other;
    };
    // exo says `maybe_ethernet` of every port beyond en1, also of Thunderbolt ones.
    let is_port = ports.iter().any(|port| port.interface.strip_prefix("rdma_") == Some(interface.name.as_str()));
    match interface.kind.as_str() {
        "thunderbolt" => LinkKind::ThunderboltIp,
        "maybe_ethernet" if is_port => LinkKind::ThunderboltIp,
        "ethernet" | "maybe_ethernet" => LinkKind::Ethernet,
        "wifi" => LinkKind::WiFi,
        _ => LinkKind::Other,
    }
}

/// Whether this address is one of these interfaces'.
pub(super) fn owns(interfaces: &[Interface], address: &str) -> bool {
    interfaces.iter().any(|interface| interface.address == address)
}

/// Shared address space (RFC 6598): on a Mac that is a VPN such as Tailscale.
fn is_vpn(address: &str) -> bool {
    matches!(address.parse(), Ok(IpAddr::V4(ip)) if ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_kind_is_that_of_the_interface_the_address_belongs_to() {
        let interfaces = read_interfaces(&json!({ "interfaces": [
            { "name": "en0", "ipAddress": "192.168.1.11", "interfaceType": "ethernet" },
            { "name": "en1", "ipAddress": "192.168.1.12", "interfaceType": "wifi" },
            { "name": "en3", "ipAddress": "169.254.3.4", "interfaceType": "maybe_ethernet" },
            { "name": "en9", "ipAddress": "10.0.0.9", "interfaceType": "maybe_ethernet" },
            { "name": "bridge0", "ipAddress": "10.0.1.1", "interfaceType": "thunderbolt" },
            { "name": "utun4", "ipAddress": "10.8.0.1", "interfaceType": "unknown" },
            { "name": "utun5", "ipAddress": "100.101.102.103", "interfaceType": "ethernet" },
        ] }));
        let ports =
            read_ports(&json!({ "interfaces": [{ "rdmaInterface": "rdma_en3", "linkSpeed": "Up to 80 Gb/s" }] }));
        assert_eq!(ports[0].gbit_per_s, Some(80));
        let edges = read_edges(&json!({ "a": { "b": [
            { "sourceRdmaIface": "rdma_en3", "sinkRdmaIface": "rdma_en3" },
            { "sinkMultiaddr": { "ip_address": "192.168.1.11" } },
            { "sinkMultiaddr": { "ip_address": "192.168.1.12" } },
            { "sinkMultiaddr": { "ip_address": "169.254.3.4" } },
            { "sinkMultiaddr": { "ip_address": "10.0.0.9" } },
            { "sinkMultiaddr": { "ip_address": "10.0.1.1" } },
            { "sinkMultiaddr": { "ip_address": "10.8.0.1" } },
            { "sinkMultiaddr": { "ip_address": "100.101.102.103" } },
            { "sinkMultiaddr": { "ip_address": "172.16.0.1" } },
            { "quantumEntanglement": true },
        ] } }));
        let kinds: Vec<LinkKind> = edges["a"]["b"].iter().map(|edge| kind(edge, &interfaces, &ports)).collect();
        use LinkKind::{Ethernet, Other, Rdma, ThunderboltIp, WiFi};
        let expected = [Rdma, Ethernet, WiFi, ThunderboltIp, Ethernet, ThunderboltIp, Other, Other, Other, Other];
        assert_eq!(kinds, expected);
    }
}
