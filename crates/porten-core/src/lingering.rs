//! Decides whether the engine has gone idle after its client left, as exo's runners tell: some go on computing an answer that
//! nobody will read, for as long as its prompt is being read.
//!
//! That one computes though nothing runs from here is all that can be seen. It may be somebody else's request, and the words
//! say so.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::time::Moment;

/// How long an engine may take to notice; measured on idle Macs it is the next token, or the end of a step of a prefill.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// How often exo's runners are looked at after that, until they rest.
const AGAIN: Duration = Duration::from_secs(30);

/// What exo's runners told of one model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Whether one of them computes.
    pub computes: bool,
    /// When that was told.
    pub at: Moment,
}

/// The models whose last client left.
#[derive(Debug, Default)]
pub struct Lingering {
    /// By the engine's id.
    left: BTreeMap<String, Left>,
}

#[derive(Debug)]
struct Left {
    at: Moment,
    /// When the runners were last to be looked at for this.
    looked: Option<Moment>,
    /// Whether they were seen at work after the patience.
    busy: bool,
}

impl Lingering {
    /// A client left an answer of this model.
    pub fn left(&mut self, engine_id: &str, now: Moment) {
        self.left.insert(engine_id.to_owned(), Left { at: now, looked: None, busy: false });
    }

    /// Looks at each of them: what its runners told last (`None`: nobody tells), and whether anything runs on it from here.
    /// Says whether the runners should be asked.
    pub fn look(
        &mut self,
        seen: impl Fn(&str) -> Option<Seen>,
        is_running: impl Fn(&str) -> bool,
        now: Moment,
    ) -> bool {
        let mut ask = false;
        self.left.retain(|engine_id, left| {
            let Some(seen) = seen(engine_id).filter(|_| !is_running(engine_id)) else { return false };
            let due = left.at + PATIENCE;
            if seen.at > left.at && !seen.computes {
                return false;
            }
            left.busy |= seen.at >= due;
            if now.reached(left.next()) {
                left.looked = Some(now);
                ask = true;
            }
            true
        });
        ask
    }

    /// Whether this model computes although the one who asked has left.
    #[must_use]
    pub fn is_busy(&self, engine_id: &str) -> bool {
        self.left.get(engine_id).is_some_and(|left| left.busy)
    }

    /// When to look again.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.left.values().map(Left::next).min()
    }
}

impl Left {
    fn next(&self) -> Moment {
        self.looked.map_or(self.at + PATIENCE, |looked| looked + AGAIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    fn seen(computes: bool, when: u64) -> impl Fn(&str) -> Option<Seen> {
        move |_| Some(Seen { computes, at: at(when) })
    }

    const NOTHING_RUNS: fn(&str) -> bool = |_| false;

    #[test]
    fn one_that_computes_on_for_longer_than_it_takes_to_notice_is_said_until_it_rests() {
        let mut lingering = Lingering::default();
        lingering.left("m", at(100));
        assert!(!lingering.look(seen(true, 99), NOTHING_RUNS, at(101)), "it may still notice");
        assert_eq!(lingering.deadline(), Some(at(110)));
        assert!(lingering.look(seen(true, 99), NOTHING_RUNS, at(110)), "what was told before it left says nothing");
        assert!(!lingering.is_busy("m"));
        assert!(!lingering.look(seen(true, 111), NOTHING_RUNS, at(111)));
        assert!(lingering.is_busy("m") && !lingering.is_busy("other"));
        assert_eq!(lingering.deadline(), Some(at(140)));
        assert!(lingering.look(seen(true, 111), NOTHING_RUNS, at(140)), "it is looked at again");
        assert!(!lingering.look(seen(false, 141), NOTHING_RUNS, at(141)));
        assert_eq!((lingering.is_busy("m"), lingering.deadline()), (false, None));
    }

    #[test]
    fn one_that_rests_in_time_or_works_for_the_next_client_is_never_said() {
        let mut lingering = Lingering::default();
        lingering.left("m", at(0));
        assert!(!lingering.look(seen(false, 3), NOTHING_RUNS, at(3)));
        assert_eq!(lingering.deadline(), None);
        lingering.left("m", at(10));
        assert!(!lingering.look(seen(true, 11), |_| true, at(11)));
        assert_eq!(lingering.deadline(), None, "it computes for somebody");
        lingering.left("m", at(20));
        assert!(!lingering.look(|_| None, NOTHING_RUNS, at(21)));
        assert_eq!(lingering.deadline(), None, "nobody tells");
    }
}
