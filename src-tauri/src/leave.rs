//! The way out: asked once, running requests are finished; asked again, it ends now.

use tokio_util::sync::CancellationToken;

/// The wish to leave.
#[derive(Debug, Clone, Default)]
pub(crate) struct Leave {
    /// When the running requests are finished.
    pub(crate) quit: CancellationToken,
    /// At once.
    pub(crate) now: CancellationToken,
}

impl Leave {
    /// Somebody wants to leave.
    pub(crate) fn ask(&self) {
        if self.quit.is_cancelled() {
            self.now.cancel();
        }
        self.quit.cancel();
    }
}

/// The system's and the terminal's wish to leave is like the person's.
pub(crate) fn on_signals(leave: &Leave) {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let leave = leave.clone();
        tauri::async_runtime::spawn(async move {
            let Ok(mut signals) = signal(kind) else { return };
            while signals.recv().await.is_some() {
                leave.ask();
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asked_twice_it_ends_now() {
        let leave = Leave::default();
        leave.ask();
        assert!(leave.quit.is_cancelled() && !leave.now.is_cancelled());
        leave.ask();
        assert!(leave.now.is_cancelled());
    }
}
