//! The wall clock as the Hub's state file keeps it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01 UTC.
pub(crate) type Millis = i64;

/// The time now.
pub(crate) fn now() -> Millis {
    // A clock before 1970 or after the year 292,277,026 is read as the nearest of the two.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

/// A duration in the state file's unit.
pub(crate) fn millis(duration: std::time::Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}
