//! Whether what is being loaded still comes: each part must move on within its time, or it is named.
//!
//! exo itself waits for ever (measured: a part sat at `RunnerIdle` until exo was restarted).

use std::collections::BTreeMap;
use std::time::Duration;

use super::instance::{InstanceId, Part, PartState};
use super::members::NodeId;
use crate::time::Now;

/// A download that brings no byte for this long has stalled: exo retries within seconds.
const NO_BYTE: Duration = Duration::from_secs(90);
/// A part whose process, neighbours or layers do not move for this long is stuck: 4–15 s are usual for a process (measured).
const NO_STEP: Duration = Duration::from_secs(120);
/// A first run through a model compiles its kernels, once a start.
const NO_TOKEN: Duration = Duration::from_secs(180);

/// A part that has not moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stall {
    /// Where.
    pub node: NodeId,
    /// What it waits for.
    pub at: StalledAt,
    /// For how long it may take.
    pub patience: Duration,
}

/// What a stalled part waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StalledAt {
    /// The next byte of its download.
    Downloading,
    /// Its process, or its neighbours.
    Starting,
    /// The next layer.
    Loading,
    /// The end of its first run.
    Warming,
}

/// When each part of each instance last moved.
#[derive(Debug, Default)]
pub(super) struct Progress {
    parts: BTreeMap<(InstanceId, NodeId), (PartState, Now)>,
}

impl Progress {
    /// Takes note of the parts of all instances.
    pub(super) fn note(&mut self, all: impl Iterator<Item = (InstanceId, Vec<Part>)>, now: Now) {
        let mut fresh = BTreeMap::new();
        for (id, parts) in all {
            for part in parts {
                let key = (id.clone(), part.node);
                let state = without_speed(part.state);
                let last = self.parts.remove(&key).filter(|(before, _)| *before == state);
                fresh.insert(key, last.unwrap_or((state, now)));
            }
        }
        self.parts = fresh;
    }

    /// The part of an instance that has not moved for too long. A part that only waits does so for the others: it is stuck
    /// once nothing of the instance moves.
    pub(super) fn stall(&self, instance: &InstanceId, now: Now) -> Option<Stall> {
        let parts = || self.parts.iter().filter(|((id, _), _)| id == instance);
        let last = parts().map(|(_, (_, moved))| moved.mono).max()?;
        let stalled = parts().filter_map(|((_, node), (state, moved))| {
            let (at, patience, since) = match state {
                PartState::Downloading { .. } => (StalledAt::Downloading, NO_BYTE, moved.mono),
                PartState::Waiting => (StalledAt::Starting, NO_STEP, last),
                PartState::Loading { .. } => (StalledAt::Loading, NO_STEP, last),
                PartState::Warming => (StalledAt::Warming, NO_TOKEN, last),
                PartState::Ready | PartState::Failed(_) => return None,
            };
            (now.mono.since(since) >= patience).then(|| Stall { node: node.clone(), at, patience })
        });
        // Who downloads holds up who waits, and who loads holds up who warms.
        stalled.min_by_key(|stall| stall.at.depth())
    }
}

impl StalledAt {
    const fn depth(self) -> u8 {
        match self {
            Self::Downloading => 0,
            Self::Starting => 1,
            Self::Loading => 2,
            Self::Warming => 3,
        }
    }
}

/// A speed is no progress.
fn without_speed(state: PartState) -> PartState {
    match state {
        PartState::Downloading { done, total, .. } => PartState::Downloading { done, total, per_s: None },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Moment;
    use jiff::Timestamp;

    fn at(seconds: u64) -> Now {
        Now::new(Moment::START, Timestamp::UNIX_EPOCH) + Duration::from_secs(seconds)
    }

    fn note(progress: &mut Progress, seconds: u64, states: [PartState; 2]) {
        let parts = states.into_iter().zip(["mac-1", "mac-2"]).map(|(state, node)| Part {
            node: node.to_owned(),
            bytes: 1,
            layers: None,
            state,
        });
        progress.note(std::iter::once(("i".to_owned(), parts.collect())), at(seconds));
    }

    const fn bytes(done: u64) -> PartState {
        PartState::Downloading { done, total: 100, per_s: Some(5.0) }
    }

    #[test]
    fn a_download_that_brings_no_byte_is_named_though_the_other_mac_goes_on() {
        let mut progress = Progress::default();
        for second in 0..=90 {
            note(&mut progress, second, [bytes(second), bytes(7)]);
        }
        assert_eq!(progress.stall(&"i".into(), at(89)), None);
        let stall = progress.stall(&"i".into(), at(90)).unwrap();
        assert_eq!((stall.node.as_str(), stall.at), ("mac-2", StalledAt::Downloading));
        note(&mut progress, 91, [bytes(91), bytes(8)]);
        assert_eq!(progress.stall(&"i".into(), at(91)), None);
    }

    #[test]
    fn a_part_that_waits_for_another_is_not_stuck_until_nothing_moves() {
        let mut progress = Progress::default();
        for second in 0..=300 {
            note(&mut progress, second, [bytes(second), PartState::Waiting]);
        }
        assert_eq!(progress.stall(&"i".into(), at(300)), None);
        note(&mut progress, 301, [PartState::Waiting, PartState::Waiting]);
        assert_eq!(progress.stall(&"i".into(), at(400)), None);
        assert_eq!(progress.stall(&"i".into(), at(421)).unwrap().at, StalledAt::Starting);
        note(&mut progress, 430, [PartState::Ready, PartState::Ready]);
        assert_eq!(progress.stall(&"i".into(), at(9_999)), None);
        assert_eq!(progress.stall(&"other".into(), at(9_999)), None);
    }
}
