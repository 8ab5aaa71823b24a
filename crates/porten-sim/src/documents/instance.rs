//! An instance: one model laid over some members, as `/state`, previews and placements write it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::card::Card;
use super::table::Table;

/// How layers are laid over members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Sharding {
    Pipeline,
    Tensor,
}

/// How runners talk to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Meta {
    MlxRing,
    MlxJaccl,
}

/// What one runner holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shard {
    pub(crate) model_card: Arc<Card>,
    pub(crate) device_rank: u32,
    pub(crate) world_size: u32,
    #[serde(default)]
    pub(crate) immediate_exception: bool,
    #[serde(default)]
    pub(crate) should_timeout: Option<f64>,
    pub(crate) start_layer: u32,
    pub(crate) end_layer: u32,
    pub(crate) n_layers: u32,
}

/// The same with how it was cut.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum ShardMetadata {
    PipelineShardMetadata(Shard),
    TensorShardMetadata(Shard),
}

impl ShardMetadata {
    /// The whole model on one node, as exo writes it where nothing is placed.
    pub(crate) fn whole(card: &Arc<Card>) -> Self {
        Self::PipelineShardMetadata(Shard {
            model_card: Arc::clone(card),
            device_rank: 0,
            world_size: 1,
            immediate_exception: false,
            should_timeout: None,
            start_layer: 0,
            end_layer: card.n_layers,
            n_layers: card.n_layers,
        })
    }

    pub(crate) const fn shard(&self) -> &Shard {
        match self {
            Self::PipelineShardMetadata(shard) | Self::TensorShardMetadata(shard) => shard,
        }
    }

    /// The layers that its runner loads: a tensor cut loads a part of each.
    pub(crate) const fn layers(&self) -> u32 {
        self.shard().end_layer.saturating_sub(self.shard().start_layer)
    }

    /// Bytes that its runner holds when it is loaded.
    pub(crate) fn bytes(&self) -> u64 {
        let shard = self.shard();
        match self {
            Self::PipelineShardMetadata(_) => shard.model_card.bytes_of(self.layers()),
            Self::TensorShardMetadata(_) => shard.model_card.bytes() / u64::from(shard.world_size.max(1)),
        }
    }
}

/// Who holds what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShardAssignments {
    pub(crate) model_id: String,
    pub(crate) runner_to_shard: Table<ShardMetadata>,
    pub(crate) node_to_runner: Table<String>,
}

/// Where a runner reaches another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub(crate) ip: String,
    pub(crate) port: u16,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ring {
    pub(crate) instance_id: String,
    pub(crate) shard_assignments: ShardAssignments,
    pub(crate) hosts_by_node: Table<Vec<Host>>,
    pub(crate) ephemeral_port: u16,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Jaccl {
    pub(crate) instance_id: String,
    pub(crate) shard_assignments: ShardAssignments,
    /// `[i][j]` is the interface of rank i that leads to rank j.
    pub(crate) jaccl_devices: Vec<Vec<Option<String>>>,
    /// Where each node finds rank 0.
    pub(crate) jaccl_coordinators: Table<String>,
}

/// An instance with its tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Instance {
    #[serde(rename = "MlxRingInstance")]
    Ring(Ring),
    #[serde(rename = "MlxJacclInstance")]
    Jaccl(Jaccl),
}

/// One runner of an instance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runner<'a> {
    pub(crate) id: &'a str,
    pub(crate) node: &'a str,
    pub(crate) shard: &'a ShardMetadata,
}

impl Instance {
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Ring(ring) => &ring.instance_id,
            Self::Jaccl(jaccl) => &jaccl.instance_id,
        }
    }

    pub(crate) const fn assignments(&self) -> &ShardAssignments {
        match self {
            Self::Ring(ring) => &ring.shard_assignments,
            Self::Jaccl(jaccl) => &jaccl.shard_assignments,
        }
    }

    pub(crate) fn model(&self) -> &str {
        &self.assignments().model_id
    }

    /// Its runners. One that a sent-in instance names without a shard is none.
    pub(crate) fn runners(&self) -> impl Iterator<Item = Runner<'_>> {
        let assignments = self.assignments();
        assignments.node_to_runner.iter().filter_map(|(node, id)| {
            let shard = assignments.runner_to_shard.get(id)?;
            Some(Runner { id, node, shard })
        })
    }
}
