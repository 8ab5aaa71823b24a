//! Keeping the machine awake, as the loop does it; `core::awake` decides when.

use porten_core::awake::Effect;
use tokio_util::sync::CancellationToken;

use super::effects::Done;
use super::world::World;

impl World {
    /// Holds the machine awake, or lets it sleep, by what is wanted and served now.
    pub(super) fn keep_awake(&mut self) {
        let wanted = self.config.keep_awake.value;
        let needed = self.is_wanted() && self.account.is_some() && !self.is_quitting();
        match self.awake.look(wanted, needed, self.hands.clock.now().mono) {
            Some(Effect::Hold) => self.hold_awake(),
            // Its task ends, and the child with it.
            Some(Effect::LetGo) => self.held_awake = None,
            None => {}
        }
    }

    fn hold_awake(&mut self) {
        let (keeper, token) = (self.hands.keeper.clone(), CancellationToken::new());
        self.held_awake = Some(token.clone().drop_guard());
        self.tasks.spawn(async move {
            let mut child = match keeper.hold() {
                Ok(child) => child,
                Err(error) => return Done::Slept(keeper.refused(&error)),
            };
            tokio::select! {
                () = token.cancelled() => Done::Nothing,
                ended = child.wait() => Done::Slept(match ended {
                    Ok(status) => keeper.refused(&status),
                    Err(error) => keeper.refused(&error),
                }),
            }
        });
    }
}
