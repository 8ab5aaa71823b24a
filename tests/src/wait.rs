//! Waits for something to become so, and says what if it does not.

use std::time::{Duration, Instant};

/// How often it is looked. Short, because the limits of whole-process tests are tens of milliseconds.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Looks until there is something, and returns it. A condition looks with `then_some(())`:
/// `wait_until(limit, "the engine is idle", async || (engine.generating() == 0).then_some(())).await`.
///
/// # Panics
/// After `limit` there is still nothing; `what` says what was missing.
pub async fn wait_until<T>(limit: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + limit;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < until, "waited {limit:?} in vain until {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
