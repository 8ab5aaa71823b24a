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
}

impl Pulse {
    pub(crate) fn new(beat: Beat, now: Moment) -> Self {
        Self { beat, count: 0, next: now + beat.interval, sent: None, heard: now }
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
        if let Some(sent) = self.sent {
            let dead_at = sent.max(self.heard) + self.beat.patience;
            return if now.reached(dead_at) { Act::Dead } else { Act::Wait(dead_at) };
        }
        if !now.reached(self.next) {
            return Act::Wait(self.next);
        }
        self.count += 1;
        self.sent = Some(now);
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

    #[test]
    fn a_peer_whose_pong_waits_behind_data_is_alive_while_the_data_flows() {
        let mut pulse = Pulse::new(Beat::default(), at(0));
        assert_eq!(pulse.act(at(15)), Act::Ping(1));
        pulse.hear(at(24));
        assert_eq!(pulse.act(at(25)), Act::Wait(at(34)));
        assert_eq!(pulse.act(at(34)), Act::Dead);
    }
}
