//! The placed models: which Macs hold which part, and how far each has come.

mod read;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::members::NodeId;
use crate::memory::MIB;
pub(super) use read::{read_downloads, read_instance, read_instances, read_runners};

/// What the runners do, by their ids.
pub(super) type Runners = BTreeMap<String, Runner>;
/// The downloads to each node, by model.
pub(super) type Downloads = BTreeMap<NodeId, BTreeMap<String, Download>>;

/// exo's id of an instance.
pub type InstanceId = String;

/// A placed model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// The engine's id of the model.
    pub model: String,
    /// The weights in all, as its card says.
    bytes: u64,
    /// Its layers, as its card says; 0 where it does not.
    layers: u32,
    sharding: Sharding,
    rdma: bool,
    /// Where its parts look for each other.
    addresses: Vec<String>,
    shards: Vec<Shard>,
}

/// How a model is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ts", derive(ts_rs::TS), ts(export))]
#[serde(rename_all = "snake_case")]
pub enum Sharding {
    /// Each Mac has some of the layers: more room, not more speed.
    Pipeline,
    /// Each Mac has a slice of every layer: faster over RDMA; each needs room for an equal share.
    Tensor,
}

/// The part that one node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shard {
    node: NodeId,
    runner: String,
    bytes: u64,
    /// Layers of this shard alone, in a pipeline; `None` where each holds a slice of every layer.
    layers: Option<u32>,
}

/// What a runner does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Runner {
    Idle,
    Loading {
        layers: u32,
        of: u32,
    },
    Warming,
    Ready,
    /// Ready, and at work.
    Running,
    Failed(String),
    Unknown,
}

impl Runner {
    /// Whether it can serve.
    const fn is_ready(&self) -> bool {
        matches!(self, Self::Ready | Self::Running)
    }
}

/// A download of a model to a node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Download {
    done: u64,
    total: u64,
    bytes_per_s: Option<f64>,
    failed: Option<String>,
}

/// A part of an instance, and what it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The node that holds it.
    pub node: NodeId,
    /// Its weights (bytes).
    pub bytes: u64,
    /// Its layers, in a pipeline.
    pub layers: Option<u32>,
    /// What it does.
    pub state: PartState,
}

/// What a part does.
#[derive(Debug, Clone, PartialEq)]
pub enum PartState {
    /// Its process, its neighbours or its turn.
    Waiting,
    /// Its Mac fetches the weights: all of them, whatever part it will hold.
    Downloading {
        /// Bytes that are there.
        done: u64,
        /// Bytes in all; 0 while unknown.
        total: u64,
        /// Bytes a second.
        per_s: Option<f64>,
    },
    /// Weights are being read into memory.
    Loading {
        /// Layers that are there.
        layers: u32,
        /// Its layers.
        of: u32,
    },
    /// A first run through it.
    Warming,
    /// It can serve.
    Ready,
    /// It failed.
    Failed(String),
}

/// How far an instance has come: as far as the last of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// Placed; nothing has begun.
    Placed,
    /// Weights are being fetched.
    Downloading {
        /// Of all its Macs (0–100).
        percent: u8,
        /// Of all its Macs (MiB a second).
        mib_per_s: Option<u32>,
    },
    /// Weights are being read into memory.
    Loading {
        /// Layers that are there.
        layers: u32,
        /// Layers in all.
        of: u32,
    },
    /// A first run through it.
    Warming,
    /// It can serve.
    Ready,
    /// A part failed; exo tries four times more, then deletes the instance.
    Failed(String),
}

impl Instance {
    /// The nodes that hold it.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        self.shards.iter().map(|shard| &shard.node)
    }

    /// The weights in all (MiB).
    #[must_use]
    pub const fn mib(&self) -> u64 {
        self.bytes / MIB
    }

    /// The weights in all (bytes).
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its layers, as its card says; 0 where it does not.
    #[must_use]
    pub const fn layers(&self) -> u32 {
        self.layers
    }

    /// How it is cut; one part is a pipeline of one.
    #[must_use]
    pub const fn sharding(&self) -> Sharding {
        self.sharding
    }

    /// Whether its parts talk by RDMA.
    #[must_use]
    pub const fn is_rdma(&self) -> bool {
        self.rdma
    }

    /// Where its parts look for each other.
    pub(super) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.addresses.iter().map(String::as_str)
    }

    /// Each Mac that holds a part, with its layers in a pipeline.
    #[must_use]
    pub fn parts_by_node(&self) -> Vec<(&NodeId, Option<u32>)> {
        self.shards.iter().map(|shard| (&shard.node, shard.layers)).collect()
    }

    /// The weights that a node holds of it (bytes).
    #[must_use]
    pub fn weights_on(&self, node: &NodeId) -> u64 {
        let own = self.shards.iter().filter(|shard| shard.node == *node);
        own.fold(0, |sum: u64, shard| sum.saturating_add(shard.bytes))
    }

    /// Whether one of its parts is at work.
    pub(super) fn computes(&self, runners: &Runners) -> bool {
        self.shards.iter().any(|shard| runners.get(&shard.runner) == Some(&Runner::Running))
    }

    /// Its parts, and what each does.
    pub(super) fn parts(&self, runners: &Runners, downloads: &Downloads) -> Vec<Part> {
        let part = |shard: &Shard| {
            let download = downloads.get(&shard.node).and_then(|of_node| of_node.get(&self.model));
            let state = shard_state(runners.get(&shard.runner), download);
            Part { node: shard.node.clone(), bytes: shard.bytes, layers: shard.layers, state }
        };
        self.shards.iter().map(part).collect()
    }

    /// How far it has come.
    pub(super) fn phase(&self, runners: &Runners, downloads: &Downloads) -> Phase {
        let states: Vec<Option<&Runner>> = self.shards.iter().map(|shard| runners.get(&shard.runner)).collect();
        if let Some(why) = states.iter().find_map(|state| match state {
            Some(Runner::Failed(why)) => Some(why),
            _ => None,
        }) {
            return Phase::Failed(why.clone());
        }
        if !states.is_empty() && states.iter().all(|state| state.is_some_and(Runner::is_ready)) {
            return Phase::Ready;
        }
        if let Some(phase) = self.fetching(downloads) {
            return phase;
        }
        if let Some((layers, of)) = self.loaded(&states) {
            return Phase::Loading { layers, of };
        }
        let begun = |state: &Option<&Runner>| matches!(state, Some(Runner::Warming | Runner::Ready | Runner::Running));
        if !states.is_empty() && states.iter().all(begun) { Phase::Warming } else { Phase::Placed }
    }

    /// The downloads of this model to the nodes of this instance, if one is under way.
    fn fetching(&self, downloads: &Downloads) -> Option<Phase> {
        let ours: Vec<&Download> =
            self.shards.iter().filter_map(|shard| downloads.get(&shard.node)?.get(&self.model)).collect();
        if let Some(why) = ours.iter().find_map(|download| download.failed.clone()) {
            return Some(Phase::Failed(why));
        }
        let total: u128 = ours.iter().map(|download| u128::from(download.total.max(download.done))).sum();
        let done: u128 = ours.iter().map(|download| u128::from(download.done)).sum();
        if ours.iter().all(|download| download.total > 0 && download.done >= download.total) {
            return None;
        }
        let percent = u8::try_from((done * 100).checked_div(total).unwrap_or(0).min(100)).unwrap_or(100);
        let speeds: Vec<f64> = ours.iter().filter_map(|download| download.bytes_per_s).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "`as` saturates, which is right")]
        let mib_per_s = (!speeds.is_empty()).then(|| (speeds.iter().sum::<f64>() / 1_048_576.0).round() as u32);
        Some(Phase::Downloading { percent, mib_per_s })
    }

    /// Layers there and in all: a pipeline's parts add up; where each part has a slice of all, the slowest counts.
    fn loaded(&self, states: &[Option<&Runner>]) -> Option<(u32, u32)> {
        if !states.iter().any(|state| matches!(state, Some(Runner::Loading { .. }))) {
            return None;
        }
        let progress = self.shards.iter().zip(states).map(|(shard, state)| match state {
            Some(Runner::Loading { layers, of }) => (*layers, *of),
            Some(Runner::Warming | Runner::Ready | Runner::Running) => {
                (shard.layers.unwrap_or(u32::MAX), shard.layers.unwrap_or(0))
            }
            _ => (0, shard.layers.unwrap_or(0)),
        });
        if self.shards.iter().all(|shard| shard.layers.is_some()) {
            return Some(progress.fold((0, 0), |(layers, of): (u32, u32), (one, all)| {
                (layers.saturating_add(one), of.saturating_add(all))
            }));
        }
        let of = progress.clone().map(|(_, of)| of).max()?;
        Some((progress.map(|(layers, _)| layers).min()?.min(of), of))
    }
}

fn shard_state(runner: Option<&Runner>, download: Option<&Download>) -> PartState {
    let fetching = download.filter(|download| download.total == 0 || download.done < download.total);
    match (runner, fetching) {
        (Some(Runner::Failed(why)), _) => PartState::Failed(why.clone()),
        (Some(Runner::Ready | Runner::Running), _) => PartState::Ready,
        (Some(Runner::Warming), _) => PartState::Warming,
        (Some(Runner::Loading { layers, of }), _) => PartState::Loading { layers: *layers, of: *of },
        (_, Some(Download { failed: Some(why), .. })) => PartState::Failed(why.clone()),
        (_, Some(Download { done, total, bytes_per_s, .. })) => {
            PartState::Downloading { done: *done, total: *total, per_s: *bytes_per_s }
        }
        (Some(Runner::Idle | Runner::Unknown) | None, None) => PartState::Waiting,
    }
}

#[cfg(test)]
mod tests;
