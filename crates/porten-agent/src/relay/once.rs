//! Sees to it that a prompt which is sent again is computed once: the first to run makes way for its own repetition.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use porten_core::relay::RequestId;
use porten_core::relay::repeat::{Ended, Mark, Number, Repeats};
use porten_core::time::Moment;
use tokio::sync::oneshot;

/// How long a repetition waits until the first has let go of the engine; it does so at once.
const MAKE_WAY: Duration = Duration::from_secs(1);

/// Held by one whose place is taken until it has let go of the engine.
pub(super) type Gone = oneshot::Sender<()>;

/// The requests that run; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Once {
    inner: Arc<Mutex<Inner>>,
    start: Instant,
}

#[derive(Debug, Default)]
struct Inner {
    repeats: Repeats,
    stops: BTreeMap<Number, oneshot::Sender<Gone>>,
}

impl Default for Once {
    fn default() -> Self {
        Self { inner: Arc::default(), start: Instant::now() }
    }
}

/// A request that runs; unless it says otherwise its client was gone when it ended.
pub(super) struct Running<'a> {
    once: &'a Once,
    mark: Mark,
    number: Number,
    first: Option<oneshot::Receiver<()>>,
    ended: Ended,
    /// It had its turn before and was cut.
    pub(super) again: bool,
}

impl Once {
    /// A request begins. The second value tells when another takes its place.
    pub(super) fn begin(&self, id: &RequestId, prompt: &[u8]) -> (Running<'_>, oneshot::Receiver<Gone>) {
        let mark = Mark::new(id, prompt);
        let (stop, stopped) = oneshot::channel();
        let mut inner = self.lock();
        let begun = inner.repeats.begin(mark, self.now());
        inner.stops.insert(begun.number, stop);
        let first = begun.instead_of.and_then(|first| inner.stops.remove(&first)).and_then(|stop| {
            let (gone, is_gone) = oneshot::channel();
            stop.send(gone).ok().map(|()| is_gone)
        });
        drop(inner);
        let (number, again) = (begun.number, begun.again);
        (Running { once: self, mark, number, first, ended: Ended::Cut, again }, stopped)
    }

    fn now(&self) -> Moment {
        Moment::after_start(self.start.elapsed())
    }

    /// A panic elsewhere leaves no half-taken step behind.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running<'_> {
    /// Waits until the one whose place it takes has let go of the engine, if there is one.
    pub(super) async fn has_place(&mut self) {
        if let Some(first) = self.first.take() {
            tracing::info!("the same request came again: the first one makes way");
            // Either it is gone, or it hangs on something that is not the engine.
            let _ = tokio::time::timeout(MAKE_WAY, first).await;
        }
    }

    /// Its client was told how it ended.
    pub(super) const fn told(&mut self) {
        self.ended = Ended::Told;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let now = self.once.now();
        let mut inner = self.once.lock();
        inner.stops.remove(&self.number);
        inner.repeats.end(self.mark, self.number, self.ended, now);
    }
}
