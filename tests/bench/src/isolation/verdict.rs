//! Judges one attack: what another account's requests and the attacked program's memory may suffer.

use crate::stats::median;

/// Latencies below this are a machine's noise, not an attack's effect (milliseconds).
pub(crate) const NOISE_MS: f64 = 5.0;
/// What a log may grow by under an attack (bytes): far more than its steps are worth lines.
pub(crate) const LOG: u64 = 1 << 20;
/// How much later than beside mere processor time a request may be answered.
const TIMES: f64 = 2.0;

/// The latencies of one phase (milliseconds), and how its requests ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub(crate) struct Phase {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) asked: u64,
    pub(crate) failed: u64,
}

/// A promise of another kind than latency or memory, which an attack checked itself.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Finding {
    /// What was looked at, as a sentence that is true if all is well.
    pub(crate) what: String,
    pub(crate) is_ok: bool,
    /// What was seen.
    pub(crate) seen: String,
}

impl Finding {
    pub(crate) fn new(what: &str, is_ok: bool, seen: impl Into<String>) -> Self {
        Self { what: what.into(), is_ok, seen: seen.into() }
    }
}

/// What one round of an attack measured.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub(crate) struct Measured {
    /// The others' requests before the attack.
    pub(crate) quiet: Phase,
    /// Meanwhile.
    pub(crate) attack: Phase,
    /// Beside a process that burns as much processor time and touches nothing.
    pub(crate) control: Phase,
    /// Processor time of the attacked program beyond the quiet phase's (milliseconds).
    pub(crate) victim_cpu_ms: f64,
    /// The attackers' own (milliseconds).
    pub(crate) attacker_cpu_ms: f64,
    /// The attacked program's memory before (bytes).
    pub(crate) memory_before: u64,
    /// Its peak meanwhile (bytes).
    pub(crate) memory_peak: u64,
    /// By how much its log grew (bytes).
    pub(crate) log: u64,
    pub(crate) findings: Vec<Finding>,
}

impl Measured {
    /// By how much the memory grew at most (bytes).
    pub(crate) const fn grown(&self) -> u64 {
        self.memory_peak.saturating_sub(self.memory_before)
    }
}

/// The p99 under attack that is just allowed (milliseconds).
pub(crate) fn limit_ms(control_p99_ms: f64) -> f64 {
    TIMES * control_p99_ms.max(NOISE_MS)
}

/// Whether the answers were late: the one promise that noise can break, so that another round is worth its time.
pub(crate) fn is_late(measured: &Measured) -> bool {
    measured.attack.p99_ms > limit_ms(measured.control.p99_ms)
}

/// The promises that were broken, a phrase each; `bound` is what the memory may grow by (bytes).
pub(crate) fn breaches(measured: &Measured, bound: u64) -> Vec<String> {
    let Measured { quiet, attack, control, findings, .. } = measured;
    let mut found = Vec::new();
    if quiet.asked == 0 || attack.asked == 0 || control.asked == 0 {
        found.push("nothing was asked".to_owned());
    }
    if quiet.failed + control.failed > 0 {
        found.push(format!("{} requests failed without an attack", quiet.failed + control.failed));
    }
    if attack.failed > 0 {
        found.push(format!("{} of {} requests failed", attack.failed, attack.asked));
    }
    if is_late(measured) {
        found.push(format!("p99 {:.1} ms, at most {:.1}", attack.p99_ms, limit_ms(control.p99_ms)));
    }
    if measured.grown() > bound {
        found.push(format!("memory +{} MiB, at most {}", measured.grown() >> 20, bound >> 20));
    }
    if measured.log > LOG {
        found.push(format!("log +{} KiB, at most {}", measured.log >> 10, LOG >> 10));
    }
    found.extend(
        findings.iter().filter(|finding| !finding.is_ok).map(|one| format!("not so: {} ({})", one.what, one.seen)),
    );
    found
}

/// Several rounds as one: the medians of times, the worst of the rest. None of no rounds.
pub(crate) fn combine(rounds: &[Measured]) -> Option<Measured> {
    let phase = |of: fn(&Measured) -> Phase| Phase {
        p50_ms: median(rounds.iter().map(|one| of(one).p50_ms)).unwrap_or_default(),
        p99_ms: median(rounds.iter().map(|one| of(one).p99_ms)).unwrap_or_default(),
        asked: rounds.iter().map(|one| of(one).asked).sum(),
        failed: rounds.iter().map(|one| of(one).failed).sum(),
    };
    let worst = rounds.iter().max_by_key(|one| one.grown())?;
    let mut findings: Vec<Finding> = Vec::new();
    for finding in rounds.iter().flat_map(|one| &one.findings) {
        match findings.iter_mut().find(|known| known.what == finding.what) {
            Some(known) if known.is_ok => *known = finding.clone(),
            Some(_) => {}
            None => findings.push(finding.clone()),
        }
    }
    Some(Measured {
        quiet: phase(|one| one.quiet),
        attack: phase(|one| one.attack),
        control: phase(|one| one.control),
        victim_cpu_ms: median(rounds.iter().map(|one| one.victim_cpu_ms))?,
        attacker_cpu_ms: median(rounds.iter().map(|one| one.attacker_cpu_ms))?,
        memory_before: worst.memory_before,
        memory_peak: worst.memory_peak,
        log: rounds.iter().map(|one| one.log).max()?,
        findings,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn phase(p99_ms: f64) -> Phase {
        Phase { p50_ms: 1.0, p99_ms, asked: 100, failed: 0 }
    }

    fn measured(attack: f64, control: f64) -> Measured {
        let (quiet, attack, control) = (phase(3.0), phase(attack), phase(control));
        Measured { quiet, attack, control, memory_before: 20 * MIB, memory_peak: 30 * MIB, ..Measured::default() }
    }

    #[test]
    fn twice_the_control_is_allowed_and_more_is_not() {
        assert_eq!(breaches(&measured(80.0, 40.0), 10 * MIB), Vec::<String>::new());
        assert_eq!(breaches(&measured(80.1, 40.0), 10 * MIB), ["p99 80.1 ms, at most 80.0"]);
    }

    #[test]
    fn below_the_noise_there_is_no_verdict_on_time() {
        assert_eq!(breaches(&measured(10.0, 0.4), 10 * MIB), Vec::<String>::new());
        assert_eq!(breaches(&measured(10.1, 0.4), 10 * MIB), ["p99 10.1 ms, at most 10.0"]);
    }

    #[test]
    fn a_failed_request_memory_and_a_finding_each_break_a_promise() {
        let mut all = measured(1.0, 1.0);
        all.attack.failed = 2;
        all.log = LOG + 1024;
        all.findings = vec![Finding::new("it ends", false, "after 9 s"), Finding::new("it starts", true, "yes")];
        assert_eq!(
            breaches(&all, 9 * MIB),
            [
                "2 of 100 requests failed",
                "memory +10 MiB, at most 9",
                "log +1025 KiB, at most 1024",
                "not so: it ends (after 9 s)"
            ]
        );
    }

    #[test]
    fn a_run_that_asked_nothing_shows_nothing() {
        let mut none = measured(1.0, 1.0);
        none.attack.asked = 0;
        assert_eq!(breaches(&none, 10 * MIB), ["nothing was asked"]);
        none = measured(1.0, 1.0);
        none.control.failed = 1;
        assert_eq!(breaches(&none, 10 * MIB), ["1 requests failed without an attack"]);
    }

    #[test]
    fn rounds_are_combined_by_medians_and_the_worst_of_the_rest() {
        let mut rounds = [measured(900.0, 40.0), measured(50.0, 30.0), measured(60.0, 50.0)];
        rounds[1].memory_peak = 99 * MIB;
        rounds[2].attack.failed = 1;
        rounds[0].findings = vec![Finding::new("a", true, "1")];
        rounds[1].findings = vec![Finding::new("a", false, "2")];
        rounds[2].findings = vec![Finding::new("a", true, "3")];
        let all = combine(&rounds).unwrap();
        assert_eq!((all.attack.p99_ms, all.control.p99_ms), (60.0, 40.0));
        assert_eq!((all.attack.failed, all.attack.asked, all.grown()), (1, 300, 79 * MIB));
        assert_eq!(all.findings, [Finding::new("a", false, "2")]);
        assert_eq!(combine(&[]), None);
    }
}
