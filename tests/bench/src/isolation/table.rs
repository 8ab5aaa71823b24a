//! Draws what was measured as a table in Markdown.

use std::fmt::Write as _;

use super::verdict::{Measured, Phase, limit_ms};

/// One attack, measured and judged.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Row {
    pub(crate) attack: &'static str,
    pub(crate) measured: Measured,
    pub(crate) rounds: usize,
    /// What the memory may grow by (bytes).
    pub(crate) bound: u64,
    /// The promises that were broken; none if all is well.
    pub(crate) breaches: Vec<String>,
}

/// The table, a line for each row, and below it what the attacks looked at themselves.
pub(crate) fn draw(rows: &[Row]) -> String {
    let mut text = String::from(
        "| attack | quiet p50 / p99 ms | attack p50 / p99 ms | failed | control p99 ms | allowed ms | CPU s | attackers CPU s | memory MiB | allowed | log KiB | verdict |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n",
    );
    for Row { attack, measured, bound, breaches, rounds } in rows {
        let verdict = if breaches.is_empty() { "ok".to_owned() } else { breaches.join("; ") };
        let again = if *rounds > 1 { format!(" (median of {rounds})") } else { String::new() };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| {attack}{again} | {} | {} | {} / {} | {:.1} | {:.1} | {:.1} | {:.1} | {} + {} | {} | {} | {verdict} |",
            both(measured.quiet),
            both(measured.attack),
            measured.attack.failed,
            measured.attack.asked,
            measured.control.p99_ms,
            limit_ms(measured.control.p99_ms),
            measured.victim_cpu_ms / 1000.0,
            measured.attacker_cpu_ms / 1000.0,
            measured.memory_before >> 20,
            measured.grown() >> 20,
            bound >> 20,
            measured.log >> 10,
        );
    }
    for row in rows {
        for finding in &row.measured.findings {
            let mark = if finding.is_ok { "ok" } else { "FAILED" };
            let _ = write!(text, "\n- {}: {mark}, {}: {}", row.attack, finding.what, finding.seen);
        }
    }
    text + "\n"
}

fn both(phase: Phase) -> String {
    format!("{:.1} / {:.1}", phase.p50_ms, phase.p99_ms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isolation::verdict::{Finding, breaches};

    #[test]
    fn a_row_says_what_was_measured_allowed_and_broken() {
        let phase = |p99_ms| Phase { p50_ms: 1.0, p99_ms, asked: 200, failed: 0 };
        let measured = Measured {
            quiet: phase(2.0),
            attack: phase(99.0),
            control: phase(20.0),
            victim_cpu_ms: 1500.0,
            memory_before: 20 << 20,
            memory_peak: 724 << 20,
            log: 3500,
            findings: vec![Finding::new("it ends", true, "after 1 s")],
            ..Measured::default()
        };
        let bound = 64 << 20;
        let breaches = breaches(&measured, bound);
        let text = draw(&[Row { attack: "tiny-frames", measured, rounds: 3, bound, breaches }]);
        let line = "| tiny-frames (median of 3) | 1.0 / 2.0 | 1.0 / 99.0 | 0 / 200 | 20.0 | 40.0 | 1.5 | 0.0 | 20 + 704 | 64 | 3 | p99 99.0 ms, at most 40.0; memory +704 MiB, at most 64 |";
        assert_eq!(text.lines().nth(2), Some(line));
        assert!(text.ends_with("\n- tiny-frames: ok, it ends: after 1 s\n"), "{text}");
    }
}
