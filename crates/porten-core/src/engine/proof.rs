//! When one model owes a proof, and what the last one said. Health is progress: only a generated token counts.

use std::time::Duration;

use jiff::Timestamp;

use crate::display_text::sanitize;
use crate::route::Route;
use crate::time::{Moment, Now};
use crate::wire::MAX_TEXT;

/// The first gap between lazy proofs of a healthy model.
const FIRST_GAP: Duration = Duration::from_secs(2 * 60);
/// The longest: with doubling from [`FIRST_GAP`] an idle day has 52 proofs, under the 60 that were promised.
const LONGEST_GAP: Duration = Duration::from_secs(30 * 60);
/// So many models share those 60 a day, each with so many times the gap. More would be proven too seldom: a Hub counts on
/// a model for two hours.
const SHARING: u32 = 3;
/// The first wait after a failed proof.
const FIRST_RETRY: Duration = Duration::from_secs(2);
/// The longest.
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// A successful proof.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The routes on which a token came; never empty.
    pub routes: Vec<Route>,
    /// Until the first token.
    pub took: Duration,
}

/// Why no token came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofFailure {
    /// The engine's own words, plain and short: [`ProofFailure::refused`].
    #[error("{0}")]
    Refused(String),
    /// Nothing came in time.
    #[error("no token in {} s", .0.as_secs())]
    Late(Duration),
    /// The engine closed or could not be reached.
    #[error("the engine cannot be reached")]
    Unreachable,
}

impl ProofFailure {
    /// The engine refused, in these words of its own.
    #[must_use]
    pub fn refused(words: &str) -> Self {
        Self::Refused(sanitize(words, MAX_TEXT))
    }
}

/// What is known of one model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Never proven since the engine came up.
    Unproven,
    /// Generated a token, last at this time.
    Proven {
        /// Routes it answers.
        routes: Vec<Route>,
        /// When it last generated.
        at: Timestamp,
    },
    /// The last proof failed.
    Failed(ProofFailure),
}

/// One model's proofs.
#[derive(Debug, Clone)]
pub(super) struct Owed {
    pub(super) standing: Standing,
    /// When the next proof is due.
    pub(super) due: Moment,
    /// When it last generated, on the clock that is never set.
    pub(super) generated: Option<Moment>,
    gap: Duration,
}

impl Owed {
    pub(super) const fn new(now: Moment) -> Self {
        Self { standing: Standing::Unproven, due: now, generated: None, gap: FIRST_GAP }
    }

    /// One of so many `models` was asked.
    pub(super) fn prove(&mut self, result: Result<Proof, ProofFailure>, busy: bool, models: usize, now: Now) {
        match result {
            Ok(proof) => {
                let share = u32::try_from(models).unwrap_or(SHARING).clamp(1, SHARING);
                self.gap = match self.standing {
                    Standing::Proven { .. } => (self.gap * 2).min(LONGEST_GAP * share),
                    _ => FIRST_GAP * share,
                };
                self.due = now.mono + self.gap;
                self.generated = Some(now.mono);
                self.standing = Standing::Proven { routes: proof.routes, at: now.wall };
            }
            // Late behind real work says nothing about health.
            Err(ProofFailure::Late(_)) if busy => self.due = now.mono + FIRST_GAP,
            Err(failure) => {
                self.gap = match self.standing {
                    Standing::Failed(_) => (self.gap * 2).min(LONGEST_RETRY),
                    _ => FIRST_RETRY,
                };
                self.due = now.mono + self.gap;
                self.standing = Standing::Failed(failure);
            }
        }
    }

    /// A request was answered to its end: as good as a proof, and it costs nothing.
    pub(super) fn serve(&mut self, now: Now) {
        if let Standing::Proven { at, .. } = &mut self.standing {
            *at = now.wall;
            self.generated = Some(now.mono);
            self.due = now.mono + self.gap;
        }
    }

    /// Something happened that makes the last proof worth less.
    pub(super) const fn doubt(&mut self, now: Moment) {
        self.due = now;
    }
}
