//! systemd's manager of this account's services, by way of `systemctl --user`.

use std::path::{Path, PathBuf};
use std::process::Output;

use porten_core::service::systemd::{PROPERTIES, state};
use porten_core::service::{ServiceState, UNIT};

use super::command::{complaint, done, run};
use super::{ServiceError, remove};

const SYSTEMCTL: &str = "systemctl";
const LOGINCTL: &str = "loginctl";
/// Where its socket is.
const RUNTIME: &str = "XDG_RUNTIME_DIR";

/// The manager.
#[derive(Debug, Clone)]
pub struct Systemd {
    unit: PathBuf,
}

impl Systemd {
    pub(super) fn new(config: &Path) -> Self {
        Self { unit: config.join("systemd/user").join(UNIT) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.unit
    }

    pub(super) async fn state(&self) -> Result<ServiceState, ServiceError> {
        let output = systemctl(&["show", UNIT, "-p", PROPERTIES]).await?;
        if output.status.success() {
            return Ok(state(&String::from_utf8_lossy(&output.stdout)));
        }
        Err(ServiceError::NoManager(format!(
            "systemd manages no services of this account here ({}); log in to it at the machine or by ssh, not with su or sudo, or have it run without a login: loginctl enable-linger",
            complaint(&output)
        )))
    }

    pub(super) async fn install(&self) -> Result<(), ServiceError> {
        ask(&["daemon-reload"]).await?;
        let same = |used: &str| Path::new(used).canonicalize().ok() == self.unit.canonicalize().ok();
        if let Some(used) = self.state().await?.unit.filter(|used| !same(used)) {
            return Err(ServiceError::NoManager(format!(
                "systemd takes {UNIT} from {used} and not from {}; remove that file, or see whether XDG_CONFIG_HOME differs between this shell and the login",
                self.unit.display()
            )));
        }
        ask(&["enable", UNIT]).await?;
        self.restart().await
    }

    pub(super) async fn start(&self) -> Result<(), ServiceError> {
        ask(&["start", UNIT]).await
    }

    pub(super) async fn restart(&self) -> Result<(), ServiceError> {
        ask(&["restart", UNIT]).await
    }

    pub(super) async fn stop(&self) -> Result<(), ServiceError> {
        ask(&["stop", UNIT]).await
    }

    pub(super) async fn uninstall(&self) -> Result<(), ServiceError> {
        // A unit whose file is gone can still run.
        if self.state().await?.loaded {
            ask(&["disable", "--now", UNIT]).await?;
        }
        remove(&self.unit)?;
        // What disabling left, if the file was gone before, and the folders that are empty now.
        if let Some(folder) = self.unit.parent() {
            let wanted = folder.join("default.target.wants");
            remove(&wanted.join(UNIT))?;
            for folder in [Some(wanted.as_path()), Some(folder), folder.parent()].into_iter().flatten() {
                let _ = std::fs::remove_dir(folder);
            }
        }
        ask(&["daemon-reload"]).await?;
        // It fails where there is nothing to forget.
        systemctl(&["reset-failed", UNIT]).await?;
        Ok(())
    }

    pub(super) async fn only_while_logged_in(&self) -> Option<String> {
        let uid = rustix::process::getuid().as_raw().to_string();
        let output = run(LOGINCTL, &["show-user", &uid, "-p", "Linger", "--value"], &[]).await.ok()?;
        (output.status.success() && output.stdout.trim_ascii() == b"no").then(|| {
            "It ends when you log out and starts when you log in; to have it run without a login: loginctl enable-linger"
                .to_owned()
        })
    }
}

async fn ask(arguments: &[&str]) -> Result<(), ServiceError> {
    done(SYSTEMCTL, arguments, &systemctl(arguments).await?).map(drop)
}

async fn systemctl(arguments: &[&str]) -> Result<Output, ServiceError> {
    let all: Vec<&str> = ["--user", "--no-pager", "--no-ask-password"].iter().chain(arguments).copied().collect();
    // A shell that was not logged in knows no manager, though there may be one.
    let runtime = format!("/run/user/{}", rustix::process::getuid().as_raw());
    let missing = std::env::var_os(RUNTIME).is_none() && Path::new(&runtime).is_dir();
    let environment = if missing { vec![(RUNTIME, runtime)] } else { Vec::new() };
    run(SYSTEMCTL, &all, &environment).await
}
