//! Keeps one line that repeats from filling a disk: each place in the code has so many lines, and gets them back slowly.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::sink::Sink;

/// Lines of one place that come at once: what a person reads to see that it repeats.
const AT_ONCE: u32 = 20;
/// Then one line in this time. The product logs in some sixty places, with some 200 bytes a line: if all of them repeat
/// without end, that is 35 MB a day.
const EACH: Duration = Duration::from_secs(30);

/// Leaves out what repeats too fast, and says how much that was.
#[derive(Debug)]
pub(crate) struct Pace {
    is_on: Arc<AtomicBool>,
    sink: Sink,
    places: Mutex<HashMap<Identifier, Place>>,
}

/// Turns a pace on and off.
#[derive(Debug)]
pub(crate) struct Switch(Arc<AtomicBool>);

impl Switch {
    pub(crate) fn set(&self, is_on: bool) {
        self.0.store(is_on, Ordering::Relaxed);
    }
}

impl Pace {
    pub(crate) fn new(is_on: bool, sink: Sink) -> (Self, Switch) {
        let is_on = Arc::new(AtomicBool::new(is_on));
        (Self { is_on: Arc::clone(&is_on), sink, places: Mutex::default() }, Switch(is_on))
    }
}

/// One place in the code.
#[derive(Debug)]
struct Place {
    /// Lines that may be written now.
    lines: u32,
    /// When the last one was given back.
    since: Instant,
    left_out: u64,
}

impl Place {
    const fn new(now: Instant) -> Self {
        Self { lines: AT_ONCE, since: now, left_out: 0 }
    }

    /// Whether a line may be written now; if so, how many were left out before it.
    fn take(&mut self, now: Instant) -> Option<u64> {
        let back = now.saturating_duration_since(self.since).as_secs() / EACH.as_secs();
        if back > 0 {
            self.lines = self.lines.saturating_add(u32::try_from(back).unwrap_or(AT_ONCE)).min(AT_ONCE);
            self.since = now;
        }
        if self.lines == 0 {
            self.left_out += 1;
            return None;
        }
        self.lines -= 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl<S: Subscriber> Layer<S> for Pace {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        if !self.is_on.load(Ordering::Relaxed) {
            return true;
        }
        let now = Instant::now();
        let taken = {
            // Each change is whole: a panic elsewhere leaves nothing half done.
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            places.entry(event.metadata().callsite()).or_insert_with(|| Place::new(now)).take(now)
        };
        if let Some(left_out @ 1..) = taken {
            // A log that cannot be written is nobody's trouble.
            let line = format!("({left_out} lines like the next one were left out)\n");
            let _ = self.sink.clone().write_all(line.as_bytes());
        }
        taken.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fault F9: of a line that repeats without end the first twenty are written, then two a minute, with the number left out.
    #[test]
    fn what_repeats_without_end_is_written_twice_a_minute_and_the_rest_is_counted() {
        let begun = Instant::now();
        let mut place = Place::new(begun);
        let day = 24 * 60 * 60;
        let written: Vec<_> =
            (0..day * 10).filter_map(|tick| place.take(begun + Duration::from_millis(tick * 100))).collect();
        assert_eq!(written.len() as u64, u64::from(AT_ONCE) + day / EACH.as_secs() - 1);
        assert!(written[..20].iter().all(|&left_out| left_out == 0));
        assert_eq!(written[20..].iter().max(), Some(&299), "one of 300");
        // Whoever was quiet long enough may talk again.
        let later = begun + Duration::from_secs(2 * day);
        assert_eq!((0..30).filter(|_| place.take(later).is_some()).count(), 20);
    }
}
