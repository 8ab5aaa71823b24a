//! Decides when to ping and when the other side is dead.
//!
//! ```text
//!            interval passed: Ping                    patience passed and nothing heard: Dead
//! Quiet ────────────────────────► Waiting{since} ──────────────────────────────────────────►
//!   ▲                                   │ pong
//!   └───────────────────────────────────┘
//! ```
//! Any byte from the peer while a pong is due extends the wait: a pong can stand behind megabytes of answers in the
//! peer's send buffer, and a link that carries those is alive. A link that lost one direction carries neither.
//!
//! A probe pings at once, whatever is due, and has less patience: it is asked for when the link has probably died.

use std::time::Duration;

use porten_core::time::Moment;

/// How often to ping and how long to wait.
#[derive(Debug, Clone, Copy)]
pub struct Beat {
    /// Time between pings. 15 s is under the idle limit of every proxy we know (60 s at most clouds).
    pub interval: Duration,
    /// Silence after a ping that means dead.
    pub patience: Duration,
}

impl Default for Beat {
    fn default() -> Self {
        Self { interval: Duration::from_secs(15), patience: Duration::from_secs(10) }
    }
}

/// How long a probed peer may be silent: a few lost packets, not more.
pub(crate) const PROBE_PATIENCE: Duration = Duration::from_secs(3);

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Nothing before this moment.
    Wait(Moment),
    /// Send a ping with this payload.
    Ping(u64),
    /// The other side is gone.
    Dead,
}

#[derive(Debug)]
pub(crate) struct Pulse {
    beat: Beat,
    count: u64,
    next: Moment,
    sent: Option<Moment>,
    heard: Moment,
    /// A probe was asked for: the patience of the next ping.
    probe: Option<Duration>,
    /// The patience of the ping that is under way.
    patience: Duration,
}

impl Pulse {
    pub(crate) fn new(beat: Beat, now: Moment) -> Self {
        let patience = beat.patience;
        Self { beat, count: 0, next: now + beat.interval, sent: None, heard: now, probe: None, patience }
    }

    /// Pings with the next [`Self::act`], even while a pong is due: that one was asked for over a path that may be gone.
    pub(crate) const fn probe(&mut self, patience: Duration) {
        self.probe = Some(patience);
    }

    /// Something arrived.
    pub(crate) const fn hear(&mut self, now: Moment) {
        self.heard = now;
    }

    /// A pong arrived; the round trip if it answers the last ping.
    pub(crate) fn pong(&mut self, payload: u64, now: Moment) -> Option<Duration> {
        if payload != self.count {
            return None;
        }
        self.sent.take().map(|sent| now.since(sent))
    }

    pub(crate) fn act(&mut self, now: Moment) -> Act {
        if let Some(patience) = self.probe.take() {
            return self.ping(patience.min(self.beat.patience), now);
        }
        if let Some(sent) = self.sent {
            let dead_at = sent.max(self.heard) + self.patience;
            return if now.reached(dead_at) { Act::Dead } else { Act::Wait(dead_at) };
        }
        if !now.reached(self.next) {
            return Act::Wait(self.next);
        }
        self.ping(self.beat.patience, now)
    }

    fn ping(&mut self, patience: Duration, now: Moment) -> Act {
        self.count += 1;
        self.sent = Some(now);
        self.patience = patience;
        self.next = now + self.beat.interval;
        Act::Ping(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::after_start(Duration::from_secs(seconds))
    }

    /// Fault A11: an idle link pings every 15 s, well under the 60 s after which proxies cut what is silent.
    /// Fault A3: a peer that fell silent is dead 10 s after the ping, 25 s after its last word at the latest.
    #[test]
    fn a_silent_peer_is_dead_ten_seconds_after_the_ping() {
        let mut pulse = Pulse::new(Beat::default(), at(0));
        assert_eq!(pulse.act(at(3)), Act::Wait(at(15)));
        assert_eq!(pulse.act(at(15)), Act::Ping(1));
        assert_eq!(pulse.act(at(24)), Act::Wait(at(25)));
        assert_eq!(pulse.act(at(25)), Act::Dead);
    }

    #[test]
    fn a_pong_gives_the_round_trip_and_the_next_ping_keeps_its_time() {
        let mut pulse = Pulse::new(Beat::default(), at(0));
        assert_eq!(pulse.act(at(15)), Act::Ping(1));
        assert_eq!(pulse.pong(7, at(16)), None, "a stale or invented pong is no answer");
        assert_eq!(pulse.pong(1, at(17)), Some(Duration::from_secs(2)));
        assert_eq!(pulse.act(at(17)), Act::Wait(at(30)));
        assert_eq!(pulse.act(at(30)), Act::Ping(2));
    }

    /// Fault A6: a probe pings at once and has three seconds, also while an older pong is due.
    #[test]
    fn a_probe_pings_at_once_and_waits_less() {
        for asked in [3, 16] {
            let mut pulse = Pulse::new(Beat::default(), at(0));
            let first = u64::from(asked == 16);
            if first == 1 {
                assert_eq!(pulse.act(at(15)), Act::Ping(1));
            }
            pulse.probe(PROBE_PATIENCE);
            assert_eq!(pulse.act(at(asked)), Act::Ping(first + 1));
            assert_eq!(pulse.pong(first, at(asked)), None, "an older pong does not answer the probe");
            assert_eq!(pulse.act(at(asked)), Act::Wait(at(asked + 3)));
            assert_eq!(pulse.act(at(asked + 3)), Act::Dead);
        }
    }

    #[test]
    fn after_a_probe_that_was_answered_pings_are_as_before() {
        let mut pulse = Pulse::new(Beat::default(), at(0));
        pulse.probe(PROBE_PATIENCE);
        assert_eq!(pulse.act(at(3)), Act::Ping(1));
        assert_eq!(pulse.pong(1, at(4)), Some(Duration::from_secs(1)));
        assert_eq!(pulse.act(at(4)), Act::Wait(at(18)));
        assert_eq!(pulse.act(at(18)), Act::Ping(2));
        assert_eq!(pulse.act(at(27)), Act::Wait(at(28)));
    }

    #[test]
    fn a_peer_whose_pong_waits_behind_data_is_alive_while_the_data_flows() {
        let mut pulse = Pulse::new(Beat::default(), at(0));
        assert_eq!(pulse.act(at(15)), Act::Ping(1));
        pulse.hear(at(24));
        assert_eq!(pulse.act(at(25)), Act::Wait(at(34)));
        assert_eq!(pulse.act(at(34)), Act::Dead);
    }
}
