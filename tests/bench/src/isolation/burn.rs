//! The control: burns as much processor time as an attack did, and touches nothing.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::process::{Child, Command};

/// Busy and idle alternate within about this time: an attack's work comes in small pieces too.
const PERIOD: Duration = Duration::from_millis(20);
/// Nobody burns longer, whatever became of the runner.
const LONGEST: Duration = Duration::from_secs(120);

/// What is burned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fuel {
    /// Of one processor, in thousandths, all threads together.
    pub(crate) permille: u64,
    pub(crate) seconds: u64,
}

/// How much of its time each thread burns.
fn share(fuel: Fuel, threads: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "both are small")]
    let share = fuel.permille as f64 / 1000.0 / threads.max(1) as f64;
    share.clamp(0.0, 1.0)
}

/// The role: two threads a processor, as the attacker and the attacked have together.
pub(crate) fn run(fuel: Fuel) {
    let threads = 2 * std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let time = Duration::from_secs(fuel.seconds).min(LONGEST);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| burn(time, share(fuel, threads)));
        }
    });
}

/// Keeps this thread's processor time at its share of the time that has passed: what others took is made up for, so
/// that as much is burned in the end.
fn burn(time: Duration, share: f64) {
    let begun = Instant::now();
    let mut work = 1_u64;
    while begun.elapsed() < time {
        // The period that has begun is burned at its beginning.
        let due = (begun.elapsed() + PERIOD).mul_f64(share);
        while burned() < due && begun.elapsed() < time {
            for _ in 0..5000 {
                work = std::hint::black_box(work.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
            }
        }
        std::thread::sleep(PERIOD.mul_f64(1.0 - share));
    }
}

/// This thread's processor time.
fn burned() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or_default(), nanos.unwrap_or_default())
}

/// Starts a process that burns; it ends by itself, or when dropped.
pub(crate) fn start(fuel: Fuel) -> Result<Child, String> {
    let start = || {
        Command::new(std::env::current_exe()?)
            .args(["burn", &fuel.permille.to_string(), &fuel.seconds.to_string()])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    };
    start().map_err(|error| format!("no process for the control ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threads_share_what_is_burned() {
        let fuel = Fuel { permille: 1000, seconds: 1 };
        let is = |fuel, expected: f64| (share(fuel, 4) - expected).abs() < 1e-9;
        assert!(is(fuel, 0.25) && is(Fuel { permille: 9000, ..fuel }, 1.0) && is(Fuel { permille: 0, ..fuel }, 0.0));
    }

    #[test]
    fn a_thread_burns_its_share_and_not_more() {
        let burn = |share| {
            let before = burned();
            burn(Duration::from_millis(400), share);
            burned() - before
        };
        // On a busy machine it may get less.
        let (some, none) = (burn(0.2), burn(0.0));
        assert!(some > Duration::from_millis(2) && some < Duration::from_millis(160), "{some:?}");
        assert!(none < Duration::from_millis(10), "{none:?}");
    }
}
