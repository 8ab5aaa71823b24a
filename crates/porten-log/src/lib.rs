//! The log of a process: to standard error, our own lines at the wanted level, those of others never below a warning, and
//! what repeats without end only now and then.

mod pace;

use std::io::{IsTerminal as _, stderr};
use std::sync::OnceLock;

use porten_core::config::LogLevel;
pub use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry, reload};

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

/// What decides of each line whether it is written.
type Sieve = Box<dyn Layer<Registry> + Send + Sync>;

/// This process's, once its log has started.
static SIEVE: OnceLock<reload::Handle<Sieve, Registry>> = OnceLock::new();

/// Starts the log. A second call changes nothing.
pub fn start(level: LevelFilter) {
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    let (sieve, handle) = reload::Layer::new(sieve(level));
    // A second call can only come from a test; the first stands.
    if tracing_subscriber::registry().with(sieve).with(lines).try_init().is_ok() {
        let _ = SIEVE.set(handle);
    }
}

/// From now on the log says so much; nothing happens where it has not started.
pub fn set(level: LevelFilter) {
    if let Some(handle) = SIEVE.get() {
        // It fails only where the log is gone, and then there is nothing to be said.
        let _ = handle.reload(sieve(level));
    }
}

fn sieve(level: LevelFilter) -> Sieve {
    Box::new(filter(level).and_then(pace(level)))
}

/// Whoever asks for more than the usual wants each line, and does so for a while only.
fn pace(level: LevelFilter) -> Option<pace::Pace> {
    (level <= LevelFilter::INFO).then(pace::Pace::default)
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
        assert!(pace(LevelFilter::INFO).is_some() && pace(LevelFilter::ERROR).is_some());
        assert!(pace(LevelFilter::DEBUG).is_none() && pace(LevelFilter::TRACE).is_none());
    }

    #[test]
    fn a_level_that_is_none_is_one_sentence_and_off_is_one() {
        assert_eq!(read("loud").unwrap_err().to_string().lines().count(), 1);
        assert_eq!((read(""), read("off")), (Ok(LevelFilter::INFO), Ok(LevelFilter::OFF)));
    }
}
