//! Knows which keys the running requests came with, so that a key that has ended ends them too.
//!
//! A running answer asks for each piece whether its key has ended, so the question is one look at a flag. Only where it
//! waits for its node does it leave a waker, so that it hears of the end also when no piece comes.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::task::AtomicWaker;

use crate::secret::Digest;

/// The keys of all running requests.
#[derive(Debug, Default)]
pub(crate) struct KeysInUse {
    /// By key and by number of the request.
    inside: Mutex<HashMap<(Digest, u64), Arc<Flag>>>,
    requests: AtomicU64,
}

#[derive(Debug, Default)]
struct Flag {
    has_ended: AtomicBool,
    waker: AtomicWaker,
}

/// One request's use of its key, from before the key is looked up until its answer has ended.
#[derive(Debug)]
pub(crate) struct KeyUse {
    of: Arc<KeysInUse>,
    key: (Digest, u64),
    flag: Arc<Flag>,
    /// Who was left as a waker last: the same is not left again for each piece, which takes 50 ns.
    left: Option<Waker>,
}

/// Tells when a key ends.
#[derive(Debug, Clone)]
pub(crate) struct KeyEnd(Arc<Flag>);

impl KeysInUse {
    /// Notes that a request came with this key.
    pub(crate) fn begin(self: &Arc<Self>, key: Digest) -> KeyUse {
        let key = (key, self.requests.fetch_add(1, Ordering::Relaxed));
        let flag = Arc::<Flag>::default();
        self.lock().insert(key, Arc::clone(&flag));
        KeyUse { of: Arc::clone(self), key, flag, left: None }
    }

    /// The keys of running requests, each once.
    pub(crate) fn keys(&self) -> BTreeSet<Digest> {
        self.lock().keys().map(|(key, _)| *key).collect()
    }

    /// Ends the requests that came with these keys.
    pub(crate) fn end(&self, keys: &BTreeSet<Digest>) {
        for (_, flag) in self.lock().iter().filter(|((key, _), _)| keys.contains(key)) {
            flag.has_ended.store(true, Ordering::Release);
            flag.waker.wake();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<(Digest, u64), Arc<Flag>>> {
        // Each change is one insertion or removal: a panic leaves nothing half done.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyUse {
    /// Whether the key has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.flag.has_ended.load(Ordering::Acquire)
    }

    /// For a task that waits for something else: ready if the key has ended, else it is woken when that happens. One task
    /// waits at a time.
    pub(crate) fn poll_end(&mut self, cx: &Context<'_>) -> Poll<()> {
        if !self.left.as_ref().is_some_and(|left| left.will_wake(cx.waker())) {
            self.flag.waker.register(cx.waker());
            self.left = Some(cx.waker().clone());
        }
        if self.has_ended() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The same for whoever has given the use away.
    pub(crate) fn end(&self) -> KeyEnd {
        KeyEnd(Arc::clone(&self.flag))
    }
}

impl KeyEnd {
    /// Returns when the key has ended.
    pub(crate) async fn wait(&self) {
        std::future::poll_fn(|cx| self.0.poll(cx)).await;
    }
}

impl Flag {
    fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        self.waker.register(cx.waker());
        if self.has_ended.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for KeyUse {
    fn drop(&mut self) {
        self.of.lock().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_key_reaches_those_who_wait_and_nobody_else() {
        let keys = Arc::new(KeysInUse::default());
        let (one, other) = (keys.begin([1; 32]), keys.begin([2; 32]));
        let again = keys.begin([1; 32]);
        assert_eq!(keys.keys(), BTreeSet::from([[1; 32], [2; 32]]));
        let end = one.end();
        let waits = tokio::spawn(async move { end.wait().await });
        tokio::task::yield_now().await;
        keys.end(&BTreeSet::from([[1; 32]]));
        tokio::time::timeout(Duration::from_secs(5), waits).await.unwrap().unwrap();
        assert!(one.has_ended() && again.has_ended() && !other.has_ended());
        drop((one, again, other));
        assert!(keys.keys().is_empty());
    }
}
