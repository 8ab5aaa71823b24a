//! A real `systemd --user` of a test's own, inside [`crate::inside::services`].

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::process::{Ended, Process};
use crate::wait::wait_until;

/// It is up in this time, on a machine that compiles something else beside.
const START: Duration = Duration::from_secs(20);

/// It runs until it is dropped, and so does what it runs.
#[derive(Debug)]
pub struct UserManager {
    environment: BTreeMap<String, String>,
    process: Process,
}

impl UserManager {
    /// Starts one for the account with this environment: its home, and its runtime folder. Its output goes to files in `folder`.
    ///
    /// # Panics
    /// It does not come up (package systemd).
    pub async fn start(environment: &BTreeMap<String, String>, folder: &Path) -> Self {
        // It is told where things are, and nothing that only a shell has.
        let only = ["HOME", "PATH", "LANG", "TMPDIR"];
        let is_its = |name: &str| only.contains(&name) || name.starts_with("XDG_");
        let environment: BTreeMap<_, _> = environment
            .iter()
            .filter(|(name, _)| is_its(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let process = Process::start_at(Path::new("/usr/lib/systemd/systemd"), &["--user"], &environment, folder);
        let manager = Self { environment, process };
        wait_until(START, "the user's service manager is up", async || {
            manager
                .systemctl(&["is-system-running"])
                .is_some_and(|said| said == "running" || said == "degraded")
                .then_some(())
        })
        .await;
        manager
    }

    /// What `systemctl --user` prints, without white space around it; `None` where it cannot ask.
    ///
    /// # Panics
    /// There is no systemctl.
    #[must_use]
    pub fn systemctl(&self, arguments: &[&str]) -> Option<String> {
        let mut command = Command::new("systemctl");
        command.arg("--user").args(arguments).env_clear().envs(&self.environment);
        let output = command.output().expect("systemctl (package systemd)");
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        (output.status.success() || !said.is_empty()).then_some(said)
    }

    /// A property of a unit.
    ///
    /// # Panics
    /// The manager does not answer.
    #[must_use]
    pub fn property(&self, unit: &str, name: &str) -> String {
        self.systemctl(&["show", unit, "-p", name, "--value"]).expect("the manager answers")
    }

    /// The unit's process, once it runs.
    ///
    /// # Panics
    /// It does not.
    pub async fn pid(&self, unit: &str) -> u32 {
        wait_until(START, &format!("{unit} runs"), async || {
            let pid = self.property(unit, "MainPID").parse().ok()?;
            (pid != 0).then_some(pid)
        })
        .await
    }

    /// Ends it in order, with all that it runs.
    ///
    /// # Panics
    /// It does not end.
    pub async fn stop(mut self) -> Ended {
        self.process.signal("TERM");
        self.process.ended(Duration::from_secs(90)).await
    }
}
