//! Decides which document is asked for when: one at a time, the most overdue first, and never faster than exo bears.
//!
//! Each document makes exo dump its whole state (10–50 ms a node, measured), so there is a budget: at most 12 requests a
//! minute while nobody looks, one a second while somebody does or requests run.

use std::collections::BTreeMap;
use std::time::Duration;

use super::document::Document;
use crate::time::Moment;

/// Between two requests while nobody looks: with the list of models once a minute that is under 12 a minute.
const CALM_GAP: Duration = Duration::from_millis(5_500);
/// Between two requests while somebody looks.
const LIVELY_GAP: Duration = Duration::from_secs(1);

/// What is going on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pace {
    /// Nobody looks and nothing runs.
    #[default]
    Calm,
    /// Somebody looks, or requests run.
    Lively,
    /// A model is being loaded.
    Loading,
}

impl Pace {
    /// How old the heartbeat may become.
    #[must_use]
    pub fn heartbeat(self) -> Duration {
        self.age(Document::LastSeen).unwrap_or(LIVELY_GAP)
    }

    const fn age(self, document: Document) -> Option<Duration> {
        match self {
            Self::Calm => document.calm(),
            Self::Lively => document.lively(),
            Self::Loading => document.loading(),
        }
    }

    const fn gap(self) -> Duration {
        match self {
            Self::Calm => CALM_GAP,
            Self::Lively | Self::Loading => LIVELY_GAP,
        }
    }
}

/// When each document was last asked for.
#[derive(Debug, Default)]
pub struct Rhythm {
    pace: Pace,
    asked: BTreeMap<Document, Moment>,
    last: Option<Moment>,
    asking: Option<Document>,
}

impl Rhythm {
    /// What is going on from now on.
    pub const fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// What is going on.
    #[must_use]
    pub const fn pace(&self) -> Pace {
        self.pace
    }

    /// Something changed: these are worth asking for next.
    pub fn hasten(&mut self, documents: &[Document]) {
        for document in documents {
            self.asked.remove(document);
        }
    }

    /// The answer to what was asked last came, or did not.
    pub const fn answered(&mut self) {
        self.asking = None;
    }

    /// What is to be asked now. `first` says that a document has never been told: the first look is not spread out.
    pub fn next(&mut self, now: Moment, first: impl Fn(Document) -> bool) -> Option<Document> {
        let (document, due) = self.soonest(now, first)?;
        if self.asking.is_some() || !now.reached(due) {
            return None;
        }
        self.asking = Some(document);
        self.asked.insert(document, now);
        self.last = Some(now);
        Some(document)
    }

    /// When [`Rhythm::next`] has something.
    #[must_use]
    pub fn deadline(&self, now: Moment, first: impl Fn(Document) -> bool) -> Option<Moment> {
        if self.asking.is_some() {
            return None;
        }
        self.soonest(now, first).map(|(_, due)| due)
    }

    fn soonest(&self, now: Moment, first: impl Fn(Document) -> bool) -> Option<(Document, Moment)> {
        let free = self.last.map_or(Moment::START, |last| last + self.pace.gap());
        let wanted = Document::ALL.into_iter().filter_map(|document| {
            let age = self.pace.age(document)?;
            Some(match self.asked.get(&document) {
                None if first(document) => (document, Moment::START),
                None => (document, free),
                Some(asked) => (document, (*asked + age).max(free)),
            })
        });
        // The one that has been due for longest, seen from now; among equals the more telling one.
        wanted.min_by_key(|(document, due)| {
            let due_by_age = self.asked.get(document).zip(self.pace.age(*document)).map(|(asked, age)| *asked + age);
            (due.max(&now).since_start(), due_by_age)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a rhythm with an engine that answers at once; how often each was asked.
    fn run(pace: Pace, seconds: u64) -> BTreeMap<Document, usize> {
        let mut rhythm = Rhythm::default();
        rhythm.set_pace(pace);
        let mut told: BTreeMap<Document, usize> = BTreeMap::new();
        let end = Moment::after_start(Duration::from_secs(seconds));
        let mut now = Moment::START;
        while now < end {
            let known: Vec<Document> = told.keys().copied().collect();
            match rhythm.next(now, |document| !known.contains(&document)) {
                Some(document) => {
                    *told.entry(document).or_default() += 1;
                    rhythm.answered();
                }
                None => now = rhythm.deadline(now, |document| !known.contains(&document)).unwrap(),
            }
        }
        told
    }

    #[test]
    fn while_nobody_looks_exo_is_asked_less_than_12_times_a_minute() {
        let told = run(Pace::Calm, 3_600);
        let a_minute = told.values().sum::<usize>() as f64 / 60.0;
        assert!(a_minute <= 11.0, "{a_minute}: {told:?}");
        assert!(!told.contains_key(&Document::System) && !told.contains_key(&Document::Downloads));
        assert!((200..=250).contains(&told[&Document::LastSeen]), "{told:?}");
    }

    #[test]
    fn while_somebody_looks_it_is_asked_at_most_once_a_second_and_nothing_starves() {
        for pace in [Pace::Lively, Pace::Loading] {
            let told = run(pace, 600);
            assert!(told.values().sum::<usize>() <= 600 + Document::ALL.len(), "{told:?}");
            for document in Document::ALL.into_iter().filter(|document| pace.age(*document).is_some()) {
                assert!(told[&document] >= 2, "{document:?}: {told:?}");
            }
            assert!(told[&Document::LastSeen] >= 60, "{told:?}");
        }
    }

    #[test]
    fn the_first_look_is_not_spread_out_and_a_hastened_document_comes_next() {
        let mut rhythm = Rhythm::default();
        for _ in 0..9 {
            assert!(rhythm.next(Moment::START, |_| true).is_some());
            assert!(rhythm.next(Moment::START, |_| true).is_none(), "one at a time");
            rhythm.answered();
        }
        assert_eq!(rhythm.next(Moment::START, |_| false), None);
        rhythm.hasten(&[Document::Instances]);
        let due = rhythm.deadline(Moment::START, |_| false).unwrap();
        assert_eq!(due, Moment::START + CALM_GAP);
        assert_eq!(rhythm.next(due, |_| false), Some(Document::Instances));
    }
}
