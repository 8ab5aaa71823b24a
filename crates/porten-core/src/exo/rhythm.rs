//! Decides which document is asked for when: one at a time, the most overdue first, and never faster than exo bears.
//!
//! Each document makes exo dump its whole state (10–50 ms a node, measured), so there is a budget: at most 12 requests a
//! minute while nobody looks, one a second while somebody does or requests run. The heartbeat keeps its time whatever
//! else is due, since how soon a death is noticed hangs on it; the others share what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::document::Document;
use crate::time::Moment;

/// Between two documents other than the heartbeat while nobody looks: with it and the list of models once a minute that
/// is under 12 a minute.
const CALM_GAP: Duration = Duration::from_secs(11);
/// Between two of them while somebody looks: with the heartbeat under one a second.
const LIVELY_GAP: Duration = Duration::from_millis(1_700);
/// Between any request and one that an event asked for.
const HASTE_GAP: Duration = Duration::from_millis(500);

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
    hastened: BTreeSet<Document>,
    /// When any was asked for, and when any but the heartbeat was.
    last: Option<Moment>,
    last_other: Option<Moment>,
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
        self.hastened.extend(documents);
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
        self.hastened.remove(&document);
        self.last = Some(now);
        if document != Document::LastSeen {
            self.last_other = Some(now);
        }
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
        let wanted = Document::ALL.into_iter().filter_map(|document| Some((document, self.due(document, &first)?)));
        // The one that has been due for longest, seen from now; among equals the more telling one.
        wanted.min_by_key(|(document, due)| {
            let due_by_age = self.asked.get(document).zip(self.pace.age(*document)).map(|(asked, age)| *asked + age);
            (due.max(&now).since_start(), due_by_age)
        })
    }

    /// When a document is due; `None`: it is not wanted at this pace.
    fn due(&self, document: Document, first: &impl Fn(Document) -> bool) -> Option<Moment> {
        let after = |last: Option<Moment>, gap: Duration| last.map_or(Moment::START, |last| last + gap);
        let soon = after(self.last, HASTE_GAP);
        if self.hastened.contains(&document) {
            return Some(soon);
        }
        let age = self.pace.age(document)?;
        let Some(asked) = self.asked.get(&document) else {
            // An answer that never came is asked for again, though not at once.
            return Some(if first(document) { Moment::START } else { soon });
        };
        Some(match document {
            Document::LastSeen => *asked + age,
            _ => (*asked + age).max(after(self.last_other, self.pace.gap())),
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
    fn while_nobody_looks_exo_is_asked_less_than_12_times_a_minute_and_the_heartbeat_is_never_late() {
        let told = run(Pace::Calm, 3_600);
        let a_minute = told.values().sum::<usize>() as f64 / 60.0;
        // And the list of models, once a minute.
        assert!(a_minute <= 11.0, "{a_minute}: {told:?}");
        assert!(!told.contains_key(&Document::System) && !told.contains_key(&Document::Downloads));
        assert_eq!(told[&Document::LastSeen], 3_600 / 11 + 1, "{told:?}");
        for document in Document::ALL.into_iter().filter(|document| document.calm().is_some()) {
            assert!(told[&document] >= 4, "{document:?}: {told:?}");
        }
    }

    #[test]
    fn while_somebody_looks_it_is_asked_at_most_once_a_second_and_nothing_starves() {
        for pace in [Pace::Lively, Pace::Loading] {
            let told = run(pace, 600);
            assert!(told.values().sum::<usize>() <= 600 + Document::ALL.len(), "{told:?}");
            for document in Document::ALL.into_iter().filter(|document| pace.age(*document).is_some()) {
                assert!(told[&document] >= 1, "{document:?}: {told:?}");
            }
            assert!(told[&Document::LastSeen] >= 140, "{told:?}");
            assert!(told[&Document::Instances] >= 60, "{told:?}");
        }
    }

    #[test]
    fn the_first_look_is_not_spread_out_and_a_hastened_document_comes_next() {
        let mut rhythm = Rhythm::default();
        for _ in Document::ALL.into_iter().filter(|document| document.calm().is_some()) {
            assert!(rhythm.next(Moment::START, |_| true).is_some());
            assert!(rhythm.next(Moment::START, |_| true).is_none(), "one at a time");
            rhythm.answered();
        }
        assert_eq!(rhythm.next(Moment::START, |_| false), None);
        rhythm.hasten(&[Document::Instances]);
        let due = rhythm.deadline(Moment::START, |_| false).unwrap();
        assert_eq!(due, Moment::START + HASTE_GAP);
        assert_eq!(rhythm.next(due, |_| false), Some(Document::Instances));
    }
}
