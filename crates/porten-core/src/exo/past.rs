//! What was there before: Macs that left, and the best link that each two of them had.
//!
//! exo gives a Mac a new id each time it starts there, so what is remembered goes by name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::members::{Cluster, Member, NodeId};
use crate::snapshot::LinkKind;
use crate::time::Now;

/// A Mac that has been away for this long was taken out of the cluster on purpose.
const FORGOTTEN: Duration = Duration::from_secs(24 * 60 * 60);

/// A Mac that is not among the members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// What it called itself.
    pub name: String,
    /// exo's last id of it.
    pub id: NodeId,
    /// When it was last heard of from here; `None`: only exo remembers it.
    pub since: Option<Timestamp>,
    /// What was installed in it (MiB).
    pub installed_mib: Option<u64>,
}

/// A Mac as it last was.
#[derive(Debug)]
struct Seen {
    id: NodeId,
    heard: Now,
    installed_mib: Option<u64>,
}

/// Macs that are remembered; a cluster has six, and names change now and then.
const MOST_NAMES: usize = 64;

/// What was there before.
#[derive(Debug, Default)]
pub(super) struct Past {
    macs: BTreeMap<String, Seen>,
    /// By the two names in their order: the fastest kind, and when it was last there.
    links: BTreeMap<(String, String), (LinkKind, Now)>,
}

impl Past {
    /// Takes note of what is there. `is_heard` says of which Macs.
    pub(super) fn note(&mut self, cluster: &Cluster, is_heard: impl Fn(&NodeId) -> bool, now: Now) {
        for member in cluster.members.iter().filter(|member| is_heard(&member.id)) {
            let Some(name) = &member.name else { continue };
            let seen = Seen { id: member.id.clone(), heard: now, installed_mib: member.installed_mib };
            self.macs.insert(name.clone(), seen);
            for (other, kind) in &member.links {
                let Some(other) = cluster.member(other).and_then(|other| other.name.as_ref()) else { continue };
                let best = self.links.entry(pair(name, other)).or_insert((*kind, now));
                if *kind <= best.0 {
                    *best = (*kind, now);
                }
            }
        }
        self.macs.retain(|_, seen| now.mono.since(seen.heard.mono) < FORGOTTEN);
        while self.macs.len() > MOST_NAMES
            && let Some(oldest) = self.macs.iter().min_by_key(|(_, seen)| seen.heard.mono).map(|(name, _)| name.clone())
        {
            self.macs.remove(&oldest);
        }
        let Self { macs, links } = self;
        links.retain(|(one, other), _| macs.contains_key(one) && macs.contains_key(other));
    }

    /// The Macs that are not among the members any more, and those that only exo remembers (`known`: id and name).
    pub(super) fn absent<'a>(
        &self,
        cluster: &Cluster,
        known: impl Iterator<Item = (&'a NodeId, &'a String)>,
    ) -> Vec<Absent> {
        if cluster.members.is_empty() {
            return Vec::new();
        }
        let here: BTreeSet<&String> = cluster.members.iter().filter_map(|member| member.name.as_ref()).collect();
        let left = self.macs.iter().filter(|(name, _)| !here.contains(name));
        let mut absent: Vec<Absent> = left
            .map(|(name, seen)| Absent {
                name: name.clone(),
                id: seen.id.clone(),
                since: Some(seen.heard.wall),
                installed_mib: seen.installed_mib,
            })
            .collect();
        let mut told: BTreeSet<String> = absent.iter().map(|gone| gone.name.clone()).collect();
        for (id, name) in known {
            if !here.contains(name) && told.len() < MOST_NAMES && told.insert(name.clone()) {
                absent.push(Absent { name: name.clone(), id: id.clone(), since: None, installed_mib: None });
            }
        }
        absent
    }

    /// A faster link that these two had before than the one they have, and when they last had it.
    pub(super) fn better_link(
        &self,
        one: &Member,
        other: &Member,
        now: Option<LinkKind>,
    ) -> Option<(LinkKind, Timestamp)> {
        let (best, last) = self.links.get(&pair(one.name.as_ref()?, other.name.as_ref()?))?;
        now.is_none_or(|now| *best < now).then_some((*best, last.wall))
    }
}

fn pair(one: &str, other: &str) -> (String, String) {
    let (first, second) = if one < other { (one, other) } else { (other, one) };
    (first.to_owned(), second.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exo::links::read_edges;
    use crate::exo::members::{Nodes, by_node, read_identity};
    use crate::time::Moment;
    use serde_json::json;

    fn cluster(macs: &[(&str, &str)], edge: &serde_json::Value) -> Cluster {
        let mut identities = serde_json::Map::new();
        identities.extend(macs.iter().map(|(id, name)| ((*id).to_owned(), json!({ "friendlyName": name }))));
        let (one, other) = (macs[0].0, macs.last().unwrap().0);
        let nodes = Nodes {
            there: macs.iter().map(|(id, _)| (*id).to_owned()).collect(),
            identities: by_node(&serde_json::Value::Object(identities), read_identity),
            edges: read_edges(&json!({ one: { other: [edge] } })),
            ..Nodes::default()
        };
        nodes.cluster(&[])
    }

    fn at(seconds: u64) -> Now {
        Now::new(Moment::START, Timestamp::UNIX_EPOCH) + Duration::from_secs(seconds)
    }

    #[test]
    fn a_mac_that_left_is_remembered_by_name_until_it_is_back_or_a_day_has_passed() {
        let rdma = json!({ "sourceRdmaIface": "rdma_en3" });
        let both = cluster(&[("a", "studio-1"), ("b", "studio-2")], &rdma);
        let alone = cluster(&[("a", "studio-1")], &rdma);
        let mut past = Past::default();
        past.note(&both, |_| true, at(0));
        past.note(&alone, |_| true, at(10));
        let absent = past.absent(&alone, std::iter::empty());
        assert_eq!((absent.len(), absent[0].name.as_str(), absent[0].since), (1, "studio-2", Some(at(0).wall)));
        let back = cluster(&[("a", "studio-1"), ("c", "studio-2")], &rdma);
        assert!(past.absent(&back, std::iter::empty()).is_empty(), "under another id");
        past.note(&alone, |_| true, at(24 * 60 * 60));
        assert!(past.absent(&alone, std::iter::empty()).is_empty());
        let (id, name) = ("z".to_owned(), "studio-9".to_owned());
        let absent = past.absent(&alone, std::iter::once((&id, &name)));
        assert_eq!((absent[0].name.as_str(), absent[0].since), ("studio-9", None));
    }

    #[test]
    fn a_link_that_became_slower_has_a_better_one_behind_it() {
        let macs = [("a", "studio-1"), ("b", "studio-2")];
        let fast = cluster(&macs, &json!({ "sourceRdmaIface": "rdma_en3" }));
        let slow = cluster(&macs, &json!({ "sinkMultiaddr": { "ip_address": "100.64.0.2" } }));
        let mut past = Past::default();
        past.note(&fast, |_| true, at(0));
        past.note(&fast, |_| true, at(60));
        past.note(&slow, |_| true, at(70));
        let better = |cluster: &Cluster| {
            let (one, other) = (&cluster.members[0], &cluster.members[1]);
            past.better_link(one, other, one.links.get(&other.id).copied())
        };
        assert_eq!(better(&slow), Some((LinkKind::Rdma, at(60).wall)));
        assert_eq!(better(&fast), None);
    }
}
