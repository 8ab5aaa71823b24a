//! Decides how long an agent that leaves waits for its running answers, when it cuts them, and when it is gone.
//!
//! ```text
//!   begin ──► finishing ── the time is up ──► cutting ──┐
//!                 └─────── nothing runs ────► last words ┴──► gone
//! ```

use std::time::Duration;

use crate::time::Moment;

/// How long running requests may take when a person goes offline or quits: at 5–25 tokens a second an answer takes
/// minutes.
pub const PERSONS: Duration = Duration::from_secs(10 * 60);
/// The same when the system ends the process (SIGTERM): with [`LAST_WORDS`] it is under the 60 s that its unit file must
/// give it.
pub const SYSTEMS: Duration = Duration::from_secs(50);
/// The same when the agent ends only to be started with other settings: with [`LAST_WORDS`] that takes less than 60 s.
pub const ANEW: Duration = Duration::from_secs(55);
/// The same when the person logs out, which a system grants seconds for: ten in all, with [`LAST_WORDS`].
pub const LOGOUTS: Duration = Duration::from_secs(5);
/// After the last request: for its last bytes, the Hub's word that no more comes, and the goodbye.
pub const LAST_WORDS: Duration = Duration::from_secs(4);
/// After a cut: for the error that each client is told.
pub const CUT_WORDS: Duration = Duration::from_secs(2);

/// How somebody wants to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    /// Whether the process ends too.
    pub quit: bool,
    /// How long running requests may take.
    pub within: Duration,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Wait for what runs.
    Finish,
    /// Wait no longer for what runs, and tell its clients so.
    Cut,
    /// End the links: it is over.
    Gone,
}

/// A leaving under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leaving {
    quit: bool,
    /// What still runs then is cut.
    cut_at: Moment,
    cut: bool,
    /// Only last bytes are on their way, until then.
    last_words: Option<Moment>,
}

impl Leaving {
    /// Begins.
    #[must_use]
    pub fn begin(leave: Leave, now: Moment) -> Self {
        Self { quit: leave.quit, cut_at: now + leave.within, cut: false, last_words: None }
    }

    /// Somebody wants to leave once more. Whoever asks to end never waits longer than was said before; else the last word
    /// counts.
    pub fn again(&mut self, leave: Leave, now: Moment) {
        let asked = now + leave.within;
        self.cut_at = if leave.quit || self.quit { asked.min(self.cut_at) } else { asked };
        self.quit |= leave.quit;
    }

    /// Whether the process ends too.
    #[must_use]
    pub const fn is_quitting(&self) -> bool {
        self.quit
    }

    /// Whether what still runs is told to end.
    #[must_use]
    pub const fn is_cutting(&self) -> bool {
        self.cut
    }

    /// What is to be done, with so many requests running; `linked` while a link stands. Links end by themselves when their
    /// last bytes are out, which is bounded here.
    pub fn step(&mut self, in_flight: u32, linked: bool, now: Moment) -> Step {
        if self.cut {
            let over = (in_flight == 0 && !linked) || self.last_words.is_some_and(|last| now.reached(last));
            return if over { Step::Gone } else { Step::Cut };
        }
        if in_flight > 0 && now.reached(self.cut_at) {
            self.cut = true;
            self.last_words = Some(now + CUT_WORDS);
            return Step::Cut;
        }
        if in_flight > 0 {
            // A prompt that was on its way when the leaving began.
            self.last_words = None;
            return Step::Finish;
        }
        let last = *self.last_words.get_or_insert(now + LAST_WORDS);
        if !linked || now.reached(last) { Step::Gone } else { Step::Finish }
    }

    /// When to step again, though nothing happened.
    #[must_use]
    pub fn deadline(&self) -> Moment {
        self.last_words.unwrap_or(self.cut_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    const fn offline(seconds: u64) -> Leave {
        Leave { quit: false, within: Duration::from_secs(seconds) }
    }

    #[test]
    fn what_runs_is_waited_for_then_cut_and_the_cut_is_told() {
        let mut leaving = Leaving::begin(offline(600), at(0));
        assert_eq!(leaving.step(2, true, at(0)), Step::Finish);
        assert_eq!((leaving.deadline(), leaving.step(1, true, at(599))), (at(600), Step::Finish));
        assert_eq!(leaving.step(1, true, at(600)), Step::Cut);
        assert_eq!(
            (leaving.deadline(), leaving.step(0, true, at(601))),
            (at(602), Step::Cut),
            "the error is on its way"
        );
        assert_eq!(leaving.step(0, false, at(601)), Step::Gone);
        assert_eq!(leaving.step(1, true, at(602)), Step::Gone, "nobody is waited for for ever");
    }

    #[test]
    fn who_has_nothing_running_is_gone_with_its_link_and_soon_without() {
        let mut leaving = Leaving::begin(offline(600), at(0));
        assert_eq!(leaving.step(0, true, at(0)), Step::Finish);
        assert_eq!((leaving.deadline(), leaving.step(1, true, at(1))), (at(4), Step::Finish));
        assert_eq!(leaving.deadline(), at(600), "one was on its way");
        assert_eq!(leaving.step(0, true, at(9)), Step::Finish);
        assert_eq!(leaving.step(0, true, at(13)), Step::Gone);
        assert_eq!(Leaving::begin(offline(600), at(0)).step(0, false, at(0)), Step::Gone);
    }

    #[test]
    fn now_cuts_at_once_and_an_end_is_never_put_off() {
        let mut leaving = Leaving::begin(offline(600), at(0));
        leaving.again(offline(3600), at(10));
        assert_eq!(leaving.deadline(), at(3610), "a person's last word counts");
        leaving.again(Leave { quit: true, within: SYSTEMS }, at(20));
        assert_eq!((leaving.deadline(), leaving.is_quitting()), (at(70), true));
        leaving.again(Leave { quit: true, within: PERSONS }, at(30));
        leaving.again(offline(3600), at(30));
        assert_eq!(leaving.deadline(), at(70));
        leaving.again(Leave { quit: true, within: Duration::ZERO }, at(40));
        assert_eq!(leaving.step(3, true, at(40)), Step::Cut);
    }

    /// What the system gives: 60 s after SIGTERM, 10 s at a logout.
    #[test]
    fn a_system_that_ends_the_process_need_not_kill_it() {
        for (patience, given) in [(SYSTEMS, 55), (LOGOUTS, 10)] {
            assert!(patience + LAST_WORDS <= Duration::from_secs(given));
            assert!(patience + CUT_WORDS <= Duration::from_secs(given));
        }
    }
}
