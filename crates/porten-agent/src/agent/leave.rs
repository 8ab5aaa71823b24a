//! Going offline and ending: nothing new is taken, what runs is finished, and neither waits for ever.

use std::time::Duration;

use porten_core::time::Moment;
use porten_core::tunnel;

use super::world::World;

/// After the last request: for its last bytes and the goodbye.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Going offline or ending, once the running requests are finished or the time is up.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaving {
    /// What still runs then is cut.
    latest: Moment,
    quit: bool,
    /// It was: each client is told so until then.
    cut: Option<Moment>,
    /// Nothing runs any more, only the last bytes are on their way: until then.
    last_words: Option<Moment>,
}

impl Leaving {
    /// When it is over, whatever still runs.
    pub(super) fn until(self) -> Moment {
        let end = self.cut.unwrap_or(self.latest);
        self.last_words.map_or(end, |last| last.min(end))
    }

    /// Whether what still runs is told to end.
    pub(super) fn is_cutting(self) -> bool {
        self.cut.is_some()
    }
}

impl World {
    /// Begins to go offline (or to end): nothing new is taken, what runs may take so long. Again, it changes how long.
    pub(super) fn leave(&mut self, patience: Duration, quit: bool) {
        let latest = self.hands.clock.now().mono + patience;
        self.leaving = Some(Leaving { latest, quit, cut: None, last_words: None });
        self.sessions.drain();
    }

    pub(super) fn is_quitting(&self) -> bool {
        self.leaving.is_some_and(|leaving| leaving.quit)
    }

    /// Goes on with leaving: the links end by themselves when their last bytes are out, which is bounded here.
    pub(super) fn settle(&mut self) {
        let now = self.hands.clock.now().mono;
        let Some(leaving) = &mut self.leaving else { return };
        if self.hands.ledger.in_flight() > 0 {
            if leaving.cut.is_none() && now.reached(leaving.latest) {
                leaving.cut = Some(now + LAST_WORDS);
            }
            // A prompt that was on its way when the leaving began.
            leaving.last_words = None;
        } else if leaving.last_words.is_none() {
            leaving.last_words = Some(now + LAST_WORDS);
        }
        if !leaving.quit && self.has_left_links() {
            self.leaving = None;
            self.step_tunnel(tunnel::Input::Wanted(false));
        }
    }

    fn has_left_links(&self) -> bool {
        let late = self.leaving.is_some_and(|leaving| self.hands.clock.now().mono.reached(leaving.until()));
        late || (self.hands.ledger.in_flight() == 0 && self.sessions.running.is_empty())
    }

    pub(super) fn has_left(&self) -> bool {
        self.is_quitting() && self.has_left_links()
    }
}
