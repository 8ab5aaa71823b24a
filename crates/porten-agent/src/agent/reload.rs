//! The settings, read again while the agent runs: most are taken up at once, some by the agent that comes after it.

use std::sync::Arc;

use porten_core::command::{Declined, DeclinedCode};
use porten_core::config::Config;
use porten_core::leaving::{ANEW, Leave};

use super::effects::{Answer, Done};
use super::world::World;
use crate::setup::{SetupError, read_config};

impl World {
    /// Reads the settings file again.
    pub(super) fn read_settings(&mut self, answer: Answer) {
        let (environment, places) = (Arc::clone(&self.hands.environment), self.hands.places.clone());
        self.tasks.spawn_blocking(move || Done::Settings(Box::new(read_config(&environment, &places)), answer));
    }

    /// Takes the settings that were read, or leaves, so that an agent can be started with them.
    pub(super) fn take_settings(&mut self, read: Result<Config, SetupError>) -> Result<(), Declined> {
        let fresh = match read {
            Ok(fresh) => fresh,
            Err(error) => return Err(Declined { code: DeclinedCode::Settings, text: error.to_string() }),
        };
        if fresh.need_new_agent(&self.config) {
            tracing::info!("the settings changed: another agent takes them up when what runs is finished");
            self.anew |= !self.is_quitting();
            self.leave(Leave { quit: true, within: ANEW });
            return Ok(());
        }
        if self.anew {
            // They were taken back; the leaving is under way, and what comes after it reads them again.
            return Ok(());
        }
        self.following.limits.settle(fresh.wired_limits.iter().map(|(name, mib)| (name, *mib)));
        for name in self.config.wired_limits.keys().filter(|name| !fresh.wired_limits.contains_key(*name)) {
            self.following.limits.tell(name, None);
        }
        self.hands.settings.send_replace(Arc::new(fresh.clone()));
        self.config = fresh;
        self.bind_limits();
        self.keep_limits();
        self.match_models();
        Ok(())
    }
}
