//! The pooled Macs as rooms for models: what each may hold, and which of them are missing.

use std::collections::BTreeSet;

use crate::exo::{Member, NodeId, Sharding, Telling};
use crate::limits::Limits;
use crate::memory::{Room, UsableOrigin, usable};
use crate::snapshot::MemberState;
use crate::time::Now;

/// What is known of how much the GPUs may hold.
#[derive(Debug, Clone, Copy)]
pub struct Wired<'a> {
    /// What the system says of this Mac (MiB); 0 is its own default.
    pub read_mib: Option<u64>,
    /// What was told of the others.
    pub limits: &'a Limits,
}

impl Wired<'_> {
    /// What a Mac's GPU may hold (MiB), and where that comes from; `None` while it has not told what is installed.
    #[must_use]
    pub fn of(&self, member: &Member) -> Option<(u64, UsableOrigin)> {
        let told = member.name.as_deref().and_then(|name| self.limits.of(name));
        Some(usable(member.installed_mib?, self.read_mib.filter(|_| member.asked), told))
    }
}

/// The Macs of exo's cluster: those that are heard of, and those that are missing. A ghost is neither.
#[must_use]
pub fn rooms(telling: &Telling, wired: Wired<'_>, now: Now) -> Vec<Room> {
    let sliced = sliced(telling);
    let member = |member: &Member| {
        let state = telling.member_state(member, now);
        if matches!(state, MemberState::Ghost { .. }) {
            return None;
        }
        let (usable_mib, origin) = wired.of(member)?;
        Some(Room {
            installed_mib: member.installed_mib?,
            usable_mib,
            origin,
            heard: state.is_heard(),
            sliced: sliced.contains(&member.id),
        })
    };
    let absent = telling.absent().into_iter().filter(|gone| gone.since.is_some()).filter_map(|gone| {
        let installed_mib = gone.installed_mib?;
        let (usable_mib, origin) = usable(installed_mib, None, wired.limits.of(&gone.name));
        Some(Room { installed_mib, usable_mib, origin, heard: false, sliced: false })
    });
    telling.cluster().members.iter().filter_map(member).chain(absent).collect()
}

/// One machine that is no member of a cluster.
#[must_use]
pub fn alone(installed_mib: Option<u64>, read_mib: Option<u64>) -> Vec<Room> {
    let room = |installed_mib| {
        let (usable_mib, origin) = usable(installed_mib, read_mib, None);
        Room { installed_mib, usable_mib, origin, heard: true, sliced: false }
    };
    installed_mib.map(room).into_iter().collect()
}

/// The Macs that hold a slice of every layer of some model.
fn sliced(telling: &Telling) -> BTreeSet<NodeId> {
    let instances = telling.instances().map(|(instance, _)| instance);
    instances.filter(|one| one.sharding() == Sharding::Tensor).flat_map(|one| one.nodes().cloned()).collect()
}
