//! The promises that a run is held against.

use crate::path::{DIRECT, PORTEN};
use crate::peers::LIMIT;
use crate::row::Row;
use crate::stats::ratio;

/// Added to the time to the first token, at most (microseconds): to the median, and to the slowest of a hundred.
const MOST_ADDED_TTFB_US: f64 = 500.0;
const MOST_ADDED_SLOW_TTFB_US: f64 = 3000.0;
/// Share of direct's 10-token answers a second, at least.
const LEAST_SHORT: f64 = 0.6;
/// Share of direct's tokens a second in 1,000-token bursts, at least, at 128 and at 512 streams.
const LEAST_BURST: f64 = 0.65;
const LEAST_BURST_CROWD: f64 = 0.45;
/// Share of direct's tokens a second at 50 on each of 128 streams, at least, and what is added to the median token's way, at
/// most (microseconds).
const LEAST_PACED: f64 = 0.98;
const MOST_ADDED_CHUNK_US: f64 = 900.0;
/// A prompt of 5 MB takes so many times as long as direct, at most.
const MOST_PROMPT: f64 = 8.0;
/// Median way of a token in a short burst on one stream, at most (microseconds). A socket without TCP_NODELAY anywhere
/// on the way makes it 43 ms.
const MOST_CHUNK_US: f64 = 2000.0;
/// The agent's memory with one stream and at the most streams, at most (MiB).
const MOST_IDLE_MIB: f64 = 16.0;
const MOST_MIB: f64 = 40.0;
/// The most streams of any suite.
const MOST_STREAMS: usize = 512;

/// One promise and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gate {
    /// What is promised.
    pub(crate) promise: &'static str,
    /// What was measured, with its unit; none if the run did not measure it, or direct itself was noisy.
    pub(crate) measured: Option<String>,
    /// Whether it is kept; what was not measured is not broken.
    pub(crate) is_kept: bool,
}

/// A run's rows, by what they are of.
struct Rows<'a>(&'a [Row]);

impl Rows<'_> {
    /// Direct's row, unless its own rounds lie too far apart to compare with.
    fn direct(&self, suite: &str, streams: usize) -> Option<&Row> {
        self.of(DIRECT, suite, streams).filter(|row| !row.is_noisy)
    }

    fn of(&self, path: &str, suite: &str, streams: usize) -> Option<&Row> {
        self.0.iter().find(|row| row.path == path && row.suite == suite && row.streams == streams)
    }

    /// What the way adds to a value of direct's.
    fn added(&self, suite: &str, streams: usize, value: fn(&Row) -> Option<f64>) -> Option<f64> {
        Some(value(self.of(PORTEN, suite, streams)?)? - value(self.direct(suite, streams)?)?)
    }

    /// The way's value by direct's.
    fn share(&self, suite: &str, streams: usize, value: fn(&Row) -> Option<f64>) -> Option<f64> {
        ratio(value(self.of(PORTEN, suite, streams)?)?, value(self.direct(suite, streams)?)?)
    }

    /// Our value, and each other tunnel's. Two plain forwards are none.
    fn beside_peers(&self, suite: &str, streams: usize, value: fn(&Row) -> Option<f64>) -> (Option<f64>, Vec<f64>) {
        let peers = self.0.iter().filter(|row| row.suite == suite && row.streams == streams);
        let theirs = peers.filter(|row| ![DIRECT, PORTEN, LIMIT].contains(&row.path)).filter_map(value);
        (self.of(PORTEN, suite, streams).and_then(value), theirs.collect())
    }

    /// What the agent held at so many streams, in whichever suite it was most (MiB).
    #[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
    fn memory(&self, is_one: impl Fn(&Row) -> bool) -> Option<f64> {
        let held = self.0.iter().filter(|row| is_one(row)).filter_map(|row| row.agent_rss_bytes);
        held.max().map(|bytes| bytes as f64 / (1024.0 * 1024.0))
    }
}

/// Holds the rows of a run against the promises.
pub(crate) fn judge(rows: &[Row]) -> Vec<Gate> {
    let rows = Rows(rows);
    let crowded = rows.0.iter().filter(|row| row.streams == MOST_STREAMS);
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let errors = crowded.map(|row| row.errors as f64).reduce(|one, other| one + other);
    let slow = rows.added("ttfb", 1, |row| row.ttfb_p99_us);
    let (rate, tokens) = (|row: &Row| row.req_per_s, |row: &Row| row.tok_per_s);
    let more = |promise, streams| ahead(promise, rows.beside_peers("req10", streams, rate), MORE);
    let sooner =
        |promise, streams| ahead(promise, rows.beside_peers("steady10", streams, |row| row.ttfb_p99_us), SOONER);
    vec![
        at_most(
            "first token: at most 0.5 ms more than direct (median)",
            rows.added("ttfb", 1, |row| row.ttfb_p50_us),
            MOST_ADDED_TTFB_US,
            us,
        ),
        at_most("first token: at most 3 ms more than direct (slowest of a hundred)", slow, MOST_ADDED_SLOW_TTFB_US, us),
        at_least(
            "answers of 10 tokens a second, 16 streams: at least 0.6 of direct",
            rows.share("req10", 16, rate),
            LEAST_SHORT,
        ),
        at_least(
            "answers of 10 tokens a second, 128 streams: at least 0.6 of direct",
            rows.share("req10", 128, rate),
            LEAST_SHORT,
        ),
        at_least(
            "bursts of 1,000 tokens, 128 streams: at least 0.65 of direct",
            rows.share("burst1000", 128, tokens),
            LEAST_BURST,
        ),
        at_least(
            "bursts of 1,000 tokens, 512 streams: at least 0.45 of direct",
            rows.share("burst1000", 512, tokens),
            LEAST_BURST_CROWD,
        ),
        at_least(
            "50 tokens a second on 128 streams: at least 0.98 of direct",
            rows.share("paced", 128, tokens),
            LEAST_PACED,
        ),
        at_most(
            "50 tokens a second on 128 streams: a token at most 0.9 ms later (median)",
            rows.added("paced", 128, |row| row.chunk_p50_us),
            MOST_ADDED_CHUNK_US,
            us,
        ),
        at_most(
            "a prompt of 5 MB: at most 8 times direct",
            rows.share("prompt5mb", 1, |row| row.ttfb_p50_us),
            MOST_PROMPT,
            times,
        ),
        at_most("no error at 512 streams", errors, 0.0, |errors| format!("{errors:.0}")),
        at_most(
            "the agent's memory, one stream at a time: at most 16 MiB",
            rows.memory(|row| row.suite == "ttfb"),
            MOST_IDLE_MIB,
            mib,
        ),
        at_most(
            "the agent's memory at 512 streams: at most 40 MiB",
            rows.memory(|row| row.streams == MOST_STREAMS),
            MOST_MIB,
            mib,
        ),
        at_most(
            "a token's way in a burst of ten: at most 2 ms (median)",
            rows.of(PORTEN, "req10", 1).and_then(|row| row.chunk_p50_us),
            MOST_CHUNK_US,
            us,
        ),
        more("answers of 10 tokens a second, 1 stream: more than any other tunnel", 1),
        more("answers of 10 tokens a second, 16 streams: more than any other tunnel", 16),
        more("answers of 10 tokens a second, 128 streams: more than any other tunnel", 128),
        sooner("first token, 40 questions a second: sooner than any other tunnel (slowest of a hundred)", 16),
        sooner("first token, 320 questions a second: sooner than any other tunnel (slowest of a hundred)", 128),
    ]
}

/// Which of two values is the better one, and how one is shown.
type Better = (fn(f64, f64) -> bool, fn(f64) -> String);
const MORE: Better = (|one, other| one > other, |rate| format!("{rate:.0}"));
const SOONER: Better = (|one, other| one < other, us);

/// Ours before the best of the others'.
fn ahead(promise: &'static str, (ours, theirs): (Option<f64>, Vec<f64>), (is_better, show): Better) -> Gate {
    let best = theirs.into_iter().reduce(|one, other| if is_better(other, one) { other } else { one });
    let beside = ours.zip(best);
    let measured = beside.map(|(ours, theirs)| format!("{}, the best of them {}", show(ours), show(theirs)));
    Gate { promise, measured, is_kept: beside.is_none_or(|(ours, theirs)| is_better(ours, theirs)) }
}

fn us(micros: f64) -> String {
    format!("{:.2} ms", micros / 1000.0)
}

fn mib(mib: f64) -> String {
    format!("{mib:.1} MiB")
}

fn times(times: f64) -> String {
    format!("{times:.1}")
}

fn at_most(promise: &'static str, value: Option<f64>, limit: f64, show: fn(f64) -> String) -> Gate {
    Gate { promise, measured: value.map(show), is_kept: value.is_none_or(|value| value <= limit) }
}

fn at_least(promise: &'static str, share: Option<f64>, least: f64) -> Gate {
    let is_kept = share.is_none_or(|share| share >= least);
    Gate { promise, measured: share.map(|share| format!("{share:.2}")), is_kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(suite: &'static str, streams: usize, path: &'static str) -> Row {
        let is_direct = path == DIRECT;
        let share = match (suite, streams) {
            ("req10", _) => LEAST_SHORT,
            ("burst1000", 512) => LEAST_BURST_CROWD,
            ("burst1000", _) => LEAST_BURST,
            _ => LEAST_PACED,
        };
        Row {
            suite,
            streams,
            path,
            ttfb_p50_us: Some(if is_direct { 100.0 } else { 600.0 }),
            ttfb_p99_us: Some(if is_direct { 200.0 } else { 3200.0 }),
            chunk_p50_us: Some(if is_direct { 1100.0 } else { 2000.0 }),
            chunk_p99_us: None,
            req_per_s: Some(if is_direct { 1000.0 } else { 1000.0 * share }),
            tok_per_s: Some(if is_direct { 1000.0 } else { 1000.0 * share }),
            errors: 0,
            agent_rss_bytes: (!is_direct).then_some(if streams == 1 { 16 << 20 } else { 40 << 20 }),
            agent_cpu_ms: None,
            is_noisy: false,
        }
    }

    fn good() -> Vec<Row> {
        let steps = [
            ("ttfb", 1),
            ("req10", 1),
            ("req10", 16),
            ("req10", 128),
            ("burst1000", 128),
            ("burst1000", 512),
            ("paced", 128),
            ("prompt5mb", 1),
            ("steady10", 16),
            ("steady10", 128),
        ];
        let mut rows: Vec<_> =
            steps.iter().flat_map(|(suite, streams)| [DIRECT, PORTEN].map(|path| row(suite, *streams, path))).collect();
        for (suite, streams) in steps {
            for (path, rate, slow) in [(LIMIT, 990.0, 100.0), ("bore", 10.0, 3300.0), ("rathole", 99.0, 9000.0)] {
                let (req_per_s, ttfb_p99_us) = (Some(rate), Some(slow));
                rows.push(Row { req_per_s, ttfb_p99_us, agent_rss_bytes: None, ..row(suite, streams, path) });
            }
        }
        rows
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
            assert!(broken.len() == 1 && broken[0].contains(promise), "{broken:?} {promise}");
        };
        one(broken("ttfb", 1, PORTEN, |row| row.ttfb_p50_us = Some(600.1)), "0.5 ms more than direct");
        one(broken("ttfb", 1, PORTEN, |row| row.ttfb_p99_us = Some(3200.1)), "3 ms more than direct");
        one(broken("req10", 16, PORTEN, |row| row.req_per_s = Some(599.0)), "10 tokens a second, 16");
        one(broken("req10", 128, DIRECT, |row| row.req_per_s = Some(1001.0)), "10 tokens a second, 128");
        one(broken("burst1000", 128, PORTEN, |row| row.tok_per_s = Some(649.0)), "1,000 tokens, 128");
        one(broken("burst1000", 512, PORTEN, |row| row.tok_per_s = Some(449.0)), "1,000 tokens, 512");
        one(broken("paced", 128, PORTEN, |row| row.tok_per_s = Some(979.0)), "0.98 of direct");
        one(broken("paced", 128, PORTEN, |row| row.chunk_p50_us = Some(2000.1)), "0.9 ms later");
        one(broken("prompt5mb", 1, PORTEN, |row| row.ttfb_p50_us = Some(800.1)), "a prompt of 5 MB");
        one(broken("burst1000", 512, PORTEN, |row| row.errors = 1), "no error");
        one(
            broken("burst1000", 512, PORTEN, |row| row.agent_rss_bytes = Some((40 << 20) + 1)),
            "at 512 streams: at most 40",
        );
        one(broken("ttfb", 1, PORTEN, |row| row.agent_rss_bytes = Some((16 << 20) + 1)), "one stream at a time");
        one(broken("req10", 1, PORTEN, |row| row.chunk_p50_us = Some(43_000.0)), "a token's way");
        one(broken("req10", 1, "rathole", |row| row.req_per_s = Some(981.0)), "1 stream: more than any");
        one(broken("req10", 16, "bore", |row| row.req_per_s = Some(601.0)), "16 streams: more than any");
        one(broken("req10", 128, "bore", |row| row.req_per_s = Some(601.0)), "128 streams: more than any");
        one(broken("steady10", 16, "rathole", |row| row.ttfb_p99_us = Some(3199.0)), "40 questions a second");
        one(broken("steady10", 128, "bore", |row| row.ttfb_p99_us = Some(3199.0)), "320 questions a second");
        assert_eq!(broken("req10", 1, DIRECT, |row| row.chunk_p50_us = Some(43_000.0)), [""; 0]);
    }

    #[test]
    fn nothing_is_held_against_a_direct_that_is_noisy() {
        let spoil = |row: &mut Row| (row.is_noisy, row.req_per_s) = (true, Some(9000.0));
        assert_eq!(broken("req10", 16, DIRECT, spoil), [""; 0]);
    }

    #[test]
    fn what_was_not_measured_is_neither_kept_nor_broken() {
        assert!(judge(&[]).iter().all(|gate| gate.is_kept && gate.measured.is_none()));
    }
}
