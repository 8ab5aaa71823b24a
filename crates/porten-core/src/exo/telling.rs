//! What exo has told so far, and what of it is believed: a frozen, leaderless or hanging exo still answers 200.

use std::collections::BTreeSet;
use std::time::Duration;

use super::answer::{Answer, Said};
use super::document::Document;
use super::heartbeat::{Heartbeat, Stamps};
use super::instance::{Downloads, Instance, Part, Phase, Runners};
use super::members::{Cluster, Member, NodeId, Nodes};
use super::past::{Absent, Past};
use super::rhythm::{Pace, Rhythm};
use super::stall::{Progress, Stall};
use crate::lingering::Seen;
use crate::snapshot::{Freshness, LinkKind, MemberState};
use crate::time::{Moment, Now};

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Time passed; see [`Telling::deadline`].
    Tick,
    /// The answer to the document that was asked for.
    Told(Answer),
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
    /// With how far each has come, as the documents before told.
    instances: Vec<(Instance, Phase)>,
    runners: Runners,
    /// When they were told.
    runners_at: Option<Moment>,
    downloads: Downloads,
    heartbeat: Heartbeat,
    progress: Progress,
    past: Past,
    cluster: Cluster,
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
        self.instances.iter().map(|(instance, phase)| (instance, phase.clone()))
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
            && self.instances.iter().any(|(instance, phase)| {
                instance.model == model && *phase == Phase::Ready && self.unheard(instance, now).is_none()
            })
    }

    /// What its runners told last of a model: whether one of them is at work.
    #[must_use]
    pub fn at_work(&self, model: &str) -> Option<Seen> {
        let computes = self.instances.iter().any(|(one, _)| one.model == model && one.computes(&self.runners));
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
            Input::Told(answer) => {
                self.rhythm.answered();
                self.take(answer, now);
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

    fn take(&mut self, Answer { document, said }: Answer, now: Now) {
        match said {
            Said::Lost => return,
            Said::Refused => {
                self.refused |= document == Document::Instances;
                return;
            }
            Said::NodeId(asked) => self.nodes.asked = asked,
            Said::LastSeen(stamps) => self.take_heartbeat(&stamps, now),
            Said::Instances(instances) => self.take_instances(instances),
            Said::Runners(runners) => {
                self.runners = runners;
                self.runners_at = Some(now.mono);
            }
            Said::Topology(there, edges) => {
                self.nodes.there = there.into_iter().collect();
                self.nodes.edges = edges;
            }
            Said::Identities(identities) => self.nodes.identities = identities,
            Said::Memory(memory) => self.nodes.memory = memory,
            Said::System(system) => self.nodes.system = system,
            Said::Network(interfaces) => self.nodes.interfaces = interfaces,
            Said::Thunderbolt(ports) => self.nodes.ports = ports,
            Said::Rdma(rdma) => self.nodes.rdma = rdma,
            Said::BridgeLoops(loops) => self.nodes.loops = loops,
            Said::Disk(disks) => self.nodes.disks = disks,
            Said::Downloads(downloads) => self.downloads = downloads,
        }
        self.told.insert(document);
        for (instance, phase) in &mut self.instances {
            *phase = instance.phase(&self.runners, &self.downloads);
        }
        self.cluster = self.nodes.cluster(&self.instances);
        let parts: Vec<_> = self.instances.iter().map(|(one, _)| (one.id.clone(), self.parts(one))).collect();
        self.progress.note(parts.into_iter(), now);
        let Self { past, cluster, heartbeat, .. } = self;
        past.note(cluster, |node| heartbeat.silent_since(node, now).is_none(), now);
    }

    fn take_instances(&mut self, fresh: Vec<Instance>) {
        let known = |one: &Instance| self.instances.iter().any(|(instance, _)| instance.id == one.id);
        if fresh.iter().any(|instance| !known(instance)) {
            self.rhythm.hasten(&[Document::Runners, Document::Downloads]);
        }
        // How far each has come is read anew below.
        self.instances = fresh.into_iter().map(|instance| (instance, Phase::Placed)).collect();
    }

    fn take_heartbeat(&mut self, stamps: &Stamps, now: Now) {
        let heard = self.heartbeat.take(stamps, now);
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
