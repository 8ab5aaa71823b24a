//! What exo has told so far, and whether it is true now: what does not move is not believed.
//!
//! Freshness is movement, by this Mac's own clock: the stamps in exo's heartbeat come from another Mac's. They move each
//! second as long as the cluster has a leader; a frozen, leaderless or hanging exo still answers 200.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use super::document::Document;
use super::instance::{Download, Instance, Phase, Runner, read_downloads, read_instances, read_runners};
use super::links::{read_edges, read_interfaces, read_ports};
use super::members::{Cluster, NodeId, Nodes, by_node, read_identity, read_ram, read_system};
use super::rhythm::{Pace, Rhythm};
use crate::reply::Reply;
use crate::snapshot::{Freshness, MemberState};
use crate::time::{Moment, Now};

/// The heartbeat may stand still for this long; longer where it is asked for less often.
const STILL: Duration = Duration::from_secs(10);

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

/// A node's stamp in the heartbeat.
#[derive(Debug)]
struct Beat {
    stamp: String,
    moved: Now,
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
    downloads: BTreeMap<NodeId, Vec<Download>>,
    beats: BTreeMap<NodeId, Beat>,
    /// When any stamp last moved, and since when they have without a stop.
    moved: Option<Now>,
    moving: Option<Moment>,
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

    /// The Macs.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// The placed models, and how far each has come.
    pub fn instances(&self) -> impl Iterator<Item = (&Instance, Phase)> {
        self.instances.iter().map(|instance| (instance, instance.phase(&self.runners, &self.downloads)))
    }

    /// Whether a model can serve: one instance of it can.
    #[must_use]
    pub fn is_ready(&self, model: &str) -> bool {
        self.instances().any(|(instance, phase)| instance.model == model && phase == Phase::Ready)
    }

    /// Whether all this is true now.
    #[must_use]
    pub fn freshness(&self, now: Now) -> Freshness {
        match self.moved {
            Some(moved) if now.mono.since(moved.mono) > self.patience() => Freshness::Stale { since: moved.wall },
            _ => Freshness::Fresh,
        }
    }

    /// For how long it has been moving without a stop; `None` while it is not seen to.
    #[must_use]
    pub fn moving_for(&self, now: Now) -> Option<Duration> {
        let moving = self.moving?;
        matches!(self.freshness(now), Freshness::Fresh).then(|| now.mono.since(moving))
    }

    /// Whether one Mac is heard of.
    #[must_use]
    pub fn member_state(&self, node: &NodeId, now: Now) -> MemberState {
        let told = self.nodes.identities.contains_key(node) && self.nodes.memory.contains_key(node);
        match self.beats.get(node) {
            Some(beat) if now.mono.since(beat.moved.mono) > self.patience() => {
                MemberState::Late { since: beat.moved.wall }
            }
            Some(_) if told => MemberState::Online,
            _ => MemberState::Joining,
        }
    }

    /// When [`Input::Tick`] is due.
    #[must_use]
    pub fn deadline(&self, now: Moment) -> Option<Moment> {
        let still = self.moved.map(|moved| moved.mono + self.patience() + Duration::from_millis(1));
        let next = self.rhythm.deadline(now, |document| !self.told.contains(&document));
        [next, still.filter(|still| *still > now)].into_iter().flatten().min()
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
                // What nobody looked at has aged: it must not be called still for that.
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
        if !matches!(self.freshness(now), Freshness::Fresh) {
            self.moving = None;
        }
        self.rhythm.next(now.mono, |document| !self.told.contains(&document))
    }

    /// Two missed heartbeats and a half.
    fn patience(&self) -> Duration {
        STILL.max(self.rhythm.pace().heartbeat() * 5 / 2)
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
        self.told.insert(document);
        match document {
            Document::NodeId => self.nodes.asked = value.as_str().map(str::to_owned),
            Document::LastSeen => self.beat(&value, now),
            Document::Instances => self.take_instances(&value),
            Document::Runners => self.runners = read_runners(&value),
            Document::Topology => {
                let there = value["nodes"].as_array().into_iter().flatten().filter_map(Value::as_str);
                self.nodes.there = there.map(str::to_owned).collect();
                self.nodes.edges = read_edges(&value["connections"]);
            }
            Document::Identities => self.nodes.identities = by_node(&value, read_identity),
            Document::Memory => self.nodes.memory = by_node(&value, read_ram),
            Document::System => self.nodes.system = by_node(&value, read_system),
            Document::Network => self.nodes.interfaces = by_node(&value, read_interfaces),
            Document::Thunderbolt => self.nodes.ports = by_node(&value, read_ports),
            Document::Downloads => self.downloads = read_downloads(&value),
        }
        self.cluster = self.nodes.cluster(&self.instances);
    }

    fn take_instances(&mut self, value: &Value) {
        let before: BTreeSet<&String> = self.instances.iter().map(|instance| &instance.id).collect();
        let fresh = read_instances(value);
        if fresh.iter().any(|instance| !before.contains(&instance.id)) {
            self.rhythm.hasten(&[Document::Runners, Document::Downloads]);
        }
        self.instances = fresh;
    }

    fn beat(&mut self, value: &Value, now: Now) {
        let stamps = by_node(value, |stamp| stamp.as_str().unwrap_or_default().to_owned());
        let mut joined = stamps.len() != self.beats.len();
        let mut moved = false;
        let mut beats = BTreeMap::new();
        for (node, stamp) in stamps {
            let beat = match self.beats.remove(&node) {
                Some(beat) if beat.stamp == stamp => beat,
                Some(_) => {
                    moved = true;
                    Beat { stamp, moved: now }
                }
                None => {
                    joined = true;
                    Beat { stamp, moved: now }
                }
            };
            beats.insert(node, beat);
        }
        self.beats = beats;
        if moved && self.moving.is_none() {
            self.moving = Some(now.mono);
        }
        if moved || self.moved.is_none() {
            self.moved = Some(now);
        }
        if joined {
            self.rhythm.hasten(&[Document::Topology, Document::Identities, Document::Memory]);
        }
    }
}

#[cfg(test)]
mod tests;
