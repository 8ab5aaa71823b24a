//! Makes a cluster: its Macs, and the models that are loaded from the start.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::download::Downloads;
use super::life::Life;
use super::links;
use super::luck::Luck;
use super::member::Member;
use super::placement::{Unplaceable, Wish};
use super::tasks::Tasks;
use super::trouble::{Condition, Troubles};
use super::{Now, Placed, World};
use crate::documents::card::Card;
use crate::documents::instance::{Instance, Meta, Sharding};
use crate::documents::state::Stamp;
use crate::macs::Mac;

/// Turns the cluster's time into the wall clock's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Calendar {
    /// When the cluster began.
    pub(crate) epoch: Timestamp,
    /// How much faster its clock runs.
    pub(crate) speed: f64,
}

impl Calendar {
    /// How long a time of the cluster really takes.
    pub(crate) fn real(&self, time: Now) -> Duration {
        time.div_f64(self.speed)
    }

    /// A moment on a wall clock that is right.
    pub(super) fn stamp(&self, now: Now) -> Stamp {
        Stamp(self.epoch.saturating_add(self.real(now)).unwrap_or(self.epoch))
    }
}

/// A model that cannot be loaded from the start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MakeError {
    #[error("exo has no model card {0:?}")]
    Unknown(String),
    #[error("{model} does not fit on these Macs")]
    Unplaceable {
        model: String,
        #[source]
        source: Unplaceable,
    },
}

impl World {
    /// A cluster of these Macs, with nothing on them.
    pub(crate) fn new(cards: Vec<Arc<Card>>, macs: &[Mac], api_port: u16, calendar: Calendar, seed: u64) -> Self {
        let mut luck = Luck::new(seed);
        let ports = links::ports(macs.len());
        let member = |(mac, place): (&Mac, u8)| Member {
            node: luck.node(),
            mac: mac.clone(),
            place,
            domains: (0..ports).map(|_| luck.uuid()).collect(),
            joined: None,
            is_forgotten: false,
            died: None,
            condition: Condition::default(),
        };
        let members = macs.iter().zip(0..).map(member).collect();
        Self {
            cards,
            members,
            api_port,
            calendar,
            luck,
            now: Now::ZERO,
            events: 0,
            instances: Vec::new(),
            leftovers: Vec::new(),
            downloads: Downloads::default(),
            tasks: Tasks::default(),
            generations: Vec::new(),
            trouble: Troubles::default(),
        }
    }

    /// Has a model loaded: cut in tensors over RDMA where that is possible, as a person would choose it, else in a row.
    pub(crate) fn load(&mut self, model: &str) -> Result<(), MakeError> {
        let card = self.card(model).ok_or_else(|| MakeError::Unknown(model.to_owned()))?;
        let placed = self.best_placement(&card);
        let instance = placed.map_err(|source| MakeError::Unplaceable { model: model.to_owned(), source })?;
        for runner in instance.runners() {
            self.downloads.complete(runner.node, runner.shard);
        }
        self.instances.push(Placed { instance: Arc::new(instance), life: Life::ready(self.now) });
        self.events += 1;
        Ok(())
    }

    /// Where a person would put a model.
    pub(super) fn best_placement(&mut self, card: &Arc<Card>) -> Result<Instance, Unplaceable> {
        let wish = |sharding, meta| Wish { card: Arc::clone(card), sharding, meta, min_nodes: 1, required: Vec::new() };
        let tensor = self.placement(&wish(Sharding::Tensor, Meta::MlxJaccl));
        tensor.or_else(|_| self.placement(&wish(Sharding::Pipeline, Meta::MlxRing)))
    }
}
