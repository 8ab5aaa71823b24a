//! The life of the link to the Hub as a machine without I/O: when to dial, when to wait, when only a person can help.
//!
//! ```text
//!            wanted                    Opened                      Ended(Lost)
//!  Off ───────────────► Dialling ─────────────────► Up ──────────────────────────► Waiting
//!   ▲                    ▲    │ Ended(Lost)                                         │   │
//!   │ not wanted         │    └────────────────────────────────────────────────────►│   │ wait over, or a nudge
//!   │ (from anywhere)    └──────────────────────────────────────────────────────────┼───┘
//!   │                                                                               │
//!   └── SignedOut ◄── Ended(Refused::SignIn) ── any ── Ended(Refused::…) ──► Stuck ─┘ (slowly)
//! ```
//! Connections are numbered: what a dead one still says is not believed.
//!
//! Two things nudge. A person ([`Input::Nudge`]) may interrupt any wait. The system ([`Input::Stirred`]: a wake, another
//! network) interrupts those that such a change may end, and no other: two machines with one identity must not take turns
//! for ever, and a Hub that named a time meant it.

mod backoff;
mod failure;

use std::time::Duration;

use crate::time::Moment;

pub use backoff::{spread, wait};
pub use failure::{Certificate, Failure, Lost, Refused};

/// The limit for one dial in all: name, TCP, proxy, TLS, upgrade and welcome.
pub const DIAL_DEADLINE: Duration = Duration::from_secs(15);
/// A link that lived this long was good: the next outage starts with short waits again.
pub const LASTING: Duration = Duration::from_secs(30);
/// A link that ends so soon after a probe was asked for has failed it.
const PROBE_ENDS: Duration = Duration::from_secs(5);
/// How long the tunnel leaves a Hub alone that refused for a reason that only a person can mend.
pub const STUCK_WAIT: Duration = Duration::from_secs(5 * 60);
/// The longest wait after a refusal that may be the network's and not the Hub's: a hotel's sign-in page answers in the
/// Hub's place until somebody has signed in there, which changes nothing on this machine. With [`DIAL_DEADLINE`] the Hub is
/// found within a minute of that.
pub const PORTAL_WAIT: Duration = Duration::from_secs(45);

/// One connection's number; grows for the life of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The person wants to be online, or not.
    Wanted(bool),
    /// A credential is there, or is gone.
    SignedIn(bool),
    /// The Hub said welcome on this connection.
    Opened(ConnId),
    /// This connection, or the attempt at it, ended.
    Ended(ConnId, Failure),
    /// A person asks for a try now.
    Nudge,
    /// The machine woke, or its network is another one: a link may be dead without knowing, and a try may succeed now.
    Stirred,
    /// Time passed; see [`Tunnel::deadline`].
    Tick,
}

/// What the host must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Open a connection under this number.
    Dial(ConnId),
    /// Drop this connection or attempt; nothing it still says counts.
    Hangup(ConnId),
    /// See at once whether this connection lives; it ends if not.
    Probe(ConnId),
    /// The Hub no longer accepts this sign-in: forget the credential.
    ForgetCredential,
}

/// Where the link is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nobody wants it.
    Off,
    /// Wanted, but nobody is signed in; with why, if the Hub ended the sign-in.
    SignedOut(Option<Refused>),
    /// An attempt is under way.
    Dialling {
        /// Its number.
        conn: ConnId,
        /// When it is given up.
        until: Moment,
    },
    /// The Hub said welcome.
    Up {
        /// Its number.
        conn: ConnId,
        /// Since when.
        since: Moment,
    },
    /// The next attempt is at `until`.
    Waiting {
        /// When to try again.
        until: Moment,
        /// Why the last one ended.
        why: Lost,
    },
    /// Only a person can mend this; looked at again at `until`, in case one did.
    Stuck {
        /// When to look again.
        until: Moment,
        /// What the Hub said.
        why: Refused,
    },
}

/// The machine.
#[derive(Debug)]
pub struct Tunnel {
    wanted: bool,
    signed_in: bool,
    state: State,
    next_conn: u64,
    /// When the last good link ended; waits grow with the time since then.
    outage: Option<Moment>,
    /// The connection that is being probed because the machine's circumstances changed, and since when.
    probed: Option<(ConnId, Moment)>,
}

impl Default for Tunnel {
    fn default() -> Self {
        Self { wanted: false, signed_in: false, state: State::Off, next_conn: 1, outage: None, probed: None }
    }
}

impl Tunnel {
    /// Where the link is.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// When [`Input::Tick`] is due, if ever.
    #[must_use]
    pub const fn deadline(&self) -> Option<Moment> {
        match &self.state {
            State::Dialling { until, .. } | State::Waiting { until, .. } | State::Stuck { until, .. } => Some(*until),
            State::Off | State::SignedOut(_) | State::Up { .. } => None,
        }
    }

    /// One step. `luck` in `[0, 1)` spreads the waits of many agents.
    pub fn on(&mut self, input: Input, now: Moment, luck: f64) -> Vec<Effect> {
        match input {
            Input::Wanted(wanted) => {
                self.wanted = wanted;
                self.settle(now)
            }
            Input::SignedIn(signed_in) => {
                self.signed_in = signed_in;
                self.settle(now)
            }
            Input::Opened(conn) => {
                if self.conn() == Some(conn) {
                    self.state = State::Up { conn, since: now };
                }
                Vec::new()
            }
            Input::Ended(conn, failure) if self.conn() == Some(conn) => self.fail(failure, now, luck),
            Input::Ended(..) => Vec::new(),
            Input::Nudge => match self.state {
                State::Waiting { .. } | State::Stuck { .. } => self.dial(now),
                State::Up { conn, .. } => vec![Effect::Probe(conn)],
                State::Off | State::SignedOut(_) | State::Dialling { .. } => Vec::new(),
            },
            Input::Stirred => self.stir(now),
            Input::Tick => self.tick(now, luck),
        }
    }

    const fn conn(&self) -> Option<ConnId> {
        match self.state {
            State::Dialling { conn, .. } | State::Up { conn, .. } => Some(conn),
            _ => None,
        }
    }

    /// Brings the state in line with the wish and the sign-in.
    fn settle(&mut self, now: Moment) -> Vec<Effect> {
        let hangup = |this: &Self| this.conn().map(Effect::Hangup).into_iter().collect();
        match (self.wanted, self.signed_in) {
            (false, _) => {
                let effects = hangup(self);
                self.state = State::Off;
                self.outage = None;
                effects
            }
            (true, false) => {
                let effects = hangup(self);
                if !matches!(self.state, State::SignedOut(_)) {
                    self.state = State::SignedOut(None);
                }
                effects
            }
            (true, true) => match self.state {
                State::Off | State::SignedOut(_) => self.dial(now),
                _ => Vec::new(),
            },
        }
    }

    /// The circumstances are new: the waits of the old ones do not count any more.
    fn stir(&mut self, now: Moment) -> Vec<Effect> {
        match &self.state {
            State::Up { conn, .. } => {
                let conn = *conn;
                self.probed = Some((conn, now));
                vec![Effect::Probe(conn)]
            }
            // It began on the old network, where its answers may go.
            State::Dialling { conn, .. } => {
                let mut effects = vec![Effect::Hangup(*conn)];
                self.outage = None;
                effects.extend(self.dial(now));
                effects
            }
            State::Waiting { why, .. } if why.is_ours_to_end() => {
                self.outage = None;
                self.dial(now)
            }
            State::Stuck { why, .. } if why.depends_on_the_network() => self.dial(now),
            State::Off | State::SignedOut(_) | State::Waiting { .. } | State::Stuck { .. } => Vec::new(),
        }
    }

    fn dial(&mut self, now: Moment) -> Vec<Effect> {
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        self.state = State::Dialling { conn, until: now + DIAL_DEADLINE };
        vec![Effect::Dial(conn)]
    }

    fn fail(&mut self, failure: Failure, now: Moment, luck: f64) -> Vec<Effect> {
        if let State::Up { since, .. } = self.state
            && now.since(since) >= LASTING
        {
            self.outage = None;
        }
        let ended = self.conn();
        let is_probed = |(conn, since)| Some(conn) == ended && now.since(since) <= PROBE_ENDS;
        match failure {
            // Nothing is wrong with the Hub, as far as is known.
            Failure::Lost(_) if self.probed.take().is_some_and(is_probed) => {
                self.outage.get_or_insert(now);
                self.dial(now)
            }
            Failure::Lost(why) => {
                let outage = *self.outage.get_or_insert(now);
                let asked = why.retry_after().map(|least| spread(least, luck));
                // A Hub that restarts is not dialled by all its nodes in one second, if it says how many they are.
                let share = why.within().map(|within| within.mul_f64(luck.clamp(0.0, 1.0)));
                let wait = wait(now.since(outage), luck).max(asked.or(share).unwrap_or_default());
                self.state = State::Waiting { until: now + wait, why };
                Vec::new()
            }
            Failure::Refused(why) if why.needs_sign_in() => {
                self.signed_in = false;
                self.state = State::SignedOut(Some(why));
                vec![Effect::ForgetCredential]
            }
            Failure::Refused(why) => {
                // As after a loss: the upper half, so that many do not come as one.
                let portal = PORTAL_WAIT.mul_f64(0.5 + luck.clamp(0.0, 1.0) / 2.0);
                let wait = if why.may_be_a_portal() { portal } else { STUCK_WAIT };
                self.state = State::Stuck { until: now + wait, why };
                Vec::new()
            }
        }
    }

    fn tick(&mut self, now: Moment, luck: f64) -> Vec<Effect> {
        if !self.deadline().is_some_and(|deadline| now.reached(deadline)) {
            return Vec::new();
        }
        match self.state {
            State::Dialling { conn, .. } => {
                let mut effects = vec![Effect::Hangup(conn)];
                effects.extend(self.fail(Failure::Lost(Lost::TimedOut), now, luck));
                effects
            }
            State::Waiting { .. } | State::Stuck { .. } => self.dial(now),
            State::Off | State::SignedOut(_) | State::Up { .. } => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
