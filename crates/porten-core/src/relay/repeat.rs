//! Recognises a prompt that is sent again after a cut, by its request's id: so that it is not computed twice at a time.
//!
//! A client that was cut asks again, and some ask again with the same id. While the first is still running the second takes
//! its place: the answer of the first has nobody to go to. For a while after a cut a repeated prompt has not lost its turn.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use super::headers::RequestId;
use crate::api_error::ApiError;
use crate::time::Moment;

/// The cuts that are remembered; of more the oldest are forgotten.
pub const MAX_CUTS: usize = 1024;
/// For how long after a cut a repeated prompt is recognised: clients that repeat do so within a minute or two.
pub const MEMORY: Duration = Duration::from_secs(5 * 60);

/// How much of a prompt is looked at, at each end (bytes): enough to tell two prompts apart, at no cost.
const LOOK: usize = 512;

/// A running request's number, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(u64);

/// What tells a request from another: its id and its prompt, since ids are not always new. Neither can be read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(u64);

impl Mark {
    /// Of this id and what the engine is sent for it.
    #[must_use]
    pub fn new(id: &RequestId, prompt: &[u8]) -> Self {
        let (head, rest) = prompt.split_at(prompt.len().min(LOOK));
        let tail = rest.get(rest.len().saturating_sub(LOOK)..).unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        (id.as_str(), head, tail, prompt.len()).hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// How a request begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// Its number.
    pub number: Number,
    /// The one whose place it takes: the same prompt, still running.
    pub instead_of: Option<Number>,
    /// It had its turn before and was cut.
    pub again: bool,
}

/// How a request ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Its client was told.
    Told,
    /// Its client, or the tunnel, was gone.
    Cut,
}

/// What the one whose place was taken ends with, should anybody still listen.
#[must_use]
pub fn superseded() -> ApiError {
    let text = "The same request came again with the same id, and is answered there.";
    ApiError::new(409, "invalid_request_error", "superseded", text)
}

/// The requests that run, and those that were cut a while ago.
#[derive(Debug, Default)]
pub struct Repeats {
    running: BTreeMap<Mark, Number>,
    /// Oldest first.
    cut: VecDeque<(Mark, Moment)>,
    next: u64,
}

impl Repeats {
    /// A request begins.
    pub fn begin(&mut self, mark: Mark, now: Moment) -> Begun {
        let number = Number(self.next);
        self.next += 1;
        while self.cut.front().is_some_and(|(_, at)| now.since(*at) >= MEMORY) {
            self.cut.pop_front();
        }
        let instead_of = self.running.insert(mark, number);
        let cut = self.cut.iter().position(|(cut, _)| *cut == mark);
        if let Some(at) = cut {
            self.cut.remove(at);
        }
        Begun { number, instead_of, again: instead_of.is_some() || cut.is_some() }
    }

    /// A request has ended.
    pub fn end(&mut self, mark: Mark, number: Number, ended: Ended, now: Moment) {
        // One whose place was taken has nothing to say any more.
        if self.running.get(&mark) != Some(&number) {
            return;
        }
        self.running.remove(&mark);
        if ended == Ended::Cut {
            if self.cut.len() >= MAX_CUTS {
                self.cut.pop_front();
            }
            self.cut.push_back((mark, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(id: &str, prompt: &str) -> Mark {
        Mark::new(&RequestId::read(id).unwrap(), prompt.as_bytes())
    }

    const fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn a_repeated_prompt_takes_the_place_of_the_one_that_still_runs() {
        let mut repeats = Repeats::default();
        let first = repeats.begin(mark("a", "hi"), at(0));
        assert_eq!((first.instead_of, first.again), (None, false));
        assert_eq!(repeats.begin(mark("a", "ho"), at(0)).instead_of, None, "the same id, but another prompt");
        assert_eq!(repeats.begin(mark("b", "hi"), at(0)).instead_of, None, "the same prompt, but another id");
        let second = repeats.begin(mark("a", "hi"), at(1));
        assert_eq!((second.instead_of, second.again), (Some(first.number), true));
        repeats.end(mark("a", "hi"), first.number, Ended::Cut, at(2));
        assert_eq!(repeats.begin(mark("a", "hi"), at(3)).instead_of, Some(second.number), "the second runs on");
    }

    #[test]
    fn a_cut_is_remembered_for_a_while_and_an_answer_that_was_told_is_not() {
        let mut repeats = Repeats::default();
        let mut run = |ended, from, until| {
            let begun = repeats.begin(mark("a", "hi"), at(from));
            repeats.end(mark("a", "hi"), begun.number, ended, at(until));
            begun.again
        };
        assert!(!run(Ended::Cut, 0, 10));
        assert!(run(Ended::Told, 20, 30));
        assert!(!run(Ended::Cut, 40, 50));
        assert!(!run(Ended::Told, 350, 360), "too long ago");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut repeats = Repeats::default();
        for n in 0..3 * MAX_CUTS {
            let mark = mark(&format!("r{n}"), "hi");
            let number = repeats.begin(mark, at(0)).number;
            repeats.end(mark, number, Ended::Cut, at(0));
        }
        assert_eq!((repeats.cut.len(), repeats.running.len()), (MAX_CUTS, 0));
        assert!(!repeats.begin(mark("r0", "hi"), at(1)).again, "the oldest is forgotten");
    }

    #[test]
    fn prompts_of_any_length_are_told_apart_by_their_ends_and_length() {
        let long = |middle: &str| format!("{}{middle}{}", "x".repeat(4000), "y".repeat(4000));
        assert_ne!(mark("a", &long("")), mark("a", &long("z")));
        assert_eq!(mark("a", &long("z")), mark("a", &long("z")));
        assert_ne!(mark("a", ""), mark("a", "x"));
    }
}
