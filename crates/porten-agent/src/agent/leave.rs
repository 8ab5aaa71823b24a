//! Going offline and ending, as the loop does it; `core::leaving` decides how long what for.

use std::time::Duration;

use porten_core::command::{Declined, DeclinedCode};
use porten_core::leaving::{Leave, Leaving, PERSONS, Step};
use porten_core::seat::{Decision, Host, decide};
use porten_core::tunnel;

use super::world::World;

impl World {
    /// Begins to leave: nothing new is taken, what runs is finished. Said again, it may become sooner.
    pub(super) fn leave(&mut self, leave: Leave) {
        let now = self.hands.clock.now().mono;
        match &mut self.leaving {
            Some(leaving) => leaving.again(leave, now),
            None => self.leaving = Some(Leaving::begin(leave, now)),
        }
        self.sessions.drain();
    }

    /// What a person wished has been written down: go online, or offline within this time.
    pub(super) fn wished(&mut self, online: bool, changed: bool, within: Option<Duration>) {
        // Who is ending ends; the wish is for the next time.
        if self.is_quitting() {
            return;
        }
        match (online, within) {
            (true, _) if changed => {
                self.leaving = None;
                self.step_tunnel(tunnel::Input::Wanted(true));
            }
            (false, within) if changed || (self.leaving.is_some() && within.is_some()) => {
                self.leave(Leave { quit: false, within: within.unwrap_or(PERSONS) });
            }
            _ => {}
        }
    }

    /// Another kind of host asks for this machine.
    pub(super) fn give_way(&mut self, to: Host) -> Result<(), Declined> {
        let ours = self.host.kind;
        if decide(to, ours) != Decision::AskToYield {
            let text = format!("{ours} serves here and does not make way; end it first.");
            return Err(Declined { code: DeclinedCode::DoesNotYield, text });
        }
        tracing::info!(%to, "making way when what runs is finished");
        self.yielded = true;
        self.leave(Leave { quit: true, within: PERSONS });
        Ok(())
    }

    pub(super) fn is_quitting(&self) -> bool {
        self.leaving.is_some_and(|leaving| leaving.is_quitting())
    }

    /// Goes on with leaving. Whether the process may end.
    pub(super) fn settle(&mut self) -> bool {
        let (in_flight, linked) = (self.hands.ledger.in_flight(), !self.sessions.running.is_empty());
        let now = self.hands.clock.now().mono;
        let Some(leaving) = &mut self.leaving else { return false };
        match leaving.step(in_flight, linked, now) {
            // What is cut is told so by the facts that are derived next.
            Step::Finish | Step::Cut => false,
            Step::Gone if leaving.is_quitting() => true,
            Step::Gone => {
                self.leaving = None;
                self.step_tunnel(tunnel::Input::Wanted(false));
                false
            }
        }
    }
}
