//! Keeps the machine awake with the system's own tool, for as long as a child process of it lives.

use std::process::Stdio;

use tokio::process::{Child, Command};

/// Holds the machine awake until it is dropped, with the command that the system has for that. Injected, so that a test can
/// refuse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keeper(pub Vec<String>);

impl Keeper {
    /// The system's: on macOS `caffeinate -s`, an assertion that counts on mains power only and ends with this process (its
    /// `-w`); elsewhere logind's inhibitor.
    #[must_use]
    pub fn system() -> Self {
        let own = std::process::id().to_string();
        let words: &[&str] = if cfg!(target_os = "macos") {
            &["/usr/bin/caffeinate", "-s", "-w", &own]
        } else {
            let why = "This node is online";
            &["systemd-inhibit", "--what=sleep:idle", "--who=Porten", "--why", why, "--mode=block", "sleep", "infinity"]
        };
        Self(words.iter().map(|&word| word.to_owned()).collect())
    }

    /// Begins; the child is killed when it is dropped.
    pub(crate) fn hold(&self) -> std::io::Result<Child> {
        let (program, arguments) = self.0.split_first().ok_or(std::io::ErrorKind::NotFound)?;
        let quiet = || Stdio::null();
        Command::new(program).args(arguments).stdin(quiet()).stdout(quiet()).stderr(quiet()).kill_on_drop(true).spawn()
    }

    /// Why the machine may sleep all the same: one sentence.
    pub(crate) fn refused(&self, how: &dyn std::fmt::Display) -> String {
        let program = self.0.first().map_or("the system's tool", String::as_str);
        format!("This machine may sleep: {program} does not keep it awake ({how}).")
    }
}
