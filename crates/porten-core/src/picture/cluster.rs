//! The Macs, one row each.

use std::collections::BTreeMap;

use super::Facts;
use crate::engine::Reach;
use crate::exo::{Absent, Member, NodeId, Told};
use crate::memory::UsableOrigin;
use crate::snapshot::{AbsentView, ClusterView, FormerLink, MemberLink, MemberView};
use crate::time::Now;

/// So many digits of an id tell nodes apart that have no name yet.
const SHORT_ID: usize = 8;
/// So many of them tell two Macs apart that have one name.
const SHORTER_ID: usize = 4;

pub(super) fn draw(facts: &Facts<'_>, now: Now) -> Option<ClusterView> {
    let up = matches!(facts.health.reach(), Reach::Up { .. });
    let members = &facts.telling.cluster().members;
    if !up || facts.telling.told() != Told::Cluster || members.is_empty() {
        return None;
    }
    let names = names(facts, now);
    let absent = facts.telling.absent().into_iter();
    Some(ClusterView {
        freshness: facts.telling.freshness(now),
        members: members.iter().map(|member| row(facts, member, &names, now)).collect(),
        absent: absent
            .map(|Absent { id, name, since, installed_mib }| AbsentView { id, name, since, installed_mib })
            .collect(),
    })
}

/// What each node is called: its name; with a part of its id where two that are heard of share one; or that part alone.
pub(super) fn names(facts: &Facts<'_>, now: Now) -> BTreeMap<NodeId, String> {
    let members = &facts.telling.cluster().members;
    let heard = |member: &Member| facts.telling.member_state(member, now).is_heard();
    let name = |member: &Member| {
        let short = |digits: usize| member.id.chars().take(digits).collect::<String>();
        let Some(name) = &member.name else { return short(SHORT_ID) };
        let twin = |other: &Member| other.id != member.id && other.name == member.name && heard(other);
        if heard(member) && members.iter().any(twin) { format!("{name} ({})", short(SHORTER_ID)) } else { name.clone() }
    };
    members.iter().map(|member| (member.id.clone(), name(member))).collect()
}

fn row(facts: &Facts<'_>, member: &Member, names: &BTreeMap<NodeId, String>, now: Now) -> MemberView {
    let usable = facts.wired.of(member);
    let asked = facts.telling.cluster().asked();
    MemberView {
        id: member.id.clone(),
        name: names.get(&member.id).cloned().unwrap_or_default(),
        this_mac: member.asked,
        state: facts.telling.member_state(member, now),
        model: member.model.clone(),
        chip: member.chip.clone(),
        macos: member.os.clone(),
        macos_build: member.build.clone(),
        installed_mib: member.installed_mib,
        free_mib: member.free_mib,
        swapped_mib: member.swapped_mib,
        usable_mib: usable.map(|(mib, _)| mib),
        usable_origin: usable.map_or(UsableOrigin::Assumed, |(_, origin)| origin),
        models_mib: member.models_mib,
        disk_mib: member.disk_mib,
        disk_free_mib: member.disk_free_mib,
        gpu_percent: member.gpu_percent,
        cpu_percent: member.cpu_percent,
        gpu_celsius: member.gpu_celsius,
        watts: member.watts,
        rdma: member.rdma,
        thunderbolt_gbit_per_s: member.thunderbolt_gbit_per_s,
        link: asked.and_then(|asked| member.links.get(&asked.id).copied()),
        links: links(facts, member, names),
    }
}

fn links(facts: &Facts<'_>, member: &Member, names: &BTreeMap<NodeId, String>) -> Vec<MemberLink> {
    let others = facts.telling.cluster().members.iter().filter(|other| other.id != member.id);
    let link = |other: &Member| MemberLink {
        to: names.get(&other.id).cloned().unwrap_or_default(),
        kind: member.links.get(&other.id).copied(),
        was: facts.telling.better_link(member, other).map(|(kind, last)| FormerLink { kind, last }),
    };
    others.map(link).collect()
}
