//! How long nobody has touched this machine's keyboard and pointer, as the system tells.

#[cfg(not(target_os = "macos"))]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
#[cfg(not(target_os = "macos"))]
use linux as of;
#[cfg(target_os = "macos")]
use macos as of;
use tokio::time::timeout;

/// Asks the system; the error is one sentence for the person. Injected, so that a test can be the person.
pub type InUse = Arc<dyn Fn() -> BoxFuture<'static, Result<Duration, String>> + Send + Sync>;

/// For how long the system is waited for.
const DEADLINE: Duration = Duration::from_secs(10);

/// The system's own answer.
#[must_use]
pub fn system() -> InUse {
    Arc::new(|| Box::pin(rested()))
}

async fn rested() -> Result<Duration, String> {
    let late = || format!("The system did not say within {} s when it was last used.", DEADLINE.as_secs());
    timeout(DEADLINE, of::rested()).await.unwrap_or_else(|_| Err(late()))
}
