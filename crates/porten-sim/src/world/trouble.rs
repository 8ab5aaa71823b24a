//! What goes wrong in a cluster. Troubles are ordered; each begins at its moment, and then lasts as exo's do.
//!
//! ```text
//! order ──► pending ──(its moment)──► begin ──┬─► members    who is there
//!                                             ├─► programme  what /state shows instead of the truth
//!                                             ├─► loads, fates, people
//!                                             └─► wires, conditions
//! ```

mod conditions;
mod fates;
mod loads;
mod members;
mod people;
mod phantoms;
mod programme;
mod slow;
mod wires;

#[cfg(test)]
mod tests;

pub(super) use conditions::Condition;
pub(crate) use slow::Turn;
pub(super) use wires::Wires;

use jiff::SignedDuration;

use super::generation::Next;
use super::{Now, World};
use crate::trouble::{Known, Order, Trouble};
use fates::Fates;
use programme::{Programme, Show};
use slow::Slow;

/// Troubles that wait for their moment: a bound for those who order without end.
const MAX_PENDING: usize = 1_000;

/// All that is wrong.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    pending: Vec<(Now, Trouble)>,
    programme: Programme,
    fates: Fates,
    slow: Slow,
    pub(super) wires: Wires,
    failing_loads: u32,
    /// Until when commands wait for a master.
    paused: Option<Now>,
    /// How far the master's clock is from the right time.
    clock: SignedDuration,
    /// Events that a new master does not know of.
    pub(super) forgotten_events: u64,
}

impl World {
    /// What a trouble may name here.
    pub(crate) fn known(&self) -> Known {
        let mut macs: Vec<String> = Vec::new();
        for member in &self.members {
            if !macs.contains(&member.mac.name) {
                macs.push(member.mac.name.clone());
            }
        }
        Known { macs, models: self.cards.iter().map(|card| card.model_id.clone()).collect() }
    }

    /// Takes a trouble; one whose moment is past begins at once.
    pub(crate) fn order(&mut self, order: Order) {
        let Order { trouble, at } = order;
        if self.trouble.pending.len() >= MAX_PENDING {
            tracing::warn!(?trouble, "too many troubles wait already");
            return;
        }
        let at = at.map_or(self.now, |at| at.max(self.now));
        self.trouble.pending.push((at, trouble));
        // Those who wait for the next thing to happen have to look again when that is.
        self.events += 1;
        self.settle();
    }

    /// When the next trouble begins, or one goes on.
    pub(super) fn trouble_deadline(&self) -> Option<Now> {
        let pending = self.trouble.pending.iter().map(|(at, _)| *at);
        pending.chain(self.trouble.programme.next(self.now)).chain(self.members_deadline()).min()
    }

    /// Lets happen what goes wrong at this moment.
    pub(super) fn suffer(&mut self) {
        while let Some(trouble) = self.take_due() {
            tracing::info!(?trouble, "trouble");
            self.events += 1;
            self.begin(trouble);
        }
        self.bury();
        self.give_up();
        self.trouble.programme.tidy(self.now);
    }

    /// Takes the first of those that are due.
    fn take_due(&mut self) -> Option<Trouble> {
        let due = self.trouble.pending.iter().enumerate().filter(|(_, (at, _))| *at <= self.now);
        let (place, _) = due.min_by_key(|(_, (at, _))| *at)?;
        Some(self.trouble.pending.remove(place).1)
    }

    fn begin(&mut self, trouble: Trouble) {
        match trouble {
            Trouble::MemberDies(name) => self.kill(&name),
            Trouble::Back(name) => self.bring_back(&name),
            Trouble::Ghost(name) => self.restart(&name),
            Trouble::MasterLost(name) => self.lose_master(name.as_deref()),
            Trouble::Frozen => self.freeze(),
            Trouble::Thaw => self.thaw(),
            Trouble::Replay(lasts) => self.replay(lasts),
            Trouble::DownloadStalls(name) => self.stall(&name),
            Trouble::DownloadGoesOn(name) => self.go_on(&name),
            Trouble::LoadFails(times) => self.trouble.failing_loads = times,
            Trouble::LinkFallsBack(pair, way) => self.trouble.wires.fall_back(pair, way),
            Trouble::LinkBack(pair) => self.trouble.wires.restore(&pair),
            Trouble::Phantom { has_strangers, model } => self.haunt(has_strangers, model.as_deref()),
            Trouble::Empty200(times) => self.trouble.fates.empty = times,
            Trouble::CutStream(times) => self.trouble.fates.cut = times,
            Trouble::CannotGenerate(model) => self.trouble.fates.never.push(model),
            Trouble::Clock(seconds) => {
                self.trouble.clock = SignedDuration::try_from_secs_f64(seconds).unwrap_or_default();
            }
            Trouble::SomeoneDeletes(model) => self.someone_deletes(&model),
            Trouble::SomeonePlaces(model) => self.someone_places(&model),
            Trouble::SlowState(each) => self.trouble.slow.each = each,
            Trouble::MemoryPressure(name) => self.press(&name),
            Trouble::BridgeLoop => self.change_all(|condition| condition.has_bridge = true),
            Trouble::ThunderboltFour => self.change_all(|condition| condition.has_thunderbolt_four = true),
            Trouble::BuildsDiffer(name) => self.change(&name, |condition| condition.has_other_build = true),
            Trouble::RdmaOff(name) => self.change(&name, |condition| condition.is_rdma_off = true),
            Trouble::DiskFull(name) => self.fill(&name),
            Trouble::Well => self.recover(),
        }
    }

    /// Ends what goes on. What has happened stays, and what waits for its moment still comes.
    fn recover(&mut self) {
        if self.is_deaf() && self.trouble.programme.next(self.now).is_none() {
            self.thaw();
        }
        let Troubles { fates, slow, wires, failing_loads, clock, .. } = &mut self.trouble;
        (*fates, *wires, *failing_loads, *clock) = (Fates::default(), Wires::default(), 0, SignedDuration::ZERO);
        slow.each = Now::ZERO;
        self.change_all(|condition| *condition = Condition::default());
        self.downloads.clear(self.now);
    }

    /// Whether commands reach nobody.
    pub(super) fn is_deaf(&self) -> bool {
        matches!(self.show(), Show::Still(_))
    }

    /// Whether streams say nothing now, and when they may again.
    pub(super) fn is_mute(&self) -> Option<Next> {
        if self.is_deaf() { Some(Next::Change) } else { self.trouble.slow.busy(self.now).map(Next::At) }
    }
}
