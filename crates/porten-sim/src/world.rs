//! The cluster, pure: what it is at a moment follows from what was asked of it, the time and the luck it was given.
//!
//! ```text
//! routes ──ask──► World ──► placement (who)  ──► Life (phases of an instance)  ──► picture (/state)
//!                   ▲            ▲                 Downloads, Tasks, Generations      ▲
//!                   │            └───────────────── Troubles (what goes wrong) ───────┘
//!                   └── advance(now): time passes here and nowhere else
//! ```

mod build;
mod command;
mod download;
mod generation;
mod lay;
mod life;
mod links;
mod luck;
mod member;
mod pace;
mod picture;
mod placement;
mod preview;
mod step;
mod tasks;
#[cfg(test)]
mod tests;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use build::{Calendar, MakeError};
pub(crate) use generation::{Event, Next, Rates};
pub(crate) use placement::Wish;
pub(crate) use trouble::Turn;

use crate::documents::card::Card;
use crate::documents::instance::Instance;
use crate::documents::runner::RunnerStatus;
use download::Downloads;
use generation::Generation;
use life::Life;
use luck::Luck;
use member::Member;
use tasks::Tasks;
use trouble::Troubles;

/// Time since the cluster began, as its own clock counts it: `--speed` makes that clock run faster.
pub(crate) type Now = Duration;

/// An instance and how far it is.
#[derive(Debug)]
struct Placed {
    instance: Arc<Instance>,
    life: Life,
}

/// A cluster.
#[derive(Debug)]
pub(crate) struct World {
    cards: Vec<Arc<Card>>,
    members: Vec<Member>,
    /// exo looks for its neighbours at the port that it listens on itself.
    api_port: u16,
    calendar: Calendar,
    luck: Luck,
    now: Now,
    /// What happened, telemetry aside; `lastEventAppliedIdx` counts it, and those who wait are woken by it.
    events: u64,
    instances: Vec<Placed>,
    /// Runners of instances that are gone, and what they said last: exo never forgets them.
    leftovers: Vec<(String, RunnerStatus)>,
    downloads: Downloads,
    tasks: Tasks,
    generations: Vec<Generation>,
    trouble: Troubles,
}

impl World {
    /// The node that answers the API: the first Mac.
    pub(crate) fn node_id(&self) -> &str {
        self.members.first().map_or("", |member| &member.node)
    }

    /// All nodes of the beginning, in the order of the Macs.
    pub(crate) fn nodes(&self) -> Vec<String> {
        self.members.iter().map(|member| member.node.clone()).collect()
    }

    pub(crate) fn cards(&self) -> &[Arc<Card>] {
        &self.cards
    }

    pub(crate) fn card(&self, model: &str) -> Option<Arc<Card>> {
        self.cards.iter().find(|card| card.model_id == model).map(Arc::clone)
    }

    /// Grows whenever something happens that somebody may wait for.
    pub(crate) const fn events(&self) -> u64 {
        self.events
    }

    /// The instance of that id, once the cluster knows of it.
    pub(crate) fn instance(&self, id: &str) -> Option<&Arc<Instance>> {
        self.visible().map(|placed| &placed.instance).find(|instance| instance.id() == id)
    }

    /// The first instance of that model.
    pub(crate) fn instance_of(&self, model: &str) -> Option<&Arc<Instance>> {
        self.visible().map(|placed| &placed.instance).find(|instance| instance.model() == model)
    }

    /// Instances that the API's own state has.
    fn visible(&self) -> impl Iterator<Item = &Placed> {
        let is_known = self.knows_instances();
        self.instances.iter().filter(move |placed| is_known && placed.life.is_visible())
    }

    fn member(&self, node: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.node == node)
    }
}
