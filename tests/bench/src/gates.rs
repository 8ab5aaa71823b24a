//! The promises that a run is held against.

use crate::path::{DIRECT, PORTEN};
use crate::row::Row;
use crate::stats::ratio;

/// Added to the median time to the first token, at most (microseconds).
const MOST_ADDED_TTFB_US: f64 = 1000.0;
/// Share of direct's short answers a second, at least.
const LEAST_RATE: f64 = 0.5;
/// Median way of a token in a short burst on one stream, at most (microseconds). A socket without TCP_NODELAY anywhere
/// on the way makes it 43 ms.
const MOST_CHUNK_US: f64 = 2000.0;
/// The agent's memory at the most streams, at most (MiB).
const MOST_RSS_MIB: f64 = 64.0;
/// The most streams of any suite.
const MOST_STREAMS: usize = 512;

/// One promise and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gate {
    /// What is promised.
    pub(crate) promise: &'static str,
    /// What was measured, with its unit; none if the run did not measure it.
    pub(crate) measured: Option<String>,
    /// Whether it is kept; what was not measured is not broken.
    pub(crate) is_kept: bool,
}

/// Holds the rows of a run against the promises.
pub(crate) fn judge(rows: &[Row]) -> Vec<Gate> {
    let of = |path, suite, streams| {
        rows.iter().find(move |row| row.path == path && row.suite == suite && row.streams == streams)
    };
    let (direct, porten) = (|suite, streams| of(DIRECT, suite, streams), |suite, streams| of(PORTEN, suite, streams));
    let ttfb = |row: Option<&Row>| row.and_then(|row| row.ttfb_p50_us);
    let added = ttfb(porten("ttfb", 1)).zip(ttfb(direct("ttfb", 1))).map(|(porten, direct)| porten - direct);
    let rate = |row: Option<&Row>| row.and_then(|row| row.req_per_s);
    let share = |streams| ratio(rate(porten("req10", streams))?, rate(direct("req10", streams))?);
    let crowded = || rows.iter().filter(|row| row.streams == MOST_STREAMS);
    #[expect(clippy::cast_precision_loss, reason = "counts and sizes are far below 2^53")]
    let (errors, rss) = (
        crowded().map(|row| row.errors as f64).reduce(|one, other| one + other),
        crowded().filter_map(|row| row.agent_rss_bytes).max().map(|bytes| bytes as f64 / (1024.0 * 1024.0)),
    );
    let chunk = porten("req10", 1).and_then(|row| row.chunk_p50_us);
    vec![
        at_most("time to the first token: at most 1 ms more than direct (median)", added, MOST_ADDED_TTFB_US, us),
        at_least("answers of 10 tokens a second, 16 streams: at least 0.5 of direct", share(16)),
        at_least("answers of 10 tokens a second, 128 streams: at least 0.5 of direct", share(128)),
        at_most("no error at 512 streams", errors, 0.0, |errors| format!("{errors:.0}")),
        at_most("the agent's memory at 512 streams: at most 64 MiB", rss, MOST_RSS_MIB, |mib| format!("{mib:.1} MiB")),
        at_most("a token's way in a burst of ten: at most 2 ms (median)", chunk, MOST_CHUNK_US, us),
    ]
}

fn us(micros: f64) -> String {
    format!("{:.2} ms", micros / 1000.0)
}

fn at_most(promise: &'static str, value: Option<f64>, limit: f64, show: fn(f64) -> String) -> Gate {
    Gate { promise, measured: value.map(show), is_kept: value.is_none_or(|value| value <= limit) }
}

fn at_least(promise: &'static str, share: Option<f64>) -> Gate {
    let is_kept = share.is_none_or(|share| share >= LEAST_RATE);
    Gate { promise, measured: share.map(|share| format!("{share:.2}")), is_kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(suite: &'static str, streams: usize, path: &'static str) -> Row {
        Row {
            suite,
            streams,
            path,
            ttfb_p50_us: Some(if path == DIRECT { 100.0 } else { 1100.0 }),
            ttfb_p99_us: None,
            chunk_p50_us: Some(2000.0),
            chunk_p99_us: None,
            req_per_s: Some(if path == DIRECT { 1000.0 } else { 500.0 }),
            tok_per_s: None,
            errors: 0,
            agent_rss_bytes: (path == PORTEN).then_some(64 << 20),
            agent_cpu_ms: None,
            is_noisy: false,
        }
    }

    fn good() -> Vec<Row> {
        let steps = [("ttfb", 1), ("req10", 1), ("req10", 16), ("req10", 128), ("req10", 512), ("paced", 512)];
        steps.iter().flat_map(|(suite, streams)| [DIRECT, PORTEN].map(|path| row(suite, *streams, path))).collect()
    }

    /// The promises that are broken after `spoil` was done to one row of an otherwise good run.
    fn broken(suite: &str, streams: usize, path: &str, spoil: fn(&mut Row)) -> Vec<&'static str> {
        let mut rows = good();
        let found = rows.iter_mut().find(|row| (row.suite, row.streams, row.path) == (suite, streams, path));
        spoil(found.unwrap());
        judge(&rows).into_iter().filter(|gate| !gate.is_kept).map(|gate| gate.promise).collect()
    }

    #[test]
    fn a_run_that_is_just_within_every_limit_keeps_every_promise() {
        assert!(judge(&good()).iter().all(|gate| gate.is_kept && gate.measured.is_some()), "{:#?}", judge(&good()));
    }

    #[test]
    fn each_promise_can_be_broken_and_no_other_breaks_with_it() {
        let one = |broken: Vec<&'static str>, promise: &str| {
            assert!(broken.len() == 1 && broken[0].starts_with(promise), "{broken:?}");
        };
        one(broken("ttfb", 1, PORTEN, |row| row.ttfb_p50_us = Some(1100.1)), "time to the first token");
        one(broken("req10", 16, PORTEN, |row| row.req_per_s = Some(499.0)), "answers of 10 tokens a second, 16");
        one(broken("req10", 128, DIRECT, |row| row.req_per_s = Some(1001.0)), "answers of 10 tokens a second, 128");
        one(broken("paced", 512, PORTEN, |row| row.errors = 1), "no error");
        one(broken("paced", 512, PORTEN, |row| row.agent_rss_bytes = Some((64 << 20) + 1)), "the agent's memory");
        one(broken("req10", 1, PORTEN, |row| row.chunk_p50_us = Some(43_000.0)), "a token's way");
        assert_eq!(broken("req10", 1, DIRECT, |row| row.chunk_p50_us = Some(43_000.0)), [""; 0]);
    }

    #[test]
    fn what_was_not_measured_is_neither_kept_nor_broken() {
        assert!(judge(&[]).iter().all(|gate| gate.is_kept && gate.measured.is_none()));
    }
}
