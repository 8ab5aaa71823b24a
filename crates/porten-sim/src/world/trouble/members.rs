//! Macs that go and come, and a master that is lost.

use std::sync::Arc;

use super::super::member::Member;
use super::super::{Now, Placed, World, pace};
use super::programme::Show;
use crate::documents::instance::Instance;
use crate::documents::task::TaskStatus;

/// Node ids that are remembered; exo remembers all. The oldest go first.
const MAX_MEMBERS: usize = 64;

impl World {
    /// The nodes that exo counts as its own now.
    pub(in super::super) fn seen(&self) -> impl Iterator<Item = &Member> {
        let most = self.show().members(self.now, self.members.len());
        self.members.iter().filter(|member| member.is_seen(self.now)).take(most)
    }

    /// All nodes of which exo knows anything.
    pub(in super::super) fn known_members(&self) -> impl Iterator<Item = &Member> {
        let most = self.show().members(self.now, self.members.len());
        self.members.iter().filter(|member| member.has_joined(self.now)).take(most)
    }

    /// The newest node id of a Mac.
    pub(super) fn node_of(&self, name: &str) -> Option<String> {
        self.members.iter().rev().find(|member| member.mac.name == name).map(|member| member.node.clone())
    }

    /// Whether an instance can do nothing more, because a Mac of it is dead.
    pub(in super::super) fn is_stuck(&self, instance: &Instance) -> bool {
        let is_dead = |node: &str| self.member(node).is_some_and(|member| member.died.is_some());
        instance.assignments().node_to_runner.names().any(is_dead)
    }

    /// A Mac's exo ends without a word.
    pub(super) fn kill(&mut self, name: &str) {
        let now = self.now;
        let alive = self.members.iter_mut().filter(|member| member.mac.name == name && member.died.is_none());
        let mut nodes: Vec<String> = Vec::new();
        for member in alive {
            member.died = Some(now);
            nodes.push(member.node.clone());
        }
        for node in &nodes {
            self.downloads.stall(node, now);
        }
        let stuck: Vec<String> = self
            .instances
            .iter()
            .filter(|placed| self.is_stuck(&placed.instance))
            .map(|placed| placed.instance.id().to_owned())
            .collect();
        for generation in self.generations.iter_mut().filter(|one| stuck.contains(&one.instance)) {
            generation.hang(now);
        }
    }

    /// A dead Mac comes back at once, as another node; one that is alive stays as it is.
    pub(super) fn bring_back(&mut self, name: &str) {
        let is_alive = self.members.iter().any(|member| member.mac.name == name && member.died.is_none());
        if !is_alive {
            self.join(name, self.now);
        }
    }

    /// A Mac's exo ends, and starts as another node.
    pub(super) fn restart(&mut self, name: &str) {
        self.kill(name);
        self.join(name, self.now + pace::START);
    }

    /// A Mac joins under a new id, with the files that it has.
    fn join(&mut self, name: &str, at: Now) {
        let node = self.luck.node();
        let Some(last) = self.members.iter().rev().find(|member| member.mac.name == name) else { return };
        let (mac, domains) = (last.mac.clone(), last.domains.clone());
        let (old, place, condition) = (last.node.clone(), last.place, last.condition);
        self.downloads.inherit(&old, &node, self.now);
        let joined = Some(at);
        self.members.push(Member { node, mac, place, domains, joined, is_forgotten: false, died: None, condition });
        if self.members.len() > MAX_MEMBERS
            && let Some(oldest) = self.members.iter().position(|member| !member.is_seen(self.now))
        {
            self.members.remove(oldest);
        }
    }

    /// When something follows from a Mac's going or coming.
    pub(super) fn members_deadline(&self) -> Option<Now> {
        let after = [pace::LINKS_LOST, pace::MEMBER_LOST, pace::INSTANCES_LOST];
        let died = self.members.iter().filter_map(|member| member.died);
        let moments = died.flat_map(|died| after.map(|after| died + after));
        let moments = moments.chain(self.members.iter().filter_map(|member| member.joined));
        moments.filter(|moment| *moment > self.now).min()
    }

    /// Deletes the instances of Macs that have been gone for long.
    pub(super) fn bury(&mut self) {
        self.lose_where(|world, placed| {
            let mut nodes = placed.instance.assignments().node_to_runner.names();
            let mut died = nodes.by_ref().filter_map(|node| world.member(node)?.died);
            died.any(|died| died + pace::INSTANCES_LOST <= world.now)
        });
    }

    /// The master's exo stops, and its Mac goes if it is named. All others forget what they knew, and elect another.
    pub(super) fn lose_master(&mut self, name: Option<&str>) {
        let (now, last) = (self.now, Arc::new(self.draw()));
        let elected = now + pace::ELECTION;
        self.show_in_turn([(now, Show::Still(last)), (now + pace::MASTER_MISSED, Show::Empty), (elected, Show::Truth)]);
        if let Some(name) = name {
            self.kill(name);
        }
        self.instances.clear();
        self.leftovers.clear();
        self.generations.iter_mut().for_each(|generation| generation.hang(now));
        self.tasks = super::super::tasks::Tasks::default();
        // Those that are dead are not in the new master's book; of one that returns only its Mac is needed.
        for (member, place) in self.members.iter_mut().zip(0_u32..) {
            member.is_forgotten = member.died.is_some();
            let told = elected + pace::REGISTER * place;
            member.joined = Some(member.joined.map_or(told, |joined| joined.max(told)));
        }
        self.trouble.paused = Some(elected);
        self.trouble.forgotten_events = self.events;
    }

    /// Takes away instances without a command: their runners stay as they were, and their streams end.
    pub(super) fn lose_where(&mut self, is_lost: impl Fn(&Self, &Placed) -> bool) {
        let lost = self.instances.iter().filter(|placed| is_lost(self, placed));
        let lost: Vec<String> = lost.map(|placed| placed.instance.id().to_owned()).collect();
        for id in lost {
            self.lose(&id);
        }
    }

    fn lose(&mut self, id: &str) {
        let Some(place) = self.instances.iter().position(|placed| placed.instance.id() == id) else { return };
        let last: Vec<_> = self.instances.get(place).map_or_else(Vec::new, |placed| {
            let runners = placed.instance.runners();
            runners.filter_map(|runner| Some((runner.id.to_owned(), self.said(placed, &runner)?))).collect()
        });
        let Placed { instance, .. } = self.instances.remove(place);
        tracing::info!(instance = id, model = instance.model(), "lost");
        for (runner, said) in last {
            self.leave(&runner, said);
        }
        let cut = self.generations.iter_mut().filter(|one| one.instance == id && one.is_active());
        for generation in cut {
            generation.cut();
            self.tasks.set(&generation.task, TaskStatus::Cancelled);
        }
        self.stop_fetching(&instance);
        self.events += 1;
    }
}
