//! Decides which models give their memory back after a time without requests. Such a model is *cold*: not broken, and loaded
//! again when somebody asks for it.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::ids::ModelId;
use crate::time::{Moment, Now};

/// One model, as it is now.
#[derive(Debug, Clone, Copy)]
pub struct Use<'a> {
    /// Its Hub id.
    pub id: &'a ModelId,
    /// Whether it is loaded by us and nothing runs on it: only then its time counts.
    pub rests: bool,
    /// After how long it is given back; `None`: never.
    pub free_after: Option<Duration>,
}

/// The machine.
#[derive(Debug, Default)]
pub struct Idle {
    /// Since when each rests, and until when it may.
    resting: BTreeMap<ModelId, (Moment, Moment)>,
    cold: BTreeMap<ModelId, Timestamp>,
}

impl Idle {
    /// Looks at the wanted models.
    pub fn look<'a>(&mut self, models: impl Iterator<Item = Use<'a>>, now: Now) {
        let mut resting = BTreeMap::new();
        let mut cold = BTreeMap::new();
        for Use { id, rests, free_after } in models {
            let Some(patience) = free_after else { continue };
            if let Some(since) = self.cold.get(id) {
                cold.insert(id.clone(), *since);
            } else if rests {
                let since = self.resting.get(id).map_or(now.mono, |(since, _)| *since);
                if now.mono.since(since) >= patience {
                    cold.insert(id.clone(), now.wall);
                } else {
                    resting.insert(id.clone(), (since, since + patience));
                }
            }
        }
        self.resting = resting;
        self.cold = cold;
    }

    /// Somebody asks for it; whether it was cold.
    pub fn wake(&mut self, id: &ModelId) -> bool {
        self.cold.remove(id).is_some()
    }

    /// Since when it is cold; `None`: it is not.
    #[must_use]
    pub fn cold_since(&self, id: &ModelId) -> Option<Timestamp> {
        self.cold.get(id).copied()
    }

    /// The cold ones.
    pub fn cold(&self) -> impl Iterator<Item = &ModelId> {
        self.cold.keys()
    }

    /// When a model has rested long enough.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        self.resting.values().map(|(_, until)| *until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_given_back_after_its_time_without_requests_and_wakes_when_asked_for() {
        let (id, mut idle) = (ModelId::read("m").unwrap(), Idle::default());
        let at = |minutes: u64| Now::new(Moment::START, Timestamp::UNIX_EPOCH) + Duration::from_secs(60 * minutes);
        let look = |idle: &mut Idle, rests, minutes| {
            let free_after = Some(Duration::from_secs(30 * 60));
            idle.look(std::iter::once(Use { id: &id, rests, free_after }), at(minutes));
        };
        look(&mut idle, true, 0);
        assert_eq!(idle.deadline(), Some(at(30).mono));
        look(&mut idle, false, 20);
        look(&mut idle, true, 21);
        look(&mut idle, true, 50);
        assert_eq!(idle.cold().count(), 0, "a request ran meanwhile");
        look(&mut idle, true, 51);
        assert_eq!(idle.cold_since(&id), Some(at(51).wall));
        look(&mut idle, false, 90);
        assert!(idle.wake(&id) && !idle.wake(&id));
        look(&mut idle, true, 91);
        assert_eq!((idle.cold().count(), idle.deadline()), (0, Some(at(121).mono)));
        idle.look(std::iter::once(Use { id: &id, rests: true, free_after: None }), at(999));
        assert_eq!(idle.deadline(), None, "always ready");
    }
}
