//! One request for text, from the moment it is taken to its last token.

use super::{Now, pace};
use crate::chat::answer::{Answer, Finish, Usage};

/// What a client is told, in order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    /// So much of the prompt has been read.
    Prefill { processed: u32, total: u32 },
    /// A piece of the answer.
    Token(String),
    /// The last piece, with why it is the last.
    Last { text: String, finish: Finish, usage: Usage, rates: Rates },
    /// It failed, and this is why.
    Failed(&'static str),
}

/// How a request will end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Whole,
    /// Without a word after so many tokens.
    Cut {
        tokens: usize,
    },
    /// With an error instead of tokens.
    Failed(&'static str),
}

/// How fast it went (tokens a second, by the cluster's clock).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rates {
    pub(crate) prompt: f64,
    pub(crate) generation: f64,
}

/// When there is more to hear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// At this time, unless something happens before.
    At(Now),
    /// When something happens.
    Change,
    /// Never.
    Over,
}

/// What was new for a client.
#[derive(Debug, PartialEq)]
pub(crate) struct Heard {
    pub(crate) events: Vec<Event>,
    pub(crate) next: Next,
}

impl Heard {
    pub(super) const fn nothing(next: Next) -> Self {
        Self { events: Vec::new(), next }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// In line: for its instance to be ready, or for one of its places.
    Waiting,
    Running {
        since: Now,
    },
    /// Nothing more comes, and nobody says so.
    Hung {
        /// Unless it had not begun.
        since: Option<Now>,
        until: Now,
    },
    Done {
        since: Now,
    },
    /// Ended from outside, without a word.
    Cut,
}

/// A request.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) command: String,
    pub(super) task: String,
    pub(super) instance: String,
    answer: Answer,
    fate: Fate,
    stage: Stage,
    /// Events that the client has been told.
    told: usize,
}

/// The first events: prefill begun, all but done, done.
const PREFILLS: usize = 3;

impl Generation {
    pub(super) const fn new(command: String, task: String, instance: String, answer: Answer, fate: Fate) -> Self {
        Self { command, task, instance, answer, fate, stage: Stage::Waiting, told: 0 }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.stage == Stage::Waiting
    }

    /// Whether its runners say so.
    pub(super) const fn is_running(&self) -> bool {
        matches!(self.stage, Stage::Running { .. } | Stage::Hung { since: Some(_), .. })
    }

    /// Whether it can still be cancelled.
    pub(super) fn is_active(&self) -> bool {
        self.is_waiting() || self.is_running() || matches!(self.stage, Stage::Hung { .. })
    }

    pub(super) const fn start(&mut self, now: Now) {
        self.stage = Stage::Running { since: now };
    }

    pub(super) const fn cut(&mut self) {
        self.stage = Stage::Cut;
    }

    /// From now on nothing comes.
    pub(super) const fn hang(&mut self, now: Now) {
        let since = match self.stage {
            Stage::Waiting => None,
            Stage::Running { since } => Some(since),
            Stage::Hung { .. } | Stage::Done { .. } | Stage::Cut => return,
        };
        self.stage = Stage::Hung { since, until: now };
    }

    /// When its last token is there.
    pub(super) fn deadline(&self) -> Option<Now> {
        match self.stage {
            Stage::Running { since } => Some(since + self.at(self.length() - 1)),
            Stage::Waiting | Stage::Hung { .. } | Stage::Done { .. } | Stage::Cut => None,
        }
    }

    /// Ends it when its time has come; whether it has.
    pub(super) fn step(&mut self, now: Now) -> bool {
        let Stage::Running { since } = self.stage else { return false };
        let is_done = self.deadline().is_some_and(|deadline| deadline <= now);
        if is_done {
            self.stage = Stage::Done { since };
        }
        is_done
    }

    /// What its client has not been told yet.
    pub(super) fn listen(&mut self, now: Now) -> Heard {
        let (since, now, is_hung) = match self.stage {
            Stage::Waiting | Stage::Hung { since: None, .. } => return Heard::nothing(Next::Change),
            Stage::Cut => return Heard::nothing(Next::Over),
            Stage::Hung { since: Some(since), until } => (since, until, true),
            Stage::Running { since } | Stage::Done { since } => (since, now, false),
        };
        let mut events = Vec::new();
        while self.told < self.length() && since + self.at(self.told) <= now {
            events.push(self.event(self.told));
            self.told += 1;
        }
        let next = if is_hung {
            Next::Change
        } else if self.told < self.length() {
            Next::At(since + self.at(self.told))
        } else {
            Next::Over
        };
        Heard { events, next }
    }

    /// How many events there will be.
    fn length(&self) -> usize {
        let whole = PREFILLS + self.answer.tokens.len();
        match self.fate {
            Fate::Whole => whole,
            // The last piece would say that it is the last.
            Fate::Cut { tokens } => whole.min(PREFILLS + tokens.min(self.answer.tokens.len() - 1)),
            Fate::Failed(_) => PREFILLS + 1,
        }
    }

    /// When an event is due, from the start.
    fn at(&self, number: usize) -> Now {
        let prefill = pace::PREFILL_BASE + pace::PREFILL_TOKEN * self.answer.usage.prompt;
        match number {
            0 => Now::ZERO,
            1 => prefill * 9 / 10,
            2 => prefill,
            _ => prefill + pace::TOKEN * u32::try_from(number + 1 - PREFILLS).unwrap_or(u32::MAX),
        }
    }

    fn event(&self, number: usize) -> Event {
        // The template's last two tokens are not prefilled, as recorded.
        let total = self.answer.usage.prompt.saturating_sub(2).max(1);
        match number {
            0 => Event::Prefill { processed: 0, total },
            1 => Event::Prefill { processed: total - 1, total },
            2 => Event::Prefill { processed: total, total },
            _ => {
                if let Fate::Failed(why) = self.fate {
                    return Event::Failed(why);
                }
                let text = self.answer.tokens.get(number - PREFILLS).cloned().unwrap_or_default();
                if number + 1 < PREFILLS + self.answer.tokens.len() {
                    return Event::Token(text);
                }
                Event::Last { text, finish: self.answer.finish, usage: self.answer.usage, rates: self.rates() }
            }
        }
    }

    fn rates(&self) -> Rates {
        let (prefill, whole) = (self.at(PREFILLS - 1).as_secs_f64(), self.at(self.length() - 1).as_secs_f64());
        let Usage { prompt, completion } = self.answer.usage;
        Rates { prompt: f64::from(prompt) / prefill, generation: f64::from(completion) / (whole - prefill) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn started() -> Generation {
        fated(Fate::Whole)
    }

    fn fated(fate: Fate) -> Generation {
        let answer = Answer::draw("three words here", Some(4));
        let mut generation = Generation::new("c".into(), "t".into(), "i".into(), answer, fate);
        generation.start(Duration::from_secs(1));
        generation
    }

    #[test]
    fn a_client_is_told_each_event_once_and_in_order_however_seldom_it_listens() {
        let (mut often, mut once) = (started(), started());
        let mut heard = Vec::new();
        let mut now = Duration::from_secs(1);
        loop {
            let step = often.listen(now);
            heard.extend(step.events);
            match step.next {
                Next::At(next) => now = next,
                Next::Over => break,
                Next::Change => panic!("it runs"),
            }
        }
        assert_eq!(heard.len(), 3 + 4);
        assert!(matches!(heard.last(), Some(Event::Last { finish: Finish::Length, .. })));
        let late = once.listen(now);
        assert_eq!((late.events, late.next), (heard, Next::Over));
        assert_eq!(often.deadline(), Some(now));
    }

    #[test]
    fn one_that_is_cut_ends_without_a_word() {
        let mut generation = started();
        generation.cut();
        assert_eq!(generation.listen(Duration::from_secs(9)), Heard { events: Vec::new(), next: Next::Over });
        assert!(!generation.is_active());
    }

    #[test]
    fn one_that_hangs_tells_what_it_had_and_then_nothing_until_it_is_cut() {
        let mut generation = started();
        let first = Duration::from_secs(1) + generation.at(PREFILLS);
        generation.hang(first);
        let heard = generation.listen(Duration::from_secs(9));
        assert_eq!((heard.events.len(), heard.next), (PREFILLS + 1, Next::Change));
        assert_eq!(generation.listen(Duration::from_secs(99)), Heard::nothing(Next::Change));
        assert!(generation.is_active() && generation.deadline().is_none());
        generation.cut();
        assert_eq!(generation.listen(Duration::from_secs(99)), Heard::nothing(Next::Over));
    }

    #[test]
    fn a_fate_ends_it_without_a_last_piece() {
        let late = Duration::from_secs(9);
        let of = |fate| {
            let heard = fated(fate).listen(late);
            assert_eq!(heard.next, Next::Over);
            heard.events
        };
        let cut = of(Fate::Cut { tokens: 2 });
        assert!(cut.len() == PREFILLS + 2 && matches!(cut.last(), Some(Event::Token(_))), "{cut:?}");
        let never_last = of(Fate::Cut { tokens: 40 });
        assert!(never_last.iter().all(|event| !matches!(event, Event::Last { .. })), "{never_last:?}");
        assert_eq!(of(Fate::Failed("why")).last(), Some(&Event::Failed("why")));
    }
}
