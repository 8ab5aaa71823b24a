//! exo's heartbeat: whether its state is true now, and which Macs are heard of.
//!
//! Freshness is movement by this Mac's own clock. The stamps are the leader's: their age means nothing here, since its clock
//! may be an hour off; but among themselves they are comparable, and they advance as fast as time does.
//!
//! | what the stamps do | what it means |
//! |---|---|
//! | the newest advances with our clock | fresh |
//! | none moves | frozen, leaderless, or the state of a file |
//! | the newest leaps ahead of our clock, again and again | exo replays its history: it has just joined |
//! | one falls behind the newest | that Mac is not heard of |

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::members::{ByNode, NodeId, by_node};
use super::words;
use crate::snapshot::Freshness;
use crate::time::{Moment, Now};

/// A Mac stamps at least once a second (measured); with this much behind the newest it is not heard of.
pub(super) const LATE: Duration = Duration::from_secs(5);
/// With this much behind, answers that run on it are given up: they cannot be taken back, so it must be surer than what is
/// shown. A look every 3 s, as while answers run, finds it within 10 s of a death.
const GONE: Duration = Duration::from_millis(6_500);
/// So far behind, it is worth a second look at once, and one is enough: a Mac may always be so far behind.
const DOUBTFUL: Duration = Duration::from_millis(2_500);
/// No stamp has moved for this long although exo was asked: nothing moves any more.
const STILL: Duration = Duration::from_secs(8);
/// No answer at all for this long.
const UNANSWERED: Duration = Duration::from_secs(30);
/// The newest stamp may be ahead of our clock's advance by this much: reports and answers are not in step.
const LEAP: Duration = Duration::from_secs(5);

/// Macs that left and are remembered here, until exo's topology has forgotten them too.
const MOST_LEFT: usize = 64;

/// A Mac's last sign.
#[derive(Debug)]
struct Beat {
    stamp: String,
    /// When it was seen to move.
    moved: Now,
    /// Behind the newest stamp of the same answer.
    behind: Duration,
}

/// When each node was last heard of, in the leader's words.
pub(super) type Stamps = ByNode<String>;

/// Reads `lastSeen`.
pub(super) fn read_stamps(value: &Value) -> Stamps {
    by_node(value, |stamp| stamp.as_str().and_then(words::id).unwrap_or_default().to_owned())
}

/// What an answer changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Macs came or went.
    pub(super) changed: bool,
    /// A Mac was heard of, and is not now; or again.
    pub(super) turned: bool,
    /// A Mac may be gone: look again soon.
    pub(super) doubtful: bool,
}

/// What the heartbeat has told.
#[derive(Debug, Default)]
pub(super) struct Heartbeat {
    beats: BTreeMap<NodeId, Beat>,
    /// Those that had a stamp and have none any more: exo drops it before it drops the Mac.
    left: BTreeMap<NodeId, Timestamp>,
    /// When any stamp last moved, and since when they have without a stop or a leap.
    moved: Option<Now>,
    moving: Option<Moment>,
    answered: Option<Now>,
    newest: Option<Timestamp>,
    still: bool,
    leaps: u8,
}

impl Heartbeat {
    /// Takes an answer.
    pub(super) fn take(&mut self, stamps: &Stamps, now: Now) -> Heard {
        let times: BTreeMap<&NodeId, Timestamp> =
            stamps.iter().filter_map(|(node, stamp)| Some((node, stamp.parse().ok()?))).collect();
        let newest = times.values().max().copied();
        let changed = stamps.len() != self.beats.len() || stamps.keys().any(|node| !self.beats.contains_key(node));
        let mut heard = Heard { changed, ..Heard::default() };
        let mut moved = false;
        let mut beats = BTreeMap::new();
        for (node, stamp) in stamps {
            let behind = times.get(node).zip(newest).map_or(Duration::ZERO, |(at, newest)| positive(*at, newest));
            let before = self.beats.remove(node);
            heard.turned |= before.as_ref().is_some_and(|beat| (beat.behind >= LATE) != (behind >= LATE));
            let doubted = before.as_ref().is_some_and(|beat| beat.behind >= DOUBTFUL);
            heard.doubtful |= !doubted && (DOUBTFUL..LATE).contains(&behind);
            let beat = match before {
                Some(beat) if beat.stamp == *stamp => Beat { behind, ..beat },
                before => {
                    moved |= before.is_some();
                    Beat { stamp: stamp.clone(), moved: now, behind }
                }
            };
            beats.insert(node.clone(), beat);
        }
        let gone = std::mem::replace(&mut self.beats, beats);
        self.left.extend(gone.into_iter().map(|(node, beat)| (node, beat.moved.wall)));
        self.left.retain(|node, _| !self.beats.contains_key(node));
        while self.left.len() > MOST_LEFT {
            self.left.pop_first();
        }
        self.pace(moved, newest, now);
        heard
    }

    /// Whether the stamps move as time does.
    fn pace(&mut self, moved: bool, newest: Option<Timestamp>, now: Now) {
        if moved {
            let leapt = self.newest.zip(newest).zip(self.answered).is_some_and(|((before, newest), answered)| {
                let advanced = positive(before, newest);
                newest < before || advanced > now.mono.since(answered.mono) + LEAP
            });
            self.leaps = if leapt { self.leaps.saturating_add(1) } else { 0 };
            if leapt || self.moving.is_none() {
                self.moving = Some(now.mono);
            }
        }
        if moved || self.moved.is_none() {
            self.moved = Some(now);
        }
        self.still = self.moved.is_some_and(|moved| now.mono.since(moved.mono) >= STILL);
        if self.still {
            self.moving = None;
        }
        self.newest = newest;
        self.answered = Some(now);
    }

    /// Whether all that exo tells is true now.
    pub(super) fn freshness(&self, now: Now) -> Freshness {
        let unanswered = self.answered.is_some_and(|answered| now.mono.since(answered.mono) > UNANSWERED);
        match self.moved {
            Some(moved) if self.still || unanswered => Freshness::Stale { since: moved.wall },
            // Once may be a clock that was set, or another leader's.
            _ if self.leaps > 1 => Freshness::Replaying,
            _ => Freshness::Fresh,
        }
    }

    /// For how long it has been moving without a stop; `None` while it is not seen to.
    pub(super) fn moving_for(&self, now: Now) -> Option<Duration> {
        let moving = self.moving?;
        matches!(self.freshness(now), Freshness::Fresh).then(|| now.mono.since(moving))
    }

    /// Since when a Mac is not heard of; `None` while it is, or never was.
    pub(super) fn silent_since(&self, node: &NodeId, now: Now) -> Option<Timestamp> {
        if let Some(since) = self.left.get(node) {
            return Some(*since);
        }
        let beat = self.beats.get(node)?;
        match self.freshness(now) {
            Freshness::Stale { .. } => Some(beat.moved.wall),
            _ => (beat.behind >= LATE).then_some(beat.moved.wall),
        }
    }

    /// Whether a Mac has been silent for so long that what runs on it is lost.
    pub(super) fn is_gone(&self, node: &NodeId) -> bool {
        self.left.contains_key(node) || self.beats.get(node).is_some_and(|beat| beat.behind >= GONE)
    }

    /// Whether there is a stamp of this Mac at all.
    pub(super) fn knows(&self, node: &NodeId) -> bool {
        self.beats.contains_key(node)
    }

    /// When time alone makes it stale.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.answered.map(|answered| answered.mono + UNANSWERED + Duration::from_millis(1))
    }
}

/// From one time to a later one; none from a later to an earlier.
fn positive(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOON: i64 = 1_795_000_000;

    struct Exo {
        heartbeat: Heartbeat,
        now: Now,
    }

    impl Exo {
        fn new() -> Self {
            Self { heartbeat: Heartbeat::default(), now: Now::new(Moment::START, Timestamp::UNIX_EPOCH) }
        }

        /// So many seconds later it answers these stamps (seconds after noon by the leader's clock).
        fn tells(&mut self, after: u64, stamps: &[(&str, i64)]) -> Heard {
            self.now += Duration::from_secs(after);
            let stamps: serde_json::Map<String, Value> = (stamps.iter())
                .map(|(node, second)| {
                    let stamp = Timestamp::from_second(NOON + second).unwrap().to_string();
                    ((*node).to_owned(), json!(stamp))
                })
                .collect();
            self.heartbeat.take(&read_stamps(&Value::Object(stamps)), self.now)
        }

        fn freshness(&self) -> Freshness {
            self.heartbeat.freshness(self.now)
        }
    }

    #[test]
    fn a_mac_whose_stamp_falls_behind_the_others_is_not_heard_of_whatever_the_leaders_clock_says() {
        let mut exo = Exo::new();
        exo.tells(0, &[("a", 0), ("b", 0)]);
        exo.tells(11, &[("a", 11), ("b", 10)]);
        assert_eq!(exo.heartbeat.silent_since(&"b".into(), exo.now), None);
        let heard = exo.tells(3, &[("a", 14), ("b", 11)]);
        assert!(heard.doubtful && !heard.turned);
        let heard = exo.tells(2, &[("a", 16), ("b", 11)]);
        assert!(heard.turned && exo.heartbeat.silent_since(&"b".into(), exo.now).is_some());
        assert!(!exo.heartbeat.is_gone(&"b".into()), "it may only be busy");
        exo.tells(2, &[("a", 18), ("b", 11)]);
        assert!(exo.heartbeat.is_gone(&"b".into()));
        assert_eq!(exo.heartbeat.silent_since(&"a".into(), exo.now), None);
        assert!(exo.tells(3, &[("a", 20), ("b", 20)]).turned);
        assert_eq!(exo.heartbeat.silent_since(&"b".into(), exo.now), None);
    }

    #[test]
    fn stamps_that_stand_still_although_asked_are_stale_and_long_silence_of_exo_is_too() {
        let mut exo = Exo::new();
        exo.tells(0, &[("a", 0)]);
        exo.tells(3, &[("a", 3)]);
        exo.tells(6, &[("a", 3)]);
        assert_eq!(exo.freshness(), Freshness::Fresh, "a few seconds are no proof");
        exo.tells(3, &[("a", 3)]);
        assert!(matches!(exo.freshness(), Freshness::Stale { .. }));
        assert_eq!(exo.heartbeat.moving_for(exo.now), None);
        exo.tells(3, &[("a", 15)]);
        assert_eq!(exo.freshness(), Freshness::Fresh);
        exo.now += Duration::from_secs(29);
        assert_eq!(exo.freshness(), Freshness::Fresh, "nobody asked meanwhile");
        exo.now += Duration::from_secs(2);
        assert!(matches!(exo.freshness(), Freshness::Stale { .. }));
    }

    #[test]
    fn history_that_is_replayed_leaps_again_and_again_and_a_clock_that_is_set_only_once() {
        let mut exo = Exo::new();
        exo.tells(0, &[("a", 0)]);
        exo.tells(3, &[("a", 3_603)]);
        assert_eq!(exo.freshness(), Freshness::Fresh, "the leader's clock was set");
        exo.tells(3, &[("a", 3_606)]);
        assert_eq!(exo.heartbeat.moving_for(exo.now), Some(Duration::from_secs(3)), "nothing is placed on it yet");
        exo.tells(3, &[("a", 100)]);
        exo.tells(3, &[("a", 200)]);
        assert_eq!(exo.freshness(), Freshness::Replaying);
        exo.tells(1, &[("a", 200)]);
        assert_eq!(exo.freshness(), Freshness::Replaying, "between two portions");
        exo.tells(2, &[("a", 300)]);
        assert_eq!(exo.freshness(), Freshness::Replaying);
        exo.tells(3, &[("a", 303)]);
        assert_eq!(exo.freshness(), Freshness::Fresh);
    }

    #[test]
    fn who_comes_or_goes_is_a_change_and_nonsense_is_nothing() {
        let mut exo = Exo::new();
        assert!(exo.tells(0, &[("a", 0)]).changed);
        assert!(!exo.tells(1, &[("a", 1)]).changed);
        assert!(exo.tells(1, &[("b", 2)]).changed);
        assert!(exo.heartbeat.silent_since(&"a".into(), exo.now).is_some(), "it had a stamp and has none");
        assert_eq!(exo.heartbeat.silent_since(&"z".into(), exo.now), None, "it never had one: it joins");
        assert!(exo.heartbeat.take(&read_stamps(&json!({ "b": 7, "c": [] })), exo.now).changed);
        assert!(exo.heartbeat.knows(&"c".into()) && !exo.heartbeat.knows(&"a".into()));
        assert!(!exo.heartbeat.take(&read_stamps(&json!("nonsense")), exo.now).turned);
    }
}
