//! What an agent that serves a model and is not asked uses, over minutes.

use std::time::{Duration, Instant};

use crate::path::{self, Engine};
use crate::runner::{RunError, print, tell};
use crate::seat::Seating;
use crate::usage::Meter;

/// Its first minute is its start: proofs, first looks, warm caches.
const SETTLED: Duration = Duration::from_secs(30);

/// Measures, and prints a line.
pub(crate) async fn run(minutes: usize) -> Result<(), RunError> {
    tell("starting an engine, a Hub and an agent, and signing in");
    let engine = Engine::start(Seating::Free).await?;
    let porten = path::porten(&engine).await;
    tokio::time::sleep(SETTLED).await;
    let time = Duration::from_secs(60 * minutes as u64);
    tell(&format!("watching it for {minutes} min"));
    let begun = Instant::now();
    let meter = porten.agent.and_then(Meter::start).ok_or(RunError::NotLinux)?;
    tokio::time::sleep(time).await;
    let used = meter.stop().ok_or(RunError::NotLinux)?;
    let share = used.cpu_ms / 10.0 / begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    let mib = used.peak_rss as f64 / (1024.0 * 1024.0);
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let wakes = used.waits as f64 / begun.elapsed().as_secs_f64();
    print(&format!(
        "{minutes} min without a request: {:.0} ms of a processor ({share:.3} % of one), {wakes:.1} wake-ups a second, {mib:.1} MiB\n",
        used.cpu_ms
    ));
    Ok(())
}
