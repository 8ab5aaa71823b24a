//! Lays a model over the members that were chosen: shards, runners, and how these reach each other.

use std::sync::Arc;

use super::links;
use super::luck::Luck;
use super::member::Member;
use super::placement::Plan;
use super::trouble::Wires;
use crate::documents::card::Card;
use crate::documents::instance::{Host, Instance, Jaccl, Meta, Ring, Shard, ShardAssignments, ShardMetadata, Sharding};

/// The instance of a plan; members are in the order of their ranks.
pub(super) fn lay(card: &Arc<Card>, plan: &Plan, members: &[&Member], wires: &Wires, luck: &mut Luck) -> Instance {
    let instance_id = luck.uuid();
    let shard_assignments = assign(card, plan, members, luck);
    let port = luck.port();
    match plan.meta {
        Meta::MlxRing => Instance::Ring(Ring {
            instance_id,
            shard_assignments,
            hosts_by_node: by_node(members, |rank| hosts(rank, members, wires, port)),
            ephemeral_port: port,
        }),
        Meta::MlxJaccl => Instance::Jaccl(Jaccl {
            instance_id,
            shard_assignments,
            jaccl_devices: members.iter().map(|member| devices(member, members)).collect(),
            jaccl_coordinators: by_node(members, |rank| format!("{}:{port}", coordinator(rank, members, wires))),
        }),
    }
}

fn by_node<C, T>(members: &[&Member], of: impl Fn(usize) -> T) -> C
where
    C: FromIterator<(String, T)>,
{
    members.iter().enumerate().map(|(rank, member)| (member.node.clone(), of(rank))).collect()
}

fn assign(card: &Arc<Card>, plan: &Plan, members: &[&Member], luck: &mut Luck) -> ShardAssignments {
    let runners: Vec<String> = members.iter().map(|_| luck.uuid()).collect();
    let world_size = u32::try_from(members.len()).unwrap_or_default();
    let shard = |((start_layer, end_layer), device_rank)| {
        let whole = ShardMetadata::whole(card).shard().clone();
        let shard = Shard { device_rank, world_size, start_layer, end_layer, ..whole };
        match plan.sharding {
            Sharding::Pipeline => ShardMetadata::PipelineShardMetadata(shard),
            Sharding::Tensor => ShardMetadata::TensorShardMetadata(shard),
        }
    };
    let shards = plan.cuts.iter().copied().zip(0..).map(shard);
    ShardAssignments {
        model_id: card.model_id.clone(),
        runner_to_shard: runners.iter().cloned().zip(shards).collect(),
        node_to_runner: members.iter().map(|member| member.node.clone()).zip(runners.iter().cloned()).collect(),
    }
}

/// Where one rank finds each: itself everywhere, its neighbours on the ring by address, the others nowhere.
fn hosts(rank: usize, members: &[&Member], wires: &Wires, port: u16) -> Vec<Host> {
    let count = members.len();
    let own = members.get(rank);
    let host = |(other, member): (usize, &&Member)| {
        let is_neighbour = (rank + 1) % count == other || (other + 1) % count == rank;
        if other == rank {
            Host { ip: "0.0.0.0".into(), port }
        } else if is_neighbour {
            Host { ip: own.map_or_else(|| links::NOWHERE.into(), |own| links::address(own, member, wires)), port }
        } else {
            Host { ip: links::NOWHERE.into(), port: 0 }
        }
    };
    members.iter().enumerate().map(host).collect()
}

fn devices(from: &Member, members: &[&Member]) -> Vec<Option<String>> {
    members.iter().map(|to| (to.place != from.place).then(|| links::rdma(from, to))).collect()
}

/// Where a rank finds rank 0.
fn coordinator(rank: usize, members: &[&Member], wires: &Wires) -> String {
    match (members.first(), members.get(rank)) {
        (Some(first), Some(own)) if rank > 0 => links::address(own, first, wires),
        _ => "0.0.0.0".into(),
    }
}
