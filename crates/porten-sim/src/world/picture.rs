//! Draws `/state` at a moment.

use std::sync::Arc;

use super::member::{Member, Work};
use super::{Placed, World, links};
use crate::documents::download::Download;
use crate::documents::instance::{Runner, ShardMetadata};
use crate::documents::runner::RunnerStatus;
use crate::documents::state::State;
use crate::documents::table::Table;

/// Events of each node before anybody looks: what it is, and one for each card that it has no files of.
const GREETING: u64 = 130;
/// Runners of deleted instances that are shown; exo shows all.
const MAX_LEFTOVERS: usize = 1_000;

impl World {
    /// All of it, as it is.
    pub(super) fn draw(&self) -> State {
        State {
            instances: self.visible().map(|one| (one.instance.id().to_owned(), Arc::clone(&one.instance))).collect(),
            runners: self.runners(),
            downloads: self.each(|member| self.downloads_of(member)),
            tasks: self
                .tasks
                .iter()
                .filter(|_| self.knows_instances())
                .map(|task| (task.head().task_id.clone(), task.clone()))
                .collect(),
            last_seen: self.each(|member| self.stamp(member.last_seen(self.now))),
            topology: links::topology(&self.seen().collect::<Vec<_>>(), &self.trouble.wires, self.api_port, self.now),
            last_event_applied_idx: i64::try_from(self.index()).unwrap_or(i64::MAX),
            node_identities: self.each_known(Member::identity),
            node_memory: self.each(|member| member.memory(self.weights(&member.node), self.now)),
            node_disk: self.each(|member| member.disk(self.downloads.stored(&member.node, self.now))),
            node_system: self.each(|member| member.system(self.work(&member.node), self.now)),
            node_network: self.each(|member| links::network(member, &self.trouble.wires)),
            node_thunderbolt: self.each(links::thunderbolt),
            node_thunderbolt_bridge: self.each(Member::bridge),
            node_rdma_ctl: self.each(Member::rdma_ctl),
            node_backends: self.each_known(|_| ["MlxCpu", "MlxMetal"]),
            thunderbolt_bridge_cycles: self.bridge_cycles(),
            instance_links: Table::default(),
            prefill_server_ports: Table::default(),
            custom_model_cards: Table::default(),
        }
    }

    /// Seconds since 1970.
    pub(crate) fn created(&self) -> i64 {
        self.calendar.stamp(self.now).0.as_second()
    }

    /// Free bytes of all nodes together.
    pub(crate) fn free(&self) -> u64 {
        self.seen().map(|member| member.available(self.weights(&member.node), self.now)).sum()
    }

    /// Bytes of weights in a node's memory.
    pub(super) fn weights(&self, node: &str) -> u64 {
        let held = self.on(node).map(|(life, runner)| share(runner.shard.bytes(), life.loaded(self.now)));
        held.sum()
    }

    /// Keeps what a runner said last.
    pub(super) fn leave(&mut self, runner: &str, said: RunnerStatus) {
        if self.leftovers.len() >= MAX_LEFTOVERS {
            self.leftovers.remove(0);
        }
        self.leftovers.push((runner.to_owned(), said));
    }

    /// Of all nodes that are seen.
    fn each<T>(&self, of: impl Fn(&Member) -> T) -> Table<T> {
        self.seen().map(|member| (member.node.clone(), of(member))).collect()
    }

    /// Of all that ever were: exo does not clean up behind those that are lost.
    fn each_known<T>(&self, of: impl Fn(&Member) -> T) -> Table<T> {
        self.known_members().map(|member| (member.node.clone(), of(member))).collect()
    }

    fn on<'a>(&'a self, node: &'a str) -> impl Iterator<Item = (&'a super::Life, Runner<'a>)> {
        let runners =
            self.instances.iter().flat_map(|one| one.instance.runners().map(move |runner| (&one.life, runner)));
        runners.filter(move |(_, runner)| runner.node == node)
    }

    fn is_generating(&self, instance: &str) -> bool {
        self.generations.iter().any(|one| one.instance == instance && one.is_running())
    }

    fn work(&self, node: &str) -> Work {
        let mut work = Work::Nothing;
        for placed in &self.instances {
            if placed.instance.assignments().node_to_runner.get(node).is_none() {
                continue;
            }
            if self.is_generating(placed.instance.id()) {
                return Work::Generating;
            }
            let loaded = placed.life.loaded(self.now);
            if loaded > 0.0 && !placed.life.is_ready() {
                work = Work::Loading;
            }
        }
        work
    }

    /// What a runner of an instance says; nothing before its process is there.
    pub(super) fn said(&self, placed: &Placed, runner: &Runner<'_>) -> Option<RunnerStatus> {
        placed.life.runner(runner.shard.layers(), self.is_generating(placed.instance.id()), self.now)
    }

    fn runners(&self) -> Table<RunnerStatus> {
        let alive = self.visible().flat_map(|placed| {
            let runners = placed.instance.runners();
            runners.filter_map(move |runner| Some((runner.id.to_owned(), self.said(placed, &runner)?)))
        });
        let gone = self.leftovers.iter().filter(|_| self.knows_instances()).cloned();
        alive.chain(gone).collect()
    }

    fn downloads_of(&self, member: &Member) -> Vec<Download> {
        let of_card = |card| self.downloads.document(&member.node, &ShardMetadata::whole(card), self.now);
        self.cards.iter().map(of_card).collect()
    }

    /// `lastEventAppliedIdx`: what has happened, and every report of every node.
    fn index(&self) -> u64 {
        let told = self.known_members().map(|member| GREETING + member.reports(self.now));
        self.events.saturating_sub(self.trouble.forgotten_events) + told.sum::<u64>()
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bytes of a model are far below 2^53, and no share is negative"
)]
fn share(bytes: u64, share: f64) -> u64 {
    (bytes as f64 * share) as u64
}
