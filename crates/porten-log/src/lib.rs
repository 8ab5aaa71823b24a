//! The log of a process: to standard error, or of a background service to a file that rotates; our own lines at the wanted level, those of others never below a warning, and
//! what repeats without end only now and then.

mod pace;
pub mod rotation;
mod sink;
pub mod tail;

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use porten_core::config::LogLevel;
use tracing::Subscriber;
pub use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, reload};

use sink::Sink;

/// Which variable says how much is logged.
const VARIABLE: &str = "PORTEN_LOG";

/// A `PORTEN_LOG` that is no level.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{VARIABLE}={0:?} is no level: use off, error, warn, info, debug or trace")]
pub struct LogError(String);

/// What the settings call it.
#[must_use]
pub const fn level(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// What `PORTEN_LOG` says, for a process that reads no settings; INFO where nobody said.
///
/// # Errors
/// It is no level.
pub fn from_environment() -> Result<LevelFilter, LogError> {
    read(&std::env::var(VARIABLE).unwrap_or_default())
}

fn read(level: &str) -> Result<LevelFilter, LogError> {
    if level.is_empty() { Ok(LevelFilter::INFO) } else { level.parse().map_err(|_| LogError(level.to_owned())) }
}

/// What of this process's log can be changed, once it has started.
static STARTED: OnceLock<Levels> = OnceLock::new();

/// The level of a log that runs.
struct Levels {
    filter: reload::Handle<Targets, Registry>,
    pace: pace::Switch,
}

/// Starts the log. A second call changes nothing.
pub fn start(level: LevelFilter) {
    start_with(level, Sink::Stderr);
}

/// Starts the log in a file that rotates, and has panics told there, without their words: those may hold what passes through.
///
/// # Errors
/// The file cannot be opened; there is no log then.
pub fn start_in_file(level: LevelFilter, path: &Path) -> io::Result<()> {
    start_with(level, Sink::file(path)?);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%place, "a part of this program broke");
    }));
    Ok(())
}

fn start_with(level: LevelFilter, sink: Sink) {
    let (subscriber, levels) = subscriber(level, sink);
    // A second call can only come from a test; the first stands.
    if subscriber.try_init().is_ok() {
        let _ = STARTED.set(levels);
    }
}

/// From now on the log says so much; nothing happens where it has not started.
pub fn set(level: LevelFilter) {
    if let Some(levels) = STARTED.get() {
        levels.pace.set(is_paced(level));
        // It fails only where the log is gone, and then there is nothing to be said.
        let _ = levels.filter.reload(filter(level));
    }
}

/// The filter stands on the registry itself and not beside another layer: only so does a line below its level cost no more
/// than a comparison. There are dozens in each answer.
fn subscriber(level: LevelFilter, sink: Sink) -> (impl Subscriber + Send + Sync, Levels) {
    let (sieve, filter) = reload::Layer::new(filter(level));
    let (paced, pace) = pace::Pace::new(is_paced(level), sink.clone());
    let coloured = sink.is_terminal() && is_colour_wanted();
    let lines = tracing_subscriber::fmt::layer().with_writer(sink).with_ansi(coloured);
    (tracing_subscriber::registry().with(sieve).with(paced).with(lines), Levels { filter, pace })
}

/// As <https://no-color.org> has it: any value but an empty one takes the colours away.
fn is_colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
}

/// Whoever asks for more than the usual wants each line, and does so for a while only.
fn is_paced(level: LevelFilter) -> bool {
    level <= LevelFilter::INFO
}

/// At their lower levels the libraries below print whole requests, with the tokens in their headers.
fn filter(ours: LevelFilter) -> Targets {
    Targets::new().with_default(ours.min(LevelFilter::WARN)).with_target("porten", ours)
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn other_crates_never_log_more_than_warnings() {
        let trace = filter(level(LogLevel::Trace));
        assert!(trace.would_enable("porten_hub::relay", &Level::TRACE));
        for other in ["h2", "hyper::proto", "axum", "rustls", "tokio_tungstenite", "reqwest", "tauri", "zbus"] {
            assert!(trace.would_enable(other, &Level::WARN));
            assert!(!trace.would_enable(other, &Level::INFO), "{other}");
        }
        let error = filter(LevelFilter::ERROR);
        assert!(!error.would_enable("h2", &Level::WARN) && !error.would_enable("porten_hub", &Level::WARN));
    }

    #[test]
    fn only_a_log_that_a_person_reads_line_by_line_is_without_a_pace() {
        assert!(is_paced(LevelFilter::INFO) && is_paced(LevelFilter::ERROR));
        assert!(!is_paced(LevelFilter::DEBUG) && !is_paced(LevelFilter::TRACE));
    }

    #[test]
    fn what_is_below_the_level_is_not_even_looked_at() {
        for level in [LevelFilter::ERROR, LevelFilter::INFO, LevelFilter::DEBUG] {
            let (subscriber, levels) = subscriber(level, Sink::Stderr);
            assert_eq!(subscriber.max_level_hint(), Some(level));
            levels.filter.reload(filter(LevelFilter::WARN)).unwrap();
            assert_eq!(subscriber.max_level_hint(), Some(LevelFilter::WARN));
        }
    }

    #[test]
    fn a_level_that_is_none_is_one_sentence_and_off_is_one() {
        assert_eq!(read("loud").unwrap_err().to_string().lines().count(), 1);
        assert_eq!((read(""), read("off")), (Ok(LevelFilter::INFO), Ok(LevelFilter::OFF)));
    }
}
