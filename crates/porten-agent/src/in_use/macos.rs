//! Quartz counts for the whole machine, whoever is logged in, and asks for no permission.

use std::time::Duration;

use objc2_core_graphics::{CGEventSource, CGEventSourceStateID, CGEventType};

pub(super) async fn rested() -> Result<Duration, String> {
    let seconds = tokio::task::spawn_blocking(|| {
        // kCGAnyInputEventType is ~0 in CGEventTypes.h.
        let any = CGEventType(u32::MAX);
        CGEventSource::seconds_since_last_event_type(CGEventSourceStateID::HIDSystemState, any)
    });
    let rested = seconds.await.ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    rested.ok_or_else(|| "macOS does not tell when this Mac was last used.".to_owned())
}
