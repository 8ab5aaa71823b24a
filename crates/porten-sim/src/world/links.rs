//! How the Macs are wired: each to each by Thunderbolt 5, and all by Ethernet.

use super::member::Member;
use crate::documents::member::{Edge, Interfaces, Multiaddr, NetworkInterface, ThunderboltInterface};
use crate::documents::state::Topology;
use crate::documents::table::Table;

/// The fewest Thunderbolt ports that a Mac reports.
const PORTS: usize = 3;
/// macOS calls the first Thunderbolt port en3.
const FIRST_PORT: usize = 3;
/// What exo writes for a runner that needs no way to another (TEST-NET-2 of RFC 5737).
pub(super) const NOWHERE: &str = "198.51.100.1";

/// Ports of each Mac in a cluster of so many.
pub(super) fn ports(macs: usize) -> usize {
    PORTS.max(macs.saturating_sub(1))
}

/// The address on the wired network.
pub(super) fn ethernet(member: &Member) -> String {
    format!("192.168.1.{}", 10 + member.place)
}

/// The interface of one Mac that leads to another.
pub(super) fn rdma(from: &Member, to: &Member) -> String {
    // Its own place is left out: each port leads to another Mac.
    let port = if to.place > from.place { to.place - 1 } else { to.place };
    interface(usize::from(port))
}

fn interface(port: usize) -> String {
    format!("rdma_en{}", FIRST_PORT + port)
}

/// All nodes, and from each to each an RDMA way and a socket.
pub(super) fn topology(members: &[Member], api_port: u16) -> Topology {
    let from = |from: &Member| {
        let others = members.iter().filter(|other| other.place != from.place);
        others.map(|to| (to.node.clone(), vec![rdma_edge(from, to), socket_edge(to, api_port)])).collect::<Table<_>>()
    };
    let connected = members.iter().filter(|_| members.len() > 1);
    Topology {
        nodes: members.iter().map(|member| member.node.clone()).collect(),
        connections: connected.map(|member| (member.node.clone(), from(member))).collect(),
    }
}

fn rdma_edge(from: &Member, to: &Member) -> Edge {
    Edge::Rdma { source_rdma_iface: rdma(from, to), sink_rdma_iface: rdma(to, from) }
}

fn socket_edge(to: &Member, port: u16) -> Edge {
    let ip_address = ethernet(to);
    let address = format!("/ip4/{ip_address}/tcp/{port}");
    Edge::Socket { sink_multiaddr: Multiaddr { address, address_type: "ip4", ip_address, port } }
}

pub(super) fn network(member: &Member) -> Interfaces<NetworkInterface> {
    let interface =
        |name: String, ip_address: String, interface_type| NetworkInterface { name, ip_address, interface_type };
    let host = 10 + member.place;
    let mut interfaces = vec![
        interface("lo0".into(), "127.0.0.1".into(), "unknown"),
        interface("en0".into(), ethernet(member), "ethernet"),
        interface("en1".into(), format!("192.168.7.{host}"), "wifi"),
    ];
    for port in (0..member.domains.len()).map(|port| port + FIRST_PORT) {
        // exo takes every interface but en0 and en1 for what may be Ethernet.
        interfaces.push(interface(format!("en{port}"), format!("169.254.{host}.{port}"), "maybe_ethernet"));
    }
    // There although the bridge is off.
    interfaces.push(interface("bridge0".into(), format!("169.254.{host}.9"), "thunderbolt"));
    Interfaces { interfaces }
}

pub(super) fn thunderbolt(member: &Member) -> Interfaces<ThunderboltInterface> {
    let interfaces = member.domains.iter().enumerate().map(|(port, domain)| ThunderboltInterface {
        rdma_interface: interface(port),
        domain_uuid: domain.clone(),
        link_speed: "Up to 80 Gb/s",
    });
    Interfaces { interfaces: interfaces.collect() }
}
