//! The only place that writes to the terminal. What it is given is text: a terminal gets nothing to obey but what is added here.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};

use porten_core::display_text::terminal_safe;

/// One line to standard output. A reader that has left (`porten status | head`) ends the process quietly.
pub(crate) fn say(line: &str) {
    if writeln!(stdout().lock(), "{}", terminal_safe(line)).is_err() {
        std::process::exit(0);
    }
}

/// One sentence to standard error.
pub(crate) fn complain(text: &str) {
    // With nobody to read it there is nothing more to do.
    let _ = writeln!(stderr().lock(), "porten: {}", terminal_safe(text));
}

/// A line in the place of the last one, while a person is watching.
pub(crate) fn say_over(line: &str) {
    if write!(stdout().lock(), "\r\x1b[K{}", terminal_safe(line)).and_then(|()| stdout().flush()).is_err() {
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
