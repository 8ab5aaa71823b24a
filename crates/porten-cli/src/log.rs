//! The log: to standard error, never a token, a prompt or an answer.

use std::io::{IsTerminal as _, stderr};

use porten_core::config::LogLevel;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Writes our own lines at `level`, and only warnings of the libraries below: at their lower levels those print whole
/// requests, with their headers.
pub(crate) fn install(level: LogLevel) {
    let ours = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let filter = Targets::new().with_target("porten", ours).with_default(LevelFilter::WARN.min(ours));
    let lines = tracing_subscriber::fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal());
    // A second call can only come from a test; the first stands.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}
