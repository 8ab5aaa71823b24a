//! Decides what an agent that waits for a person's answer hears when it asks (RFC 8628, 3.5).

use crate::clock::Millis;

/// How much longer an agent that asks too soon must wait from then on (RFC 8628: 5 seconds).
const SLOWER: Millis = 5000;
/// An agent that keeps the interval exactly may be this much early by the network's jitter (milliseconds).
const JITTER: Millis = 250;

/// One request to sign in that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request<Yes> {
    /// When its codes end.
    pub(crate) expires: Millis,
    /// The least time between two polls.
    pub(crate) interval: Millis,
    /// The last poll.
    pub(crate) polled: Option<Millis>,
    /// What the person said.
    pub(crate) answer: Answer<Yes>,
}

/// What the person said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer<Yes> {
    /// Nothing yet.
    None,
    /// Connect, and what is to be known for that.
    Connect(Yes),
    /// Don't connect.
    Refuse,
}

/// What the agent hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply<Yes> {
    /// `authorization_pending`
    Pending,
    /// `slow_down`; from now on at least this long between polls.
    SlowDown(Millis),
    /// `access_denied`
    Denied,
    /// `expired_token`
    Expired,
    /// The tokens.
    Grant(Yes),
}

impl<Yes> Request<Yes> {
    /// Judges one poll.
    pub(crate) fn poll(self, now: Millis) -> Reply<Yes> {
        if now >= self.expires {
            return Reply::Expired;
        }
        match self.answer {
            Answer::Connect(yes) => Reply::Grant(yes),
            Answer::Refuse => Reply::Denied,
            Answer::None if self.polled.is_some_and(|last| now - last < self.interval - JITTER) => {
                Reply::SlowDown(self.interval + SLOWER)
            }
            Answer::None => Reply::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITING: Request<i64> = Request { expires: 600_000, interval: 5000, polled: None, answer: Answer::None };

    #[test]
    fn an_agent_that_keeps_the_interval_only_hears_that_it_must_wait() {
        assert_eq!(WAITING.poll(0), Reply::Pending);
        assert_eq!(Request { polled: Some(1000), ..WAITING }.poll(5990), Reply::Pending, "jitter is no offence");
    }

    #[test]
    fn an_agent_that_asks_too_soon_must_wait_five_seconds_longer() {
        assert_eq!(Request { polled: Some(1000), ..WAITING }.poll(2000), Reply::SlowDown(10_000));
    }

    #[test]
    fn the_persons_answer_is_told_at_once_and_nothing_outlives_the_codes() {
        let connect = Request { answer: Answer::Connect(7), polled: Some(1000), ..WAITING };
        assert_eq!(connect.poll(1001), Reply::Grant(7));
        assert_eq!(Request { answer: Answer::Refuse, ..connect }.poll(1001), Reply::Denied);
        assert_eq!(connect.poll(600_000), Reply::Expired);
        assert_eq!(WAITING.poll(600_000), Reply::Expired);
    }
}
