//! Lays a model over the members that were chosen, and previews every way of doing so.

use std::sync::Arc;

use serde::Serialize;

use super::placement::{self, Plan, Room, Unplaceable, Wish};
use super::{World, links};
use crate::documents::card::Card;
use crate::documents::instance::{
    Host, Instance, Jaccl, Meta, Ring, Shard, ShardAssignments, ShardMetadata, Sharding,
};
use crate::documents::table::Table;

/// What `/instance/previews` says of one way.
#[derive(Debug, Serialize)]
pub(crate) struct Preview {
    pub(crate) model_id: String,
    pub(crate) sharding: Sharding,
    pub(crate) instance_meta: Meta,
    pub(crate) instance: Option<Instance>,
    /// Bytes, in equal parts whatever the cut.
    pub(crate) memory_delta_by_node: Option<Table<u64>>,
    pub(crate) error: Option<String>,
}

impl World {
    /// An instance as exo would place it now; it is not placed.
    ///
    /// # Errors
    /// There is no place for it.
    pub(crate) fn placement(&mut self, wish: &Wish) -> Result<Instance, Unplaceable> {
        let plan = placement::plan(wish, &self.rooms(&wish.card))?;
        Ok(self.lay(&wish.card, &plan))
    }

    /// Every way to place a model: one for each number of members, and the first error of each kind.
    pub(crate) fn previews(&mut self, card: &Arc<Card>, required: &[String]) -> Vec<Preview> {
        let mut previews = Vec::new();
        for sharding in [Sharding::Pipeline, Sharding::Tensor] {
            for meta in [Meta::MlxRing, Meta::MlxJaccl] {
                // Sizes that were shown; 0 stands for the error.
                let mut shown: Vec<usize> = Vec::new();
                for min_nodes in 1..=self.members.len() {
                    let card = Arc::clone(card);
                    let wish = Wish { card, sharding, meta, min_nodes, required: required.to_vec() };
                    let placed = self.placement(&wish);
                    let size = placed.as_ref().map_or(0, |instance| instance.assignments().node_to_runner.len());
                    if !shown.contains(&size) {
                        shown.push(size);
                        previews.push(preview(&wish, placed));
                    }
                }
            }
        }
        previews
    }

    fn rooms(&self, card: &Card) -> Vec<Room> {
        let room = |member: &super::Member| Room {
            node: member.node.clone(),
            free: member.available(self.weights(&member.node), self.now),
            has: self.downloads.share(&member.node, &card.model_id, self.now),
        };
        self.members.iter().map(room).collect()
    }

    fn lay(&mut self, card: &Arc<Card>, plan: &Plan) -> Instance {
        let instance_id = self.luck.uuid();
        let runners: Vec<String> = plan.ranks.iter().map(|_| self.luck.uuid()).collect();
        let port = self.luck.port();
        let members: Vec<_> = plan.ranks.iter().filter_map(|place| self.members.get(*place)).collect();
        let world_size = u32::try_from(members.len()).unwrap_or_default();
        let shards = plan.cuts.iter().zip(0..).map(|((start_layer, end_layer), device_rank)| {
            let (start_layer, end_layer) = (*start_layer, *end_layer);
            let shard = Shard { device_rank, world_size, start_layer, end_layer, ..ShardMetadata::whole(card).shard().clone() };
            match plan.sharding {
                Sharding::Pipeline => ShardMetadata::PipelineShardMetadata(shard),
                Sharding::Tensor => ShardMetadata::TensorShardMetadata(shard),
            }
        });
        let nodes = || members.iter().map(|member| member.node.clone());
        let shard_assignments = ShardAssignments {
            model_id: card.model_id.clone(),
            runner_to_shard: runners.iter().cloned().zip(shards).collect(),
            node_to_runner: nodes().zip(runners.iter().cloned()).collect(),
        };
        let nobody = |to: usize, from: usize| to == from;
        match plan.meta {
            Meta::MlxRing => {
                let hosts = |from: usize| {
                    let host = |(to, member): (usize, &&super::Member)| ring_host(from, to, members.len(), member, port);
                    members.iter().enumerate().map(host).collect()
                };
                let hosts_by_node = nodes().enumerate().map(|(rank, node)| (node, hosts(rank))).collect();
                Instance::Ring(Ring { instance_id, shard_assignments, hosts_by_node, ephemeral_port: port })
            }
            Meta::MlxJaccl => {
                let device = |from: usize, to: usize| {
                    if nobody(to, from) { None } else { Some(links::rdma(members.get(from)?, members.get(to)?)) }
                };
                let row = |from: usize| (0..members.len()).map(|to| device(from, to)).collect();
                let first = members.first().map(|member| links::ethernet(member)).unwrap_or_default();
                let coordinator = |rank: usize| if rank == 0 { "0.0.0.0" } else { &first };
                let coordinators = nodes().enumerate().map(|(rank, node)| (node, format!("{}:{port}", coordinator(rank))));
                Instance::Jaccl(Jaccl {
                    instance_id,
                    shard_assignments,
                    jaccl_devices: (0..members.len()).map(row).collect(),
                    jaccl_coordinators: coordinators.collect(),
                })
            }
        }
    }
}
