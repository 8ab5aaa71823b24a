//! Draws the rows and the promises for people: a table in Markdown, as it stands in `docs/performance.md`.

use std::fmt::Write as _;

use crate::gates::Gate;
use crate::path::DIRECT;
use crate::row::Row;
use crate::stats::ratio;

const HEAD: [&str; 14] = [
    "suite",
    "streams",
    "path",
    "TTFB ms p50 / p99",
    "added p50",
    "chunk ms p50 / p99",
    "added p50",
    "req/s",
    "of direct",
    "tok/s",
    "errors",
    "agent MiB",
    "agent CPU ms",
    "",
];

/// The table: a line for each row; what is added to direct and the share of it stand in the other paths' lines.
pub(crate) fn draw(rows: &[Row]) -> String {
    let mut lines = vec![HEAD.map(str::to_owned)];
    for row in rows {
        let is_same = |other: &&Row| other.path == DIRECT && other.suite == row.suite && other.streams == row.streams;
        lines.push(line(row, rows.iter().find(is_same)));
    }
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..HEAD.len()).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        write_line(&mut text, line, &widths);
        if number == 0 {
            let rules: Vec<String> = widths.iter().enumerate().map(|(column, width)| rule(column, *width)).collect();
            let _ = writeln!(text, "|{}|", rules.join("|"));
        }
    }
    text
}

fn line(row: &Row, direct: Option<&Row>) -> [String; HEAD.len()] {
    let direct = direct.filter(|direct| direct.path != row.path);
    let added = |value: fn(&Row) -> Option<f64>| {
        direct.and_then(|direct| Some(format!("{:+.2}", (value(row)? - value(direct)?) / 1000.0)))
    };
    let rate = direct.and_then(|direct| ratio(row.req_per_s?, direct.req_per_s?));
    let is_noisy = row.path == DIRECT && row.is_noisy;
    [
        row.suite.to_owned(),
        row.streams.to_string(),
        row.path.to_owned(),
        both(row.ttfb_p50_us, row.ttfb_p99_us),
        added(|row| row.ttfb_p50_us).unwrap_or_default(),
        both(row.chunk_p50_us, row.chunk_p99_us),
        added(|row| row.chunk_p50_us).unwrap_or_default(),
        whole(row.req_per_s),
        rate.map(|rate| format!("{rate:.2}")).unwrap_or_default(),
        whole(row.tok_per_s),
        row.errors.to_string(),
        row.agent_rss_bytes.map(mib).unwrap_or_default(),
        whole(row.agent_cpu_ms),
        if is_noisy { "noisy".to_owned() } else { String::new() },
    ]
}

/// Two times in milliseconds.
fn both(p50: Option<f64>, p99: Option<f64>) -> String {
    let ms = |micros: f64| format!("{:.2}", micros / 1000.0);
    p50.zip(p99).map_or_else(|| "–".to_owned(), |(p50, p99)| format!("{} / {}", ms(p50), ms(p99)))
}

fn whole(value: Option<f64>) -> String {
    value.map(|value| format!("{value:.0}")).unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "sizes are far below 2^53")]
fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / (1024.0 * 1024.0))
}

/// Words stand on the left, numbers on the right.
const fn is_words(column: usize) -> bool {
    matches!(column, 0 | 2 | 13)
}

fn rule(column: usize, width: usize) -> String {
    if is_words(column) { "-".repeat(width + 2) } else { "-".repeat(width + 1) + ":" }
}

fn write_line(text: &mut String, cells: &[String], widths: &[usize]) {
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        // Writing to a string cannot fail.
        let _ = if is_words(column) { write!(text, "| {cell:<width$} ") } else { write!(text, "| {cell:>width$} ") };
    }
    text.push_str("|\n");
}

/// The promises, a line each.
pub(crate) fn draw_gates(gates: &[Gate]) -> String {
    let line = |gate: &Gate| match &gate.measured {
        None => format!("   -    {}: not measured, or direct was noisy", gate.promise),
        Some(measured) => {
            format!("{} {}: {measured}", if gate.is_kept { "  ok   " } else { "FAILED " }, gate.promise)
        }
    };
    gates.iter().map(|gate| line(gate) + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(path: &'static str, ttfb: f64, rate: f64) -> Row {
        Row {
            suite: "req10",
            streams: 16,
            path,
            ttfb_p50_us: Some(ttfb),
            ttfb_p99_us: Some(2.0 * ttfb),
            chunk_p50_us: None,
            chunk_p99_us: None,
            req_per_s: Some(rate),
            tok_per_s: Some(10.0 * rate),
            errors: 0,
            agent_rss_bytes: (path != DIRECT).then_some(20 << 20),
            agent_cpu_ms: None,
            is_noisy: true,
        }
    }

    #[test]
    fn each_path_is_compared_with_direct_and_only_directs_noise_is_told() {
        let text = draw(&[row(DIRECT, 100.0, 1000.0), row("porten", 430.0, 690.0)]);
        let lines: Vec<String> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines[2], "| req10 | 16 | direct | 0.10 / 0.20 | | – | | 1000 | | 10000 | 0 | | | noisy |");
        assert_eq!(lines[3], "| req10 | 16 | porten | 0.43 / 0.86 | +0.33 | – | | 690 | 0.69 | 6900 | 0 | 20.0 | | |");
        assert!(text.lines().all(|line| line.chars().count() == text.lines().next().unwrap().chars().count()));
    }

    #[test]
    fn a_promise_is_kept_broken_or_not_measured() {
        let gate = |measured: Option<&str>, is_kept| Gate {
            promise: "at most 1 ms",
            measured: measured.map(str::to_owned),
            is_kept,
        };
        let text = draw_gates(&[gate(Some("0.30 ms"), true), gate(Some("43.00 ms"), false), gate(None, true)]);
        let expected = "  ok    at most 1 ms: 0.30 ms\nFAILED  at most 1 ms: 43.00 ms\n   -    at most 1 ms: not measured, or direct was noisy\n";
        assert_eq!(text, expected);
    }
}
