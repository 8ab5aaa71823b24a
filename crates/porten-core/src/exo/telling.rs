//! What exo has told so far, and what of it is believed: a frozen, leaderless or hanging exo still answers 200.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::document::Document;
use super::heartbeat::Heartbeat;
use super::instance::{Download, Instance, Part, Phase, Runner, read_downloads, read_instances, read_runners};
use super::links::{read_edges, read_interfaces, read_ports};
use super::members::{
    Cluster, MOST, Member, NodeId, Nodes, by_node, read_disk, read_identity, read_loops, read_ram, read_system,
};
use super::past::{Absent, Past};
use super::rhythm::{Pace, Rhythm};
use super::stall::{Progress, Stall};
use crate::lingering::Seen;
use crate::reply::Reply;
use crate::snapshot::{Freshness, LinkKind, MemberState};
use crate::time::{Moment, Now};

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time passed; see [`Telling::deadline`].
    Tick,
    /// The answer to the document that was asked for.
    Told(Document, Reply),
    /// What is going on.
    Pace(Pace),
    /// A person, a wake, a command to exo: look again.
    Nudge,
}

/// Whether there is a cluster to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Not asked to the end yet.
    NotYet,
    /// It answers none of its documents: what it lists is all there is.
    Nothing,
    /// Yes.
    Cluster,
}

/// What exo has told.
#[derive(Debug, Default)]
pub struct Telling {
    rhythm: Rhythm,
    told: BTreeSet<Document>,
    refused: bool,
    nodes: Nodes,
    instances: Vec<Instance>,
    runners: BTreeMap<String, Runner>,
    /// When they were told.
    runners_at: Option<Moment>,
    downloads: BTreeMap<NodeId, Vec<Download>>,
    heartbeat: Heartbeat,
    progress: Progress,
    past: Past,
    cluster: Cluster,
    /// What takes something away, until the heartbeat after it has shown that it is no history.
    held: BTreeMap<Document, Value>,
    /// What was told while exo was doubted, and is to be asked again.
    owed: BTreeSet<Document>,
}

impl Telling {
    /// Whether there is a cluster to show.
    #[must_use]
    pub fn told(&self) -> Told {
        match (self.told.contains(&Document::Instances), self.refused) {
            (true, _) => Told::Cluster,
            (false, true) => Told::Nothing,
            (false, false) => Told::NotYet,
        }
    }

    /// Whether it has told once which Macs there are, and what is installed in them.
    #[must_use]
    pub fn has_told_memory(&self) -> bool {
        self.told.contains(&Document::Topology) && self.told.contains(&Document::Memory)
    }

    /// The Macs.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The placed models, and how far each has come.
    pub fn instances(&self) -> impl Iterator<Item = (&Instance, Phase)> {
        self.instances.iter().map(|instance| (instance, instance.phase(&self.runners, &self.downloads)))
    }

    /// The parts of a placed model, and what each does.
    #[must_use]
    pub fn parts(&self, instance: &Instance) -> Vec<Part> {
        instance.parts(&self.runners, &self.downloads)
    }

    /// The part of a placed model that has not moved for too long, while exo's state is true.
    #[must_use]
    pub fn stall(&self, instance: &Instance, now: Now) -> Option<Stall> {
        let fresh = self.freshness(now) == Freshness::Fresh;
        fresh.then(|| self.progress.stall(&instance.id, now)).flatten()
    }

    /// The slowest link that its parts talk over; `None` where it has one part, or does not say.
    #[must_use]
    pub fn used_link(&self, instance: &Instance) -> Option<LinkKind> {
        self.nodes.used_link(instance)
    }

    /// Whether a model can serve now: one instance of it can, all its Macs are heard of, and exo's state is true now.
    #[must_use]
    pub fn is_ready(&self, model: &str, now: Now) -> bool {
        self.freshness(now) == Freshness::Fresh
            && self.instances().any(|(instance, phase)| {
                instance.model == model && phase == Phase::Ready && self.unheard(instance, now).is_none()
            })
    }

    /// What its runners told last of a model: whether one of them is at work.
    #[must_use]
    pub fn at_work(&self, model: &str) -> Option<Seen> {
        let computes = self.instances.iter().any(|one| one.model == model && one.computes(&self.runners));
        self.runners_at.map(|at| Seen { computes, at })
    }

    /// What the runners do is worth asking for next.
    pub fn hasten_runners(&mut self) {
        self.rhythm.hasten(&[Document::Runners]);
    }

    /// The first Mac of an instance that is not heard of, by its id.
    #[must_use]
    pub fn unheard<'a>(&self, instance: &'a Instance, now: Now) -> Option<&'a NodeId> {
        // Before the first topology nobody is known to be missing.
        let known = self.told.contains(&Document::Topology);
        instance.nodes().find(|node| known && !self.is_heard(node, now))
    }

    /// Whether an instance has lost a Mac for good: what runs on it will not come to its end.
    #[must_use]
    pub fn is_broken(&self, instance: &Instance) -> bool {
        let known = self.told.contains(&Document::Topology);
        known && instance.nodes().any(|node| !self.nodes.there.contains(node) || self.heartbeat.is_gone(node))
    }

    /// Whether a Mac is a member, and heard of.
    #[must_use]
    pub fn is_heard(&self, node: &NodeId, now: Now) -> bool {
        self.nodes.there.contains(node) && self.heartbeat.silent_since(node, now).is_none()
    }

    /// What a node calls itself, member or not: exo keeps the names of those that left.
    #[must_use]
    pub fn name(&self, node: &NodeId) -> Option<&str> {
        self.nodes.identities.get(node)?.name.as_deref()
    }

    /// Whether all this is true now.
    #[must_use]
    pub fn freshness(&self, now: Now) -> Freshness {
        self.heartbeat.freshness(now)
    }

    /// For how long it has been moving without a stop; `None` while it is not seen to.
    #[must_use]
    pub fn moving_for(&self, now: Now) -> Option<Duration> {
        self.heartbeat.moving_for(now)
    }

    /// Whether one Mac is heard of.
    #[must_use]
    pub fn member_state(&self, member: &Member, now: Now) -> MemberState {
        let told = self.nodes.identities.contains_key(&member.id) && self.nodes.memory.contains_key(&member.id);
        match self.heartbeat.silent_since(&member.id, now) {
            Some(since) if self.is_replaced(member, now) => MemberState::Ghost { since },
            Some(since) => MemberState::Late { since },
            None if told && self.heartbeat.knows(&member.id) => MemberState::Online,
            None => MemberState::Joining,
        }
    }

    /// Whether exo has started anew on that Mac: another member of that name is heard of.
    fn is_replaced(&self, member: &Member, now: Now) -> bool {
        let same = |other: &&Member| other.id != member.id && member.name.is_some() && other.name == member.name;
        self.cluster.members.iter().filter(same).any(|other| self.is_heard(&other.id, now))
    }

    /// The Macs that are not among the members any more.
    #[must_use]
    pub fn absent(&self) -> Vec<Absent> {
        let known = self.nodes.identities.iter().filter(|(id, _)| !self.nodes.there.contains(*id));
        self.past.absent(&self.cluster, known.filter_map(|(id, who)| Some((id, who.name.as_ref()?))))
    }

    /// A faster link that two members had before than the one they have, and when they last had it.
    #[must_use]
    pub fn better_link(&self, one: &Member, other: &Member) -> Option<(LinkKind, jiff::Timestamp)> {
        self.past.better_link(one, other, one.links.get(&other.id).copied())
    }

    /// When [`Input::Tick`] is due.
    #[must_use]
    pub fn deadline(&self, now: Moment) -> Option<Moment> {
        let next = self.rhythm.deadline(now, |document| !self.told.contains(&document));
        [next, self.heartbeat.deadline().filter(|still| *still > now)].into_iter().flatten().min()
    }

    /// One step; says which document to ask for, if one is due.
    pub fn on(&mut self, input: Input, now: Now) -> Option<Document> {
        match input {
            Input::Tick => {}
            Input::Told(document, reply) => {
                self.rhythm.answered();
                self.take(document, &reply, now);
            }
            Input::Pace(pace) => {
                // Whoever begins to look wants to know first whether it is all true.
                if pace != self.rhythm.pace() {
                    self.rhythm.set_pace(pace);
                    self.rhythm.hasten(&[Document::LastSeen]);
                }
            }
            Input::Nudge => self.rhythm.hasten(&[
                Document::LastSeen,
                Document::Instances,
                Document::Runners,
                Document::Topology,
                Document::Downloads,
            ]),
        }
        self.rhythm.next(now.mono, |document| !self.told.contains(&document))
    }

    fn take(&mut self, document: Document, reply: &Reply, now: Now) {
        let Reply::Answer { status, body, .. } = reply else { return };
        let value = match (status, serde_json::from_slice::<Value>(body)) {
            (200, Ok(value)) => value,
            _ => {
                self.refused |= document == Document::Instances;
                return;
            }
        };
        if document != Document::LastSeen {
            if self.heartbeat.is_doubted() {
                self.owed.insert(document);
                return;
            }
            if self.takes_away(document, &value) {
                self.held.insert(document, value);
                self.rhythm.hasten(&[Document::LastSeen]);
                return;
            }
            self.held.remove(&document);
        }
        self.believe(document, &value, now);
    }

    /// Whether something would be gone by it that is there.
    fn takes_away(&self, document: Document, value: &Value) -> bool {
        let keeps = |id: &String| value.get(id.as_str()).is_some();
        match document {
            Document::Instances => !self.instances.iter().all(|instance| keeps(&instance.id)),
            Document::Identities => !self.nodes.identities.keys().all(keeps),
            Document::Memory => !self.nodes.memory.keys().all(keeps),
            Document::Topology => {
                let nodes: BTreeSet<&str> =
                    value["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                !self.nodes.there.iter().all(|node| nodes.contains(node.as_str()))
            }
            _ => false,
        }
    }

    fn believe(&mut self, document: Document, value: &Value, now: Now) {
        self.told.insert(document);
        match document {
            Document::NodeId => self.nodes.asked = value.as_str().map(str::to_owned),
            Document::LastSeen => self.take_heartbeat(value, now),
            Document::Instances => self.take_instances(value),
            Document::Runners => {
                self.runners = read_runners(value);
                self.runners_at = Some(now.mono);
            }
            Document::Topology => {
                let there = value["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str);
                self.nodes.there = there.take(MOST).map(str::to_owned).collect();
                self.nodes.edges = read_edges(&value["connections"]);
            }
            Document::Identities => self.nodes.identities = by_node(value, read_identity),
            Document::Memory => self.nodes.memory = by_node(value, read_ram),
            Document::System => self.nodes.system = by_node(value, read_system),
            Document::Network => self.nodes.interfaces = by_node(value, read_interfaces),
            Document::Thunderbolt => self.nodes.ports = by_node(value, read_ports),
            Document::Rdma => self.nodes.rdma = by_node(value, |told| told["enabled"] == true),
            Document::BridgeLoops => self.nodes.loops = read_loops(value),
            Document::Disk => self.nodes.disks = by_node(value, read_disk),
            Document::Downloads => self.downloads = read_downloads(value),
        }
        self.cluster = self.nodes.cluster(&self.instances);
        let parts: Vec<_> = self.instances.iter().map(|one| (one.id.clone(), self.parts(one))).collect();
        self.progress.note(parts.into_iter(), now);
        let Self { past, cluster, heartbeat, .. } = self;
        past.note(cluster, |node| heartbeat.silent_since(node, now).is_none(), now);
    }

    /// After a heartbeat: what was held back holds, or is asked for again once exo is not doubted any more.
    fn settle(&mut self, now: Now) {
        let held = std::mem::take(&mut self.held);
        if self.heartbeat.is_doubted() {
            self.owed.extend(held.into_keys());
            return;
        }
        let owed: Vec<Document> = std::mem::take(&mut self.owed).into_iter().collect();
        self.rhythm.hasten(&owed);
        for (document, value) in held {
            self.believe(document, &value, now);
        }
    }

    fn take_instances(&mut self, value: &Value) {
        let before: BTreeSet<&String> = self.instances.iter().map(|instance| &instance.id).collect();
        let fresh = read_instances(value);
        if fresh.iter().any(|instance| !before.contains(&instance.id)) {
            self.rhythm.hasten(&[Document::Runners, Document::Downloads]);
        }
        self.instances = fresh;
    }

    fn take_heartbeat(&mut self, value: &Value, now: Now) {
        let heard = self.heartbeat.take(value, now);
        self.settle(now);
        if heard.changed {
            self.rhythm.hasten(&[
                Document::Topology,
                Document::Instances,
                Document::Identities,
                Document::Memory,
                Document::NodeId,
                Document::Network,
                Document::Thunderbolt,
                Document::Rdma,
            ]);
        }
        if heard.doubtful {
            self.rhythm.hasten(&[Document::LastSeen]);
        }
        if heard.turned {
            self.rhythm.hasten(&[Document::Instances, Document::Topology]);
        }
    }
}

#[cfg(test)]
mod tests;
