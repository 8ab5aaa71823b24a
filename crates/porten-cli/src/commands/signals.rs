//! The signals that end a host of the agent: all of them let it finish what runs.

use std::io;
use std::time::Duration;

use porten_core::leaving::{PERSONS, SYSTEMS};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Caught from now on.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// One that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// SIGTERM: a system ends the process.
    Terminate,
    /// SIGINT: a person at the keyboard.
    Interrupt,
    /// SIGHUP: the terminal is gone, or the session.
    Hangup,
}

impl Ending {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Hangup => "SIGHUP",
        }
    }

    /// How long running requests may take: a person has time, a system kills after a while.
    pub(crate) const fn within(self) -> Duration {
        match self {
            Self::Interrupt => PERSONS,
            Self::Terminate | Self::Hangup => SYSTEMS,
        }
    }
}

impl Signals {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) -> Ending {
        tokio::select! {
            _ = self.terminate.recv() => Ending::Terminate,
            _ = self.interrupt.recv() => Ending::Interrupt,
            _ = self.hangup.recv() => Ending::Hangup,
        }
    }
}
