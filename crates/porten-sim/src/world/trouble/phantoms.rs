//! Instances that are in `/state` and do not exist: left in it, or replayed from history.

use std::sync::Arc;
use std::time::Duration;

use super::super::life::{Life, share};
use super::super::member::Member;
use super::super::placement::Plan;
use super::super::{Now, Placed, World, lay, pace};
use crate::documents::card::Card;
use crate::documents::instance::{Instance, Meta, Sharding};
use crate::documents::runner::RunnerStatus;
use crate::documents::state::{State, Topology};
use crate::documents::table::Table;

/// From which part of the replay to which the first old instance is there, and the second; its runners stay.
const OLD: [(f64, f64); 2] = [(0.1, 0.6), (0.5, 0.95)];
/// From which part on all nodes are there; before only the first.
const ALL_JOINED: f64 = 0.6;
/// A phantom's runners have a process.
const READY: RunnerStatus = RunnerStatus::RunnerReady { prefill_server_port: None };

/// What is replayed.
#[derive(Debug)]
pub(super) struct History {
    from: Now,
    lasts: Duration,
    /// Instances that were there once.
    old: Vec<Arc<Instance>>,
}

impl History {
    /// How much of it has been replayed, 0 to 1: it jumps.
    fn part(&self, now: Now) -> f64 {
        share(self.jumped(now).saturating_sub(self.from), self.lasts)
    }

    /// When it jumped last.
    fn jumped(&self, now: Now) -> Now {
        let past = now.saturating_sub(self.from).as_nanos() % pace::REPLAY_STEP.as_nanos();
        now.saturating_sub(Duration::from_nanos(u64::try_from(past).unwrap_or_default()))
    }

    pub(super) fn members(&self, now: Now, all: usize) -> usize {
        if self.part(now) < ALL_JOINED { 1 } else { all }
    }
}

impl World {
    /// An instance appears that never gets a runner; with strangers, on nodes that are not there, and with runners that
    /// say they are ready.
    pub(super) fn haunt(&mut self, has_strangers: bool, model: Option<&str>) {
        let card = model.map_or_else(|| self.small_cards().next(), |model| self.card(model));
        let Some(instance) = card.and_then(|card| self.invent(&card, has_strangers)) else { return };
        let instance = Arc::new(instance);
        if has_strangers {
            let runners: Vec<String> = instance.runners().map(|runner| runner.id.to_owned()).collect();
            for runner in runners {
                self.leave(&runner, READY);
            }
        }
        self.instances.push(Placed { instance, life: Life::phantom(self.now) });
    }

    /// What a replay will show.
    pub(super) fn recall(&mut self, from: Now, lasts: Duration) -> History {
        let cards: Vec<_> = self.small_cards().take(OLD.len()).collect();
        let old = cards.iter().filter_map(|card| self.invent(card, false)).map(Arc::new).collect();
        History { from, lasts, old }
    }

    /// The state as it was, for those who see it replayed.
    pub(super) fn draw_history(&self, history: &History) -> State {
        let (part, jumped) = (history.part(self.now), history.jumped(self.now));
        let old = || history.old.iter().zip(OLD);
        let there = old().filter(|(_, (from, to))| (*from..*to).contains(&part));
        let began = old().filter(|(_, (from, _))| *from <= part);
        let runners = began.flat_map(|(instance, _)| instance.runners().map(|runner| (runner.id.to_owned(), READY)));
        let age = pace::REPLAY_AGE.mul_f64(1.0 - part);
        let stamp = self.stamp_before(jumped, age);
        let whole = self.draw();
        let nodes = whole.topology.nodes;
        State {
            instances: there.map(|(instance, _)| (instance.id().to_owned(), Arc::clone(instance))).collect(),
            runners: runners.collect(),
            last_seen: nodes.iter().map(|node| (node.clone(), stamp)).collect(),
            // Links were found late in that history.
            topology: Topology { nodes, connections: Table::default() },
            last_event_applied_idx: scaled(whole.last_event_applied_idx, part),
            ..whole
        }
    }

    /// Models by size, the smallest first.
    fn small_cards(&self) -> impl Iterator<Item = Arc<Card>> + use<> {
        let mut cards = self.cards.clone();
        cards.sort_by_key(|card| card.bytes());
        cards.into_iter()
    }

    /// An instance on the Mac that answers, or on one that there is not.
    fn invent(&mut self, card: &Arc<Card>, is_strangers: bool) -> Option<Instance> {
        let own = self.members.first()?;
        let stranger = Member {
            node: self.luck.node(),
            mac: own.mac.clone(),
            place: own.place,
            domains: Vec::new(),
            joined: None,
            is_forgotten: false,
            died: None,
            condition: own.condition,
        };
        let on = if is_strangers { &stranger } else { own };
        let cuts = vec![(0, card.n_layers)];
        let plan = Plan { ranks: vec![0], sharding: Sharding::Pipeline, meta: Meta::MlxRing, cuts };
        Some(lay::lay(card, &plan, &[on], &self.trouble.wires, &mut self.luck))
    }
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "events are far below 2^53")]
fn scaled(index: i64, part: f64) -> i64 {
    (index as f64 * part) as i64
}
