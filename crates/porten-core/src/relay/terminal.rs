//! The terminal table: what a whole answer is. Anything less is an error, never a success.
//!
//! | dialect | an answer is whole when | it is closed by |
//! |---|---|---|
//! | chat completions | each choice that was asked for has a `finish_reason` | `[DONE]`, or the end of the stream |
//! | text completions | the same | the same |
//!
//! `finish_reason: "error"` finishes nothing. `[DONE]` alone proves nothing: exo sends it after an error. The end of the
//! stream alone proves nothing either: mlx_lm answers with HTTP/1.0, where a crash looks like an end.

/// How far an answer has come.
#[derive(Debug)]
pub struct Terminal {
    choices: Vec<Progress>,
    open: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Unseen,
    Open,
    Finished,
}

/// What the end of a stream means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every choice is whole.
    Complete,
    /// Every choice that came is whole, but fewer came than were asked for: exo and mlx_lm ignore `n`.
    Fewer {
        /// Whole choices.
        finished: usize,
        /// Choices that were asked for.
        asked: usize,
    },
    /// A choice was cut off, or none came.
    Truncated,
}

impl Terminal {
    /// For an answer of so many choices. Chat and text completions end alike; a dialect that does not joins here.
    #[must_use]
    pub fn new(choices: u32) -> Self {
        let asked = usize::try_from(choices).unwrap_or(usize::MAX).max(1);
        Self { choices: vec![Progress::Unseen; asked], open: asked }
    }

    /// A choice was seen, and whether it now has its `finish_reason`. One that nobody asked for is not counted.
    pub fn on_choice(&mut self, index: u32, finished: bool) {
        let Some(progress) = usize::try_from(index).ok().and_then(|index| self.choices.get_mut(index)) else { return };
        match (*progress, finished) {
            (Progress::Finished, _) => {}
            (_, true) => {
                *progress = Progress::Finished;
                self.open -= 1;
            }
            (_, false) => *progress = Progress::Open,
        }
    }

    /// Whether every choice has its `finish_reason`.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.open == 0
    }

    /// What it means that the stream ended here. `done`: the engine itself said `[DONE]`.
    #[must_use]
    pub fn verdict(&self, done: bool) -> Verdict {
        let count = |wanted| self.choices.iter().filter(|progress| **progress == wanted).count();
        let asked = self.choices.len();
        match (count(Progress::Finished), count(Progress::Open)) {
            (finished, _) if finished == asked => Verdict::Complete,
            (finished @ 1.., 0) if done => Verdict::Fewer { finished, asked },
            _ => Verdict::Truncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn done_without_a_finish_reason_is_a_cut() {
        let mut terminal = Terminal::new(1);
        assert_eq!(terminal.verdict(true), Verdict::Truncated);
        terminal.on_choice(0, false);
        assert_eq!(terminal.verdict(true), Verdict::Truncated);
        terminal.on_choice(0, true);
        assert_eq!((terminal.verdict(true), terminal.verdict(false)), (Verdict::Complete, Verdict::Complete));
    }

    #[test]
    fn an_engine_that_ignores_n_gives_fewer_only_if_it_said_that_it_is_done() {
        let mut terminal = Terminal::new(2);
        terminal.on_choice(0, true);
        terminal.on_choice(7, true);
        assert_eq!(terminal.verdict(true), Verdict::Fewer { finished: 1, asked: 2 });
        assert_eq!(terminal.verdict(false), Verdict::Truncated);
        terminal.on_choice(1, false);
        assert_eq!(terminal.verdict(true), Verdict::Truncated);
    }

    proptest! {
        #[test]
        fn complete_means_that_each_choice_finished(
            asked in 1_u32..9, seen in proptest::collection::vec((0_u32..10, any::<bool>()), 0..40), done: bool,
        ) {
            let mut terminal = Terminal::new(asked);
            for (index, finished) in &seen {
                terminal.on_choice(*index, *finished);
            }
            let each = (0..asked).all(|index| seen.contains(&(index, true)));
            prop_assert_eq!(terminal.verdict(done) == Verdict::Complete, each);
            prop_assert_eq!(terminal.is_whole(), each);
        }
    }
}
