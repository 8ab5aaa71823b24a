//! One request from the tunnel to the engine and back: every way it can end.

mod bodies;
mod clients;
mod cuts;
mod passing;
mod refusals;
mod retries;
mod silence;

use std::time::Duration;

use porten_agent::relay::Limits;

const JSON: &str = "content-type: application/json\r\n";

/// The one limit that a test is about; the others stay out of its way.
fn lowered(lower: impl FnOnce(&mut Limits, Duration)) -> Limits {
    let mut limits = Limits::default();
    lower(&mut limits, Duration::from_millis(300));
    limits
}
