//! The agent as a background service of this account: what its unit says, on macOS for launchd and on Linux for systemd, and
//! whether a program can be one from where it lies.

pub mod launchd;
pub mod placement;
pub mod systemd;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

/// The service's label, and the name of its unit file without `.plist`, on macOS.
pub const LABEL: &str = "ai.porten.agent";
/// The name of its unit on Linux.
pub const UNIT: &str = "porten.service";
/// What the program is started with.
pub const ARGUMENTS: [&str; 2] = ["run", "--service"];
/// How long the system waits after SIGTERM before it kills: what runs has [`crate::leaving::SYSTEMS`] and some last words.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// Open files that the service may have: each answer has its own connection to the engine, and launchd gives 256.
const OPEN_FILES: u32 = 4096;

/// What a unit is made of. There is no secret among it: a unit can be read by whoever reads the account's files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceSpec {
    program: String,
    environment: BTreeMap<String, String>,
}

/// A unit cannot hold this path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a service cannot be started from {0:?}; move it to a folder with a plainer name")]
pub struct UnwritablePath(String);

impl ServiceSpec {
    /// A service that runs the program at this absolute path, with these variables that say where Porten keeps things.
    ///
    /// # Errors
    /// A path is not absolute or holds control characters.
    pub fn new(program: &str, environment: BTreeMap<String, String>) -> Result<Self, UnwritablePath> {
        let fits = |path: &str| path.starts_with('/') && !path.contains(char::is_control);
        let mut paths = [program].into_iter().chain(environment.values().map(String::as_str));
        let odd = paths.find(|path| !fits(path)).map(str::to_owned);
        drop(paths);
        match odd {
            Some(odd) => Err(UnwritablePath(odd)),
            None => Ok(Self { program: program.to_owned(), environment }),
        }
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.program
    }
}

/// What the system says of the service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ServiceState {
    /// Whether the system knows it.
    pub loaded: bool,
    /// Its process, while it runs.
    pub pid: Option<u32>,
    /// How it ended last, in the system's words; `None` where it never did.
    pub last_exit: Option<String>,
    /// The unit that the system uses, where it says so.
    pub unit: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaving::{CUT_WORDS, LAST_WORDS, SYSTEMS};

    #[test]
    fn the_system_kills_no_service_that_still_drains() {
        assert!(SYSTEMS + LAST_WORDS < STOP_TIMEOUT && SYSTEMS + CUT_WORDS < STOP_TIMEOUT);
    }

    #[test]
    fn a_path_that_no_unit_can_hold_is_refused() {
        let home = |path: &str| BTreeMap::from([("PORTEN_HOME".to_owned(), path.to_owned())]);
        assert!(ServiceSpec::new("/a b/ä\"%$/porten", home("/h=1")).is_ok());
        for (program, path) in [("porten", "/h"), ("/a\nb", "/h"), ("/a", "h"), ("/a", "/h\u{7}")] {
            let said = ServiceSpec::new(program, home(path)).unwrap_err().to_string();
            assert!(said.contains("plainer name") && !said.contains('\n'), "{said}");
        }
    }
}
