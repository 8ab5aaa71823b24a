//! The only place that writes to the terminal.

use std::io::{self, ErrorKind, IsTerminal as _, Write as _, stderr, stdin, stdout};

use serde_json::Value;

/// One line to standard output.
pub(crate) fn say(line: &str) {
    written(writeln!(stdout().lock(), "{line}"));
}

/// One line of JSON to standard output.
pub(crate) fn say_json(document: &Value) {
    say(&document.to_string());
}

/// A reader that has left (`porten status | head`) ends the process quietly; what cannot be written is a failure like any
/// other.
pub(crate) fn written(done: io::Result<()>) {
    match done {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => {
            complain(&format!("the output cannot be written: {error}"));
            std::process::exit(1);
        }
    }
}

/// One sentence to standard error.
pub(crate) fn complain(text: &str) {
    // With nobody to read it there is nothing more to do.
    let _ = writeln!(stderr().lock(), "porten: {text}");
}

/// What is good to know beside the answer; to standard error, where it spoils no pipe.
pub(crate) fn note(text: &str) {
    let _ = writeln!(stderr().lock(), "porten: note: {text}");
}

/// A line in the place of the last one, while a person is watching.
pub(crate) fn say_over(line: &str) {
    written(write!(stdout().lock(), "\r\x1b[K{line}").and_then(|()| stdout().flush()));
}

/// Clears the screen before the next picture, if a person is watching.
pub(crate) fn clear() {
    if is_watched() {
        written(write!(stdout().lock(), "\x1b[2J\x1b[H"));
    }
}

/// Whether a person reads standard output.
pub(crate) fn is_watched() -> bool {
    stdout().is_terminal()
}

/// Asks a question that yes or no answers; `None` where there is nobody to ask.
pub(crate) fn ask(question: &str) -> Option<bool> {
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return None;
    }
    let _ = write!(stderr().lock(), "{question} [y/N] ");
    let mut answer = String::new();
    if stdin().read_line(&mut answer).ok()? == 0 {
        // Nobody ended the line.
        let _ = writeln!(stderr().lock());
    }
    Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
