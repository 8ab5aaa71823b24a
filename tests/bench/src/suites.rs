//! What is measured: the suites, at which numbers of streams, with how much work.

use crate::order::Work;

/// Rounds of a whole run. Even, so that the order of the paths (A B, B A, A B, B A) favours none.
const ROUNDS: usize = 4;
/// The streams that suites of many streams are run at.
const STREAMS: [usize; 4] = [1, 16, 128, 512];
/// 50 tokens a second on each stream (microseconds).
const PACE_US: u32 = 20_000;
/// From one question of a stream to its next where the pace is given (microseconds): twice as long as ten tokens take.
const EVERY_US: u32 = 400_000;
/// A prompt of 5 MB (bytes).
const PROMPT: usize = 5_000_000;

/// The number that says most about a suite: what rounds are compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The time to the first token.
    Ttfb,
    /// The time a token is on its way.
    Chunk,
    /// Answers a second.
    Rate,
}

/// One suite at one number of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    /// The suite's name.
    pub(crate) suite: &'static str,
    pub(crate) main: Measure,
    pub(crate) work: Work,
    pub(crate) rounds: usize,
}

/// The most streams over a lossy line: whoever waits for lost packets waits for seconds.
const ON_A_LINE: usize = 16;

/// The suites' names, in the order in which they are run.
pub(crate) const NAMES: [&str; 7] = ["ttfb", "ttfb-newconn", "req10", "steady10", "paced", "burst1000", "prompt5mb"];

/// The steps of a run; with `only`, those of one suite. A quick run is a smoke test: each step once and short, and
/// without the half million tokens of `burst1000` at 512 streams.
pub(crate) fn plan(quick: bool, only: Option<&str>) -> Vec<Step> {
    let wanted = NAMES.into_iter().filter(|name| only.is_none_or(|only| only == *name));
    let steps = wanted.flat_map(|name| if quick { suite(name, true) } else { suite(name, false) });
    steps.filter(|step| !(quick && step.suite == "burst1000" && step.work.streams == 512)).collect()
}

/// The steps over a long, lossy line.
pub(crate) fn on_a_line(quick: bool) -> Vec<Step> {
    let mut steps = plan(quick, Some("paced"));
    steps.extend(plan(quick, Some("burst1000")));
    steps.retain(|step| step.work.streams <= ON_A_LINE);
    for step in &mut steps {
        step.work.requests = step.work.requests.min(2);
    }
    steps
}

fn suite(suite: &'static str, quick: bool) -> Vec<Step> {
    let pick = |whole, short| if quick { short } else { whole };
    let rounds = pick(ROUNDS, 1);
    let one = Work { streams: 1, requests: 1, tokens: 1, pace_us: 0, every_us: 0, prompt: 16, newconn: false };
    let step = |main, work| Step { suite, main, work, rounds };
    let at_all = |main, requests: [usize; 4], work: Work| {
        let each = STREAMS.into_iter().zip(requests);
        each.map(|(streams, requests)| step(main, Work { streams, requests, ..work })).collect()
    };
    match suite {
        "ttfb" => vec![step(Measure::Ttfb, Work { requests: pick(500, 100), ..one })],
        "ttfb-newconn" => vec![step(Measure::Ttfb, Work { requests: pick(300, 100), newconn: true, ..one })],
        "req10" => {
            // Half a second and more: all streams begin at once, and what is shorter measures that.
            let requests = if quick { [100, 20, 4, 2] } else { [1000, 800, 100, 25] };
            at_all(Measure::Rate, requests, Work { tokens: 10, ..one })
        }
        "steady10" => {
            let work = Work { requests: pick(12, 3), tokens: 10, pace_us: PACE_US, every_us: EVERY_US, ..one };
            [16, 128].map(|streams| step(Measure::Ttfb, Work { streams, ..work })).into()
        }
        "paced" => {
            at_all(Measure::Chunk, [1; 4], Work { tokens: if quick { 25 } else { 150 }, pace_us: PACE_US, ..one })
        }
        "burst1000" => {
            let requests = if quick { [2, 1, 1, 1] } else { [20, 8, 2, 1] };
            at_all(Measure::Rate, requests, Work { tokens: 1000, ..one })
        }
        "prompt5mb" => vec![step(Measure::Ttfb, Work { requests: pick(20, 5), prompt: PROMPT, ..one })],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_has_its_steps_and_is_found_by_its_name() {
        for quick in [false, true] {
            let all = plan(quick, None);
            for name in NAMES {
                let steps = plan(quick, Some(name));
                assert!(!steps.is_empty() && steps.iter().all(|step| all.contains(step)), "{name}");
            }
            assert_eq!(plan(quick, Some("nothing")), []);
        }
    }

    #[test]
    fn a_whole_run_has_at_least_three_rounds_and_favours_no_path() {
        assert!(plan(false, None).iter().all(|step| step.rounds >= 3 && step.rounds % 2 == 0));
    }
}
