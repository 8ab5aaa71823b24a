//! What the GPUs may hold: this Mac's system says of it, a person told of the others.

use std::path::{Path, PathBuf};

use porten_core::command::{Declined, DeclinedCode};
use porten_core::pool::Wired;

use super::cluster::Following;
use super::effects::Done;
use super::world::World;
use crate::kept;
use crate::node::wired_limit_mib;

/// What was told of each Mac's wired limit, and for which start of its exo.
pub(super) fn file(state: &Path) -> PathBuf {
    state.join("wired-limits.json")
}

impl World {
    /// What is known of how much the GPUs may hold.
    pub(super) const fn wired(&self) -> Wired<'_> {
        Wired { read_mib: self.wired_mib, limits: &self.following.limits }
    }

    /// What was told of a Mac holds for one start of its exo: binds it to that; whether there is anything to keep.
    pub(super) fn bind_limits(&mut self) -> bool {
        let now = self.hands.clock.now();
        let Following { telling, limits, .. } = &mut self.following;
        let heard = telling.cluster().members.iter().filter(|member| telling.is_heard(&member.id, now));
        let mut changed = false;
        for member in heard {
            if let Some(name) = &member.name {
                changed |= limits.seen(name, &member.id);
            }
        }
        changed
    }

    pub(super) fn keep_limits(&mut self) {
        let (path, limits) = (file(&self.hands.places.state), self.following.limits.clone());
        self.tasks.spawn_blocking(move || {
            if let Err(error) = kept::store(&path, &limits) {
                tracing::warn!(%error, "what was told of the Macs' limits is not kept");
            }
            Done::Nothing
        });
    }

    /// A person tells what the GPU of a Mac may hold (MiB), or takes it back.
    pub(super) fn tell_limit(&mut self, mac: &str, mib: Option<u64>) -> Result<(), Declined> {
        let known = self.following.telling.cluster().members.iter().filter_map(|member| member.name.as_deref());
        let names: Vec<&str> = known.collect();
        if !names.contains(&mac) {
            let text = match names.as_slice() {
                [] => "The engine tells of no Macs now.".to_owned(),
                names => format!("There is no Mac {mac} in the cluster; there are {}.", names.join(", ")),
            };
            return Err(Declined { code: DeclinedCode::UnknownMac, text });
        }
        let members = &self.following.telling.cluster().members;
        let named = members.iter().filter(|member| member.name.as_deref() == Some(mac));
        let installed = named.filter_map(|member| member.installed_mib).max();
        if let (Some(told), Some(installed)) = (mib, installed)
            && told > installed
        {
            let text = format!("{mac} has {installed} MB installed; its GPU cannot hold {told} MB.");
            return Err(Declined { code: DeclinedCode::Settings, text });
        }
        self.following.limits.tell(mac, mib);
        self.bind_limits();
        self.keep_limits();
        Ok(())
    }

    /// What the system says of this Mac's limit may have been set since.
    pub(super) fn look_at_limit(&mut self) {
        self.tasks.spawn_blocking(|| Done::Wired(wired_limit_mib()));
    }
}
