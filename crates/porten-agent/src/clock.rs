//! The process's two clocks, read together; core only ever sees what this hands in.

use std::time::Instant;

use jiff::Timestamp;
use porten_core::time::{Moment, Now};

/// The clocks of this process.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    born: Instant,
}

impl Clock {
    /// Starts at zero.
    #[must_use]
    pub fn start() -> Self {
        Self { born: Instant::now() }
    }

    /// Both clocks, now.
    #[must_use]
    pub fn now(&self) -> Now {
        Now::new(Moment::after_start(self.born.elapsed()), Timestamp::now())
    }

    /// The runtime's instant at which a moment comes, for a timer.
    #[must_use]
    pub fn instant(&self, moment: Moment) -> tokio::time::Instant {
        let far = std::time::Duration::from_secs(86_400 * 365);
        tokio::time::Instant::from_std(self.born + moment.since_start().min(far))
    }

    /// Waits for a moment; for ever where there is none.
    pub async fn reached(&self, due: Option<Moment>) {
        match due {
            Some(due) => tokio::time::sleep_until(self.instant(due)).await,
            None => std::future::pending().await,
        }
    }
}
