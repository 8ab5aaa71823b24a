//! The Macs, one row each.

use super::Facts;
use crate::engine::Reach;
use crate::exo::{Member, Told};
use crate::memory::usable;
use crate::snapshot::{ClusterView, MemberView};
use crate::time::Now;

/// So many digits of an id tell nodes apart that have no name yet.
const SHORT_ID: usize = 8;

pub(super) fn draw(facts: &Facts<'_>, now: Now) -> Option<ClusterView> {
    let up = matches!(facts.health.reach(), Reach::Up { .. });
    let cluster = facts.telling.cluster();
    if !up || facts.telling.told() != Told::Cluster || cluster.members.is_empty() {
        return None;
    }
    let members = cluster.members.iter().map(|member| row(facts, member, now)).collect();
    Some(ClusterView { freshness: facts.telling.freshness(now), members })
}

fn row(facts: &Facts<'_>, member: &Member, now: Now) -> MemberView {
    let short = || member.id.chars().take(SHORT_ID).collect();
    MemberView {
        id: member.id.clone(),
        name: member.name.clone().unwrap_or_else(short),
        this_mac: member.asked,
        state: facts.telling.member_state(&member.id, now),
        model: member.model.clone(),
        chip: member.chip.clone(),
        macos: member.os.clone(),
        installed_mib: member.installed_mib,
        free_mib: member.free_mib,
        usable_mib: member.installed_mib.map(usable),
        models_mib: member.models_mib,
        gpu_percent: member.gpu_percent,
        gpu_celsius: member.gpu_celsius,
        watts: member.watts,
        link: member.link,
    }
}
