//! The way out: asked once, running requests are finished; asked again, it ends now.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use porten_core::leaving::{LOGOUTS, PERSONS, SYSTEMS};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// What a system that logs its person out waits for an app; then it is killed, or holds the logout up.
const LOGOUT: Duration = Duration::from_secs(10);

/// The wish to leave.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leave {
    /// When the running requests are finished.
    pub(crate) quit: CancellationToken,
    /// At once.
    pub(crate) now: CancellationToken,
    /// The agent has ended.
    pub(crate) gone: CancellationToken,
    /// How long running requests may take, and when that is over.
    within: Arc<OnceLock<(Duration, Instant)>>,
}

impl Leave {
    /// A person wants to leave.
    pub(crate) fn ask(&self) {
        self.ask_within(PERSONS);
    }

    /// Somebody wants to leave, and running requests may take this long.
    fn ask_within(&self, within: Duration) {
        if self.quit.is_cancelled() {
            self.now.cancel();
        }
        self.within.get_or_init(|| (within, Instant::now() + within));
        self.quit.cancel();
    }

    /// How long running requests may take.
    pub(crate) fn within(&self) -> Duration {
        self.within.get().map_or(PERSONS, |(within, _)| *within)
    }

    /// How long they still may; `None` while nobody wants to leave.
    pub(crate) fn left(&self) -> Option<Duration> {
        let (_, until) = self.within.get()?;
        Some(if self.now.is_cancelled() { Duration::ZERO } else { until.saturating_duration_since(Instant::now()) })
    }

    /// The system ends the app without asking it, as it does at a logout: whoever runs is given what time there is.
    /// Returns when the agent has ended, or that time is over.
    pub(crate) async fn at_exit(&self) {
        if !self.quit.is_cancelled() {
            self.ask_within(LOGOUTS);
        }
        // What has not ended by then is ended with the process.
        let _ = tokio::time::timeout(LOGOUT, self.gone.cancelled()).await;
    }
}

/// The terminal's wish to leave is like the person's; the system's has less time.
pub(crate) fn on_signals(leave: &Leave) {
    use tokio::signal::unix::{SignalKind, signal};
    for (kind, within) in
        [(SignalKind::terminate(), SYSTEMS), (SignalKind::interrupt(), PERSONS), (SignalKind::hangup(), SYSTEMS)]
    {
        let leave = leave.clone();
        tauri::async_runtime::spawn(async move {
            let Ok(mut signals) = signal(kind) else { return };
            while signals.recv().await.is_some() {
                leave.ask_within(within);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asked_twice_it_ends_now_and_the_first_to_ask_says_how_long_it_may_take() {
        let leave = Leave::default();
        leave.ask_within(SYSTEMS);
        assert!(leave.quit.is_cancelled() && !leave.now.is_cancelled());
        leave.ask();
        assert!(leave.now.is_cancelled());
        assert_eq!(leave.within(), SYSTEMS);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_of_the_time_is_counted_down() {
        let leave = Leave::default();
        assert_eq!(leave.left(), None, "nobody wants to leave");
        leave.ask();
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(leave.left(), Some(PERSONS - Duration::from_secs(60)));
        tokio::time::advance(PERSONS).await;
        assert_eq!(leave.left(), Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_logout_waits_for_the_agent_but_not_for_ever() {
        let begun = Instant::now();
        let leave = Leave::default();
        leave.at_exit().await;
        assert_eq!((begun.elapsed(), leave.within()), (LOGOUT, LOGOUTS));
        leave.gone.cancel();
        leave.at_exit().await;
        assert_eq!(begun.elapsed(), LOGOUT, "it is gone already");
        assert!(!leave.now.is_cancelled());
    }
}
