//! Runs what takes long beside the thread that carries tokens: the loop, all streams and the front ends share one.

use tokio::sync::Semaphore;

/// What is read of so many bytes takes well under a millisecond, less than it would wait for a thread.
const AT_ONCE: usize = 64 * 1024;
/// So much runs at a time; the rest waits in its order. The engine wants the cores too.
static WORKERS: Semaphore = Semaphore::const_new(2);

/// Does work whose time grows with `bytes`: at once where it is short, else on a thread of its own. `None`: it was not
/// finished, because the process ends.
pub(crate) async fn run<T: Send + 'static>(bytes: usize, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    if bytes <= AT_ONCE {
        return Some(work());
    }
    let worker = WORKERS.acquire().await.ok()?;
    let work = move || {
        let done = work();
        drop(worker);
        done
    };
    tokio::task::spawn_blocking(work).await.ok()
}

#[cfg(test)]
mod tests {
    use std::thread::current;

    use super::*;

    #[tokio::test]
    async fn what_is_short_is_done_at_once_and_what_is_long_elsewhere() {
        let here = current().id();
        assert_eq!(run(AT_ONCE, || current().id()).await, Some(here));
        assert_ne!(run(AT_ONCE + 1, || current().id()).await, Some(here));
    }
}
