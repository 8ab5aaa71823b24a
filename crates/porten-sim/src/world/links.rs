//! How the Macs are wired: each to each by Thunderbolt 5, and all by Ethernet, unless a link has fallen back.

use super::Now;
use super::member::Member;
use super::trouble::Wires;
use crate::documents::member::{Edge, Interfaces, Multiaddr, NetworkInterface, ThunderboltInterface};
use crate::documents::state::Topology;
use crate::documents::table::Table;
use crate::trouble::Way;

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
fn ethernet(member: &Member) -> String {
    format!("192.168.1.{}", host(member))
}

fn wifi(member: &Member) -> String {
    format!("192.168.7.{}", host(member))
}

/// An address of 100.64.0.0/10, as private networks over the internet give them.
fn vpn(member: &Member) -> String {
    format!("100.101.102.{}", host(member))
}

fn cable(member: &Member, port: usize) -> String {
    format!("169.254.{}.{port}", host(member))
}

const fn host(member: &Member) -> u8 {
    10 + member.place
}

/// Where one Mac finds another.
pub(super) fn address(from: &Member, to: &Member, wires: &Wires) -> String {
    match wires.between(from, to) {
        None | Some(Way::Ethernet) => ethernet(to),
        Some(Way::Wifi) => wifi(to),
        Some(Way::Vpn) => vpn(to),
        Some(Way::Thunderbolt) => cable(to, FIRST_PORT + port(to, from)),
    }
}

/// Whether RDMA leads from one Mac to the other.
pub(super) fn has_rdma(from: &Member, to: &Member, wires: &Wires) -> bool {
    wires.between(from, to).is_none() && [from, to].iter().all(|member| member.condition.has_rdma())
}

/// The interface of one Mac that leads to another.
pub(super) fn rdma(from: &Member, to: &Member) -> String {
    interface(port(from, to))
}

fn port(from: &Member, to: &Member) -> usize {
    // Its own place is left out: each port leads to another Mac.
    usize::from(if to.place > from.place { to.place - 1 } else { to.place })
}

fn interface(port: usize) -> String {
    format!("rdma_en{}", FIRST_PORT + port)
}

/// The nodes that are seen, and from each to each an RDMA way and a socket, where there are such.
pub(super) fn topology(members: &[&Member], wires: &Wires, api_port: u16, now: Now) -> Topology {
    let edges = |from: &Member, to: &Member| {
        let rdma = has_rdma(from, to, wires).then(|| rdma_edge(from, to));
        rdma.into_iter().chain([socket_edge(address(from, to, wires), api_port)]).collect::<Vec<_>>()
    };
    let from = |from: &Member| {
        let others = members.iter().filter(|other| other.place != from.place && other.is_reached(now));
        others.map(|to| (to.node.clone(), edges(from, to))).collect::<Table<_>>()
    };
    let connected = members.iter().filter(|member| member.has_links(now));
    let connections = connected.map(|member| (member.node.clone(), from(member)));
    Topology {
        nodes: members.iter().map(|member| member.node.clone()).collect(),
        connections: connections.filter(|(_, ways)| ways.len() > 0).collect(),
    }
}

fn rdma_edge(from: &Member, to: &Member) -> Edge {
    Edge::Rdma { source_rdma_iface: rdma(from, to), sink_rdma_iface: rdma(to, from) }
}

fn socket_edge(ip_address: String, port: u16) -> Edge {
    let address = format!("/ip4/{ip_address}/tcp/{port}");
    Edge::Socket { sink_multiaddr: Multiaddr { address, address_type: "ip4", ip_address, port } }
}

pub(super) fn network(member: &Member, wires: &Wires) -> Interfaces<NetworkInterface> {
    let interface =
        |name: String, ip_address: String, interface_type| NetworkInterface { name, ip_address, interface_type };
    let mut interfaces = vec![
        interface("lo0".into(), "127.0.0.1".into(), "unknown"),
        interface("en0".into(), ethernet(member), "ethernet"),
        interface("en1".into(), wifi(member), "wifi"),
    ];
    for port in (0..member.domains.len()).map(|port| port + FIRST_PORT) {
        // exo takes every interface but en0 and en1 for what may be Ethernet.
        interfaces.push(interface(format!("en{port}"), cable(member, port), "maybe_ethernet"));
    }
    // There although the bridge is off.
    interfaces.push(interface("bridge0".into(), cable(member, 9), "thunderbolt"));
    if wires.has_vpn(member) {
        interfaces.push(interface("utun4".into(), vpn(member), "unknown"));
    }
    Interfaces { interfaces }
}

pub(super) fn thunderbolt(member: &Member) -> Interfaces<ThunderboltInterface> {
    let interfaces = member.domains.iter().enumerate().map(|(port, domain)| ThunderboltInterface {
        rdma_interface: interface(port),
        domain_uuid: domain.clone(),
        link_speed: member.condition.link_speed(),
    });
    Interfaces { interfaces: interfaces.collect() }
}
