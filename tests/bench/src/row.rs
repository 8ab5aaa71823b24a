//! The rows of `bench.json`: one for each suite, number of streams and path, medians over the rounds.

use serde::Serialize;

use crate::order::Found;
use crate::stats::{median, spread};
use crate::suites::{Measure, Step};
use crate::usage::Usage;

/// How far a path's own rounds may lie apart before a comparison with it is called noisy.
pub(crate) const NOISY: f64 = 0.25;

/// One measurement of one path: what the load tool found and, if the path has an agent, what that used.
pub(crate) type Round = (Found, Option<Usage>);

/// One row. Values are medians over the rounds, but for errors (their sum) and memory (the most of all rounds).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    /// The suite's name.
    pub(crate) suite: &'static str,
    /// Requests at a time.
    pub(crate) streams: usize,
    /// The path's name.
    pub(crate) path: &'static str,
    /// From the request to the first token (microseconds).
    pub(crate) ttfb_p50_us: Option<f64>,
    pub(crate) ttfb_p99_us: Option<f64>,
    /// From the engine's write of a token to its arrival (microseconds).
    pub(crate) chunk_p50_us: Option<f64>,
    pub(crate) chunk_p99_us: Option<f64>,
    /// Whole answers a second.
    pub(crate) req_per_s: Option<f64>,
    /// Tokens a second.
    pub(crate) tok_per_s: Option<f64>,
    /// Requests that did not end in a whole answer, in all rounds together.
    pub(crate) errors: u64,
    /// The most memory that the agent held; none for a path without one, and where there is no /proc (bytes).
    pub(crate) agent_rss_bytes: Option<u64>,
    /// The agent's time on a processor, for one round (milliseconds).
    pub(crate) agent_cpu_ms: Option<f64>,
    /// The rounds lie further apart than [`NOISY`]; a remark for the table, not a field of the file.
    #[serde(skip)]
    pub(crate) is_noisy: bool,
}

impl Row {
    /// The row of all rounds of one path.
    pub(crate) fn of(step: &Step, path: &'static str, rounds: &[Round]) -> Self {
        let middle = |value: fn(&Found) -> Option<f64>| median(rounds.iter().filter_map(|(found, _)| value(found)));
        let main = match step.main {
            Measure::Ttfb => |found: &Found| micros(found.ttfb_p50),
            Measure::Chunk => |found: &Found| micros(found.chunk_p50),
            Measure::Rate => |found: &Found| Some(found.req_per_s),
        };
        let main: Vec<f64> = rounds.iter().filter_map(|(found, _)| main(found)).collect();
        let used = || rounds.iter().filter_map(|(_, used)| *used);
        Self {
            suite: step.suite,
            streams: step.work.streams,
            path,
            ttfb_p50_us: tenths(middle(|found| micros(found.ttfb_p50))),
            ttfb_p99_us: tenths(middle(|found| micros(found.ttfb_p99))),
            chunk_p50_us: tenths(middle(|found| micros(found.chunk_p50))),
            chunk_p99_us: tenths(middle(|found| micros(found.chunk_p99))),
            req_per_s: tenths(middle(|found| Some(found.req_per_s))),
            tok_per_s: tenths(middle(|found| Some(found.tok_per_s))),
            errors: rounds.iter().map(|(found, _)| found.errors).sum(),
            agent_rss_bytes: used().map(|used| used.peak_rss).max(),
            agent_cpu_ms: tenths(median(used().map(|used| used.cpu_ms))),
            is_noisy: spread(&main).is_some_and(|spread| spread > NOISY),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "2^53 ns are 104 days")]
fn micros(nanos: Option<u64>) -> Option<f64> {
    nanos.map(|nanos| nanos as f64 / 1000.0)
}

/// Rounded: a file that a person may read does not claim fifteen digits.
fn tenths(value: Option<f64>) -> Option<f64> {
    value.map(|value| (value * 10.0).round() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suites::plan;

    fn round(rate: f64, errors: u64, rss: u64) -> Round {
        let found = Found { req_per_s: rate, errors, chunk_p50: Some(1_500), ..Found::default() };
        (found, Some(Usage { peak_rss: rss, cpu_ms: 2.0 * rate, waits: 0 }))
    }

    #[test]
    fn rounds_become_medians_but_no_error_and_no_peak_is_lost() {
        let step = plan(false, Some("req10"))[0];
        let row = Row::of(&step, "porten", &[round(100.0, 0, 7), round(110.0, 2, 9), round(105.0, 1, 8)]);
        assert_eq!((row.req_per_s, row.chunk_p50_us, row.ttfb_p50_us), (Some(105.0), Some(1.5), None));
        assert_eq!((row.errors, row.agent_rss_bytes, row.agent_cpu_ms), (3, Some(9), Some(210.0)));
        assert!(!row.is_noisy);
        assert!(Row::of(&step, "direct", &[round(100.0, 0, 7), round(130.0, 0, 7)]).is_noisy);
    }

    #[test]
    fn the_file_has_exactly_the_promised_fields() {
        let row = Row::of(&plan(false, Some("ttfb"))[0], "direct", &[(Found::default(), None)]);
        let json = serde_json::to_string(&row).unwrap();
        let expected = r#"{"suite":"ttfb","streams":1,"path":"direct","ttfb_p50_us":null,"ttfb_p99_us":null,"#
            .to_owned()
            + r#""chunk_p50_us":null,"chunk_p99_us":null,"req_per_s":0.0,"tok_per_s":0.0,"errors":0,"#
            + r#""agent_rss_bytes":null,"agent_cpu_ms":null}"#;
        assert_eq!(json, expected);
    }
}
