//! Sends the log to stderr; how much of it, `PORTEN_LOG` says.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Which variable says how much is logged.
const VARIABLE: &str = "PORTEN_LOG";

/// A `PORTEN_LOG` that is no level.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{VARIABLE}={0:?} is no level: use off, error, warn, info, debug or trace")]
pub(crate) struct LogError(String);

/// Starts the log.
pub(crate) fn start() -> Result<(), LogError> {
    let level = std::env::var(VARIABLE).unwrap_or_default();
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    tracing_subscriber::registry().with(lines).with(filter(&level)?).init();
    Ok(())
}

/// Our own words at the wanted level. Other crates' never below WARN: their traces print what was sent.
fn filter(level: &str) -> Result<Targets, LogError> {
    let level: LevelFilter = match level {
        "" => LevelFilter::INFO,
        level => level.parse().map_err(|_| LogError(level.to_owned()))?,
    };
    Ok(Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("porten", level))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn other_crates_never_log_more_than_warnings() {
        let trace = filter("trace").unwrap();
        assert!(trace.would_enable("porten_sim::world", &Level::TRACE));
        for other in ["hyper::proto", "axum", "tokio"] {
            assert!(trace.would_enable(other, &Level::WARN));
            assert!(!trace.would_enable(other, &Level::INFO), "{other}");
        }
        let error = filter("error").unwrap();
        assert!(!error.would_enable("hyper", &Level::WARN) && !error.would_enable("porten_sim", &Level::WARN));
        assert_eq!(filter("loud").unwrap_err().to_string().lines().count(), 1);
    }
}
