//! The only place that writes to the terminal.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};

/// One line to standard output. A reader that has left (`porten status | head`) ends the process quietly.
pub(crate) fn say(line: &str) {
    if writeln!(stdout().lock(), "{line}").is_err() {
        std::process::exit(0);
    }
}

/// One sentence to standard error.
pub(crate) fn complain(text: &str) {
    // With nobody to read it there is nothing more to do.
    let _ = writeln!(stderr().lock(), "porten: {text}");
}

/// A line in the place of the last one, while a person is watching.
pub(crate) fn say_over(line: &str) {
    if write!(stdout().lock(), "\r\x1b[K{line}").and_then(|()| stdout().flush()).is_err() {
        std::process::exit(0);
    }
}

/// Clears the screen before the next picture, if a person is watching.
pub(crate) fn clear() {
    if stdout().is_terminal() {
        let _ = write!(stdout().lock(), "\x1b[2J\x1b[H");
    }
}

/// Whether a person reads standard output.
pub(crate) fn is_watched() -> bool {
    stdout().is_terminal()
}
