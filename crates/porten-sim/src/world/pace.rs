//! How long things take, at speed 1: from nothing to ready in about five seconds.

use std::time::Duration;

/// From the command to the instance in `/state`.
pub(super) const ACCEPT: Duration = Duration::from_millis(150);
/// Until a runner's process is there.
pub(super) const SPAWN: Duration = Duration::from_millis(450);
/// A model's files, however many bytes they are.
pub(super) const DOWNLOAD: Duration = Duration::from_millis(1800);
/// How long a download is only announced.
pub(super) const PENDING: Duration = Duration::from_millis(100);
/// A runner that waits for the others: once idle, and in a group of several twice more.
pub(super) const JOIN: Duration = Duration::from_millis(100);
/// All layers.
pub(super) const LOAD: Duration = Duration::from_millis(2000);
/// Between the last layer and the warm-up.
pub(super) const LOADED: Duration = Duration::from_millis(100);
pub(super) const WARM_UP: Duration = Duration::from_millis(400);
/// Prefill of any prompt.
pub(super) const PREFILL_BASE: Duration = Duration::from_millis(80);
/// Prefill of each token more.
pub(super) const PREFILL_TOKEN: Duration = Duration::from_micros(400);
/// One token of an answer: 30 a second.
pub(super) const TOKEN: Duration = Duration::from_micros(33_333);
/// How often each node tells of its memory, and as often of its load.
pub(super) const TELEMETRY: Duration = Duration::from_secs(1);
/// What an instance works on at a time (`EXO_MAX_CONCURRENT_REQUESTS`).
pub(super) const CONCURRENT: usize = 8;
