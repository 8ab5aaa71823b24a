//! How long nobody has touched this machine's keyboard and pointer, as the system tells.

use std::sync::Arc;
use std::time::Duration;

/// Asks the system; the error is one sentence for the person. Injected, so that a test can be the person.
pub type InUse = Arc<dyn Fn() -> Result<Duration, String> + Send + Sync>;

/// The system's own answer.
#[must_use]
pub fn system() -> InUse {
    Arc::new(rested)
}

/// Quartz counts for the whole machine, whoever is logged in, and asks for no permission.
#[cfg(target_os = "macos")]
fn rested() -> Result<Duration, String> {
    use objc2_core_graphics::{CGEventSource, CGEventSourceStateID, CGEventType};
    // kCGAnyInputEventType is ~0 in CGEventTypes.h.
    let any = CGEventType(u32::MAX);
    let seconds = CGEventSource::seconds_since_last_event_type(CGEventSourceStateID::HIDSystemState, any);
    Duration::try_from_secs_f64(seconds).map_err(|_| "macOS does not tell when this Mac was last used.".to_owned())
}

#[cfg(not(target_os = "macos"))]
fn rested() -> Result<Duration, String> {
    Err("This system does not tell when it was last used; pause for a time instead.".to_owned())
}
