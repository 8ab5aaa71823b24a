//! Writes `docs/faults.md` anew (`make faults`).
#![expect(clippy::print_stderr, reason = "it speaks to the person at the terminal")]

use std::process::ExitCode;

use porten_tests::faults::{page, root, rows, tags};

fn main() -> ExitCode {
    let (tags, wrong) = tags();
    for line in &wrong {
        eprintln!("{line}");
    }
    let path = root().join("docs/faults.md");
    if let Err(error) = std::fs::write(&path, page(&rows(), &tags)) {
        eprintln!("{} cannot be written: {error}", path.display());
        return ExitCode::FAILURE;
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
