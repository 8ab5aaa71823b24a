//! Decides whose turn it is at the engine: so many answers at a time, and a bounded, fair line before them.
//!
//! Within a model the first to come is the first to go; between models that share one engine the turn goes round. The host
//! says what happened and passes each call on to the one who waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound as End;
use std::time::Duration;

use super::bounds::Bounds;
use crate::api_error::ApiError;

/// The most requests that wait at a time; more would only make their clients wait for a refusal.
pub const MAX_WAITING: usize = 64;
/// The longest `Retry-After` that is promised (seconds); what is farther away nobody can tell.
const MAX_RETRY: u64 = 600;
/// What a client is told to wait while no answer was measured yet (seconds).
const UNMEASURED_RETRY: u32 = 5;
/// A new measurement counts as one of so many: one long answer must not frighten everybody away.
const MEMORY: u32 = 8;

/// Who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

/// A request that wants to go to the engine.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The model, by the Hub's id.
    pub model: &'a str,
    /// What it may come to hold in the engine's memory (tokens); see [`super::tokens`].
    pub tokens: u64,
    /// It had its turn before and was cut: it goes before those who have not.
    pub again: bool,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entered {
    /// It goes now.
    Now,
    /// It waits until its ticket is called.
    Waits(Ticket),
    /// It is not worth waiting.
    Full(Full),
}

/// Why it is not worth waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// All places are taken, and the line is full or too slow. Seconds until a place.
    Places(u32),
    /// What runs leaves too little memory for it. Seconds until one of those has ended.
    Memory(u32),
}

impl Full {
    /// What the client is told. Another node may have room.
    #[must_use]
    pub fn error(self) -> ApiError {
        let (code, text, retry) = match self {
            Self::Places(retry) => ("at_capacity", "All places at this node's engine are taken", retry),
            Self::Memory(retry) => {
                let text =
                    "The memory of this node's engine is taken by what runs, and leaves too little for this request";
                ("memory_taken", text, retry)
            }
        };
        let text = format!("{text}; ask again in {retry} s.");
        ApiError::new(429, "rate_limit_error", code, text).retry_after(retry)
    }
}

/// The places at the engine and the line before them.
#[derive(Debug, Default)]
pub struct Queue {
    /// One for each model that was ever asked for, by the Hub's id: only served models come here.
    lines: BTreeMap<String, Line>,
    running: u32,
    waiting: usize,
    next: u64,
    /// Whose turn it was last.
    turn: String,
}

#[derive(Debug, Default)]
struct Line {
    running: u32,
    tokens: u64,
    waiting: VecDeque<(Ticket, u64)>,
    /// How long an answer takes.
    takes: Option<Duration>,
}

impl Queue {
    /// A request comes. `patience`: the longest that it would wait.
    pub fn enter(&mut self, bounds: &Bounds, wish: Wish<'_>, patience: Duration) -> Entered {
        let (all, running, waiting) = (bounds.at_once, self.running, self.waiting);
        let bound = bounds.of(wish.model);
        let line = self.lines.entry(wish.model.to_owned()).or_default();
        if line.running > 0 && bound.together.is_some_and(|most| line.tokens.saturating_add(wish.tokens) > most) {
            let ends = line.takes.map(|takes| until_free(takes, 0, line.running));
            return Entered::Full(Full::Memory(seconds(ends)));
        }
        if line.waiting.is_empty() && has_room(running, all) && has_room(line.running, bound.at_once) {
            line.begin(wish.tokens);
            self.running += 1;
            return Entered::Now;
        }
        let wait = match wish.again {
            true => line.slower((bound.at_once, 0), (all, 0)),
            false => line.slower((bound.at_once, line.waiting.len()), (all, waiting)),
        };
        if waiting >= MAX_WAITING || wait.is_some_and(|wait| wait > patience) {
            return Entered::Full(Full::Places(seconds(wait)));
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        self.waiting += 1;
        if wish.again {
            line.waiting.push_front((ticket, wish.tokens));
        } else {
            line.waiting.push_back((ticket, wish.tokens));
        }
        Entered::Waits(ticket)
    }

    /// The next ticket whose turn it is; ask until there is none, after each change. It has its place from here on.
    pub fn call(&mut self, bounds: &Bounds) -> Option<Ticket> {
        if self.waiting == 0 || !has_room(self.running, bounds.at_once) {
            return None;
        }
        let may_go = |(model, line): &(&String, &Line)| {
            let bound = bounds.of(model);
            let fits = |tokens: u64| bound.together.is_none_or(|most| line.tokens.saturating_add(tokens) <= most);
            has_room(line.running, bound.at_once)
                && line.waiting.front().is_some_and(|(_, tokens)| line.running == 0 || fits(*tokens))
        };
        let after = (End::Excluded(self.turn.as_str()), End::Unbounded);
        let round = self.lines.range::<str, _>(after).chain(self.lines.iter());
        let model = round.into_iter().find(may_go).map(|(model, _)| model.clone())?;
        let line = self.lines.get_mut(&model)?;
        let (ticket, tokens) = line.waiting.pop_front()?;
        line.begin(tokens);
        self.turn = model;
        self.running += 1;
        self.waiting -= 1;
        Some(ticket)
    }

    /// One that waited leaves the line, wherever it stands.
    pub fn give_up(&mut self, model: &str, ticket: Ticket) {
        let Some(line) = self.lines.get_mut(model) else { return };
        let before = line.waiting.len();
        line.waiting.retain(|(waiting, _)| *waiting != ticket);
        self.waiting -= before - line.waiting.len();
    }

    /// One that ran has left the engine. `took`: how long, if its answer was whole.
    pub fn leave(&mut self, model: &str, tokens: u64, took: Option<Duration>) {
        let Some(line) = self.lines.get_mut(model) else { return };
        line.running = line.running.saturating_sub(1);
        line.tokens = line.tokens.saturating_sub(tokens);
        self.running = self.running.saturating_sub(1);
        if let Some(took) = took {
            line.takes = Some(line.takes.map_or(took, |before| (before * (MEMORY - 1) + took) / MEMORY));
        }
    }

    /// How many wait.
    #[must_use]
    pub const fn waiting(&self) -> usize {
        self.waiting
    }

    /// When one that does not want to wait any longer should come again (seconds).
    #[must_use]
    pub fn retry_after(&self, bounds: &Bounds, model: &str) -> u32 {
        let (own, all) = (bounds.of(model).at_once, bounds.at_once);
        let wait = |line: &Line| seconds(line.slower((own, line.waiting.len()), (all, self.waiting)));
        self.lines.get(model).map_or(UNMEASURED_RETRY, wait)
    }
}

impl Line {
    const fn begin(&mut self, tokens: u64) {
        self.running += 1;
        self.tokens = self.tokens.saturating_add(tokens);
    }

    /// How long until a place is free, by the slower of two bounds: the model's and the engine's, each with how many stand
    /// before it. `None` while nothing was measured.
    fn slower(&self, own: (Option<u32>, usize), all: (Option<u32>, usize)) -> Option<Duration> {
        let takes = self.takes?;
        let wait = |(places, ahead): (Option<u32>, usize)| Some(until_free(takes, ahead, places?));
        wait(own).max(wait(all))
    }
}

/// How long until a place is free for one that has `ahead` before it, where an answer takes so long and so many are given at
/// a time: one ends every `takes / places`.
#[must_use]
pub fn until_free(takes: Duration, ahead: usize, places: u32) -> Duration {
    let turns = u32::try_from(ahead).unwrap_or(u32::MAX).saturating_add(1);
    takes.saturating_mul(turns) / places.max(1)
}

/// As `Retry-After` says it: rounded up, so that who obeys does not come too early.
fn seconds(wait: Option<Duration>) -> u32 {
    let Some(wait) = wait else { return UNMEASURED_RETRY };
    let whole = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
    u32::try_from(whole.clamp(1, MAX_RETRY)).unwrap_or(UNMEASURED_RETRY)
}

fn has_room(running: u32, most: Option<u32>) -> bool {
    most.is_none_or(|most| running < most)
}

#[cfg(test)]
mod tests;
