//! The agent as a background service of this account: its unit's file, and the system's service manager.

mod command;
mod launchd;
mod systemd;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use porten_core::config::HOME;
use porten_core::service::{ServiceSpec, ServiceState, UnwritablePath};

use crate::places::{Places, PlacesError, replace};
use launchd::Launchd;
use systemd::Systemd;

/// Where Linux programs keep things, beside the home folder: the service must see what the shell sees.
const FOLDERS: [&str; 3] = ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"];
/// What a shell may have set for connections, and a service does not see.
const UNSEEN: [&str; 10] = [
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

/// The service could not be looked after. Its `Display` is one sentence for the person.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is no folder for it.
    #[error(transparent)]
    Places(#[from] PlacesError),
    /// Its unit cannot hold these paths.
    #[error(transparent)]
    Path(#[from] UnwritablePath),
    /// This program's own path is not known, or no text.
    #[error("this program does not know where it lies ({0}); start it by its whole path")]
    Program(String),
    /// The manager's tool is not there.
    #[error("{tool} cannot be started ({source}); without it `porten run` serves for as long as you let it run")]
    Tool {
        /// Which.
        tool: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The manager's tool did not answer.
    #[error("{0} did not answer within {1:?}; try again, or restart this session")]
    Silent(String, Duration),
    /// There is no service manager for this account.
    #[error("{0}")]
    NoManager(String),
    /// What is left behind cannot be taken away.
    #[error(transparent)]
    Seat(#[from] crate::seat::SeatError),
    /// The manager refused.
    #[error("{command} failed: {text}")]
    Failed {
        /// What was asked.
        command: String,
        /// What it said, in one line.
        text: String,
    },
    /// The unit's file cannot be written or removed.
    #[error("{} cannot be {what} ({source})", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The service manager of this system.
#[derive(Debug, Clone)]
pub enum Manager {
    /// On macOS.
    Launchd(Launchd),
    /// Elsewhere.
    Systemd(Systemd),
}

impl Manager {
    /// This account's, as the system is; nothing is asked yet.
    ///
    /// # Errors
    /// There is no home folder.
    pub fn of_the_system() -> Result<Self, ServiceError> {
        let base = directories::BaseDirs::new().ok_or(PlacesError::NoHome)?;
        Ok(if cfg!(target_os = "macos") {
            Self::Launchd(Launchd::new(base.home_dir()))
        } else {
            Self::Systemd(Systemd::new(base.config_dir()))
        })
    }

    /// Where the unit's file belongs.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Launchd(launchd) => launchd.path(),
            Self::Systemd(systemd) => systemd.path(),
        }
    }

    /// The unit's text.
    #[must_use]
    pub fn unit(&self, spec: &ServiceSpec) -> String {
        match self {
            Self::Launchd(_) => porten_core::service::launchd::unit(spec),
            Self::Systemd(_) => porten_core::service::systemd::unit(spec),
        }
    }

    /// The unit's text as it lies there; `None` without one.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn installed(&self) -> Result<Option<String>, ServiceError> {
        match std::fs::read_to_string(self.path()) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ServiceError::File { path: self.path().to_owned(), what: "read", source }),
        }
    }

    /// Whether there is a service manager for this account at all, and what it says of the service.
    ///
    /// # Errors
    /// There is none, or it does not answer.
    pub async fn state(&self) -> Result<ServiceState, ServiceError> {
        match self {
            Self::Launchd(launchd) => launchd.state().await,
            Self::Systemd(systemd) => systemd.state().await,
        }
    }

    /// Writes the unit and has it started now and at each login. A service that runs with another unit is stopped first, and
    /// finishes what it does.
    ///
    /// # Errors
    /// The file cannot be written, or the manager refuses.
    pub async fn install(&self, unit: &str) -> Result<(), ServiceError> {
        let path = self.path();
        let fail = |source| ServiceError::File { path: path.to_owned(), what: "written", source };
        path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(fail)?;
        replace(path, unit).map_err(fail)?;
        match self {
            Self::Launchd(launchd) => launchd.install().await,
            Self::Systemd(systemd) => systemd.install().await,
        }
    }

    /// Starts it, if it does not run.
    ///
    /// # Errors
    /// The manager refuses.
    pub async fn start(&self) -> Result<(), ServiceError> {
        match self {
            Self::Launchd(launchd) => launchd.start().await,
            Self::Systemd(systemd) => systemd.start().await,
        }
    }

    /// Stops it, lets it finish what it does, and starts it again; or starts it, if it does not run.
    ///
    /// # Errors
    /// The manager refuses.
    pub async fn restart(&self) -> Result<(), ServiceError> {
        match self {
            Self::Launchd(launchd) => launchd.restart().await,
            Self::Systemd(systemd) => systemd.restart().await,
        }
    }

    /// Stops it until the next login, and waits until it has finished what it does.
    ///
    /// # Errors
    /// The manager refuses.
    pub async fn stop(&self) -> Result<(), ServiceError> {
        match self {
            Self::Launchd(launchd) => launchd.stop().await,
            Self::Systemd(systemd) => systemd.stop().await,
        }
    }

    /// Stops it, and has the system forget it; its file goes.
    ///
    /// # Errors
    /// The manager refuses, or the file cannot be removed.
    pub async fn uninstall(&self) -> Result<(), ServiceError> {
        match self {
            Self::Launchd(launchd) => launchd.uninstall().await,
            Self::Systemd(systemd) => systemd.uninstall().await,
        }
    }

    /// One sentence about what keeps the service from running while nobody is logged in; `None` if nothing does, or
    /// nobody knows.
    pub async fn only_while_logged_in(&self) -> Option<String> {
        match self {
            Self::Launchd(_) => None,
            Self::Systemd(systemd) => systemd.only_while_logged_in().await,
        }
    }
}

/// Removes a file that need not be there.
fn remove(path: &Path) -> Result<(), ServiceError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ServiceError::File { path: path.to_owned(), what: "removed", source })
        }
        _ => Ok(()),
    }
}

/// This very program, by its whole path.
///
/// # Errors
/// The system does not say, or the path is no text.
pub fn program() -> Result<String, ServiceError> {
    let path = std::env::current_exe().map_err(|error| ServiceError::Program(error.to_string()))?;
    let path = std::path::absolute(path).map_err(|error| ServiceError::Program(error.to_string()))?;
    path.into_os_string().into_string().map_err(|path| ServiceError::Program(format!("{} is no text", path.display())))
}

/// A service that runs this program and keeps things where this process does.
///
/// # Errors
/// No unit can hold these paths.
pub fn spec(program: &str) -> Result<ServiceSpec, ServiceError> {
    let said = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let mut environment = BTreeMap::new();
    if let Some(home) = said(HOME) {
        let whole = std::path::absolute(home.trim()).map_or(home, |whole| whole.display().to_string());
        environment.insert(HOME.to_owned(), whole);
    }
    if !cfg!(target_os = "macos") {
        // Nobody goes by one that is not absolute (XDG Base Directory Specification).
        let folders = FOLDERS.iter().filter_map(|name| Some(((*name).to_owned(), said(name)?)));
        environment.extend(folders.filter(|(_, folder)| folder.starts_with('/')));
    }
    Ok(ServiceSpec::new(program, environment)?)
}

/// The variables of this shell that decide how connections are made, and that the service will not see.
#[must_use]
pub fn unseen() -> Vec<&'static str> {
    UNSEEN.into_iter().filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())).collect()
}

/// Why this process may not install a service; `None` if it may. Only who is root by way of `sudo`, or on macOS, where root
/// has no session, may not: the service would be root's, with root's settings and sign-in.
#[must_use]
pub fn refuse_root() -> Option<&'static str> {
    let by_sudo = std::env::var("SUDO_UID").is_ok_and(|uid| uid != "0");
    let root = rustix::process::geteuid().is_root();
    (root && (by_sudo || cfg!(target_os = "macos"))).then_some(
        "the service belongs to the account that runs it and needs no root; run this again as yourself, without sudo",
    )
}

/// Takes away what the service leaves behind: its log, and lock and socket unless an agent uses them. Says whether those are
/// gone.
///
/// # Errors
/// Something cannot be removed.
pub fn sweep(places: &Places, keep_logs: bool) -> Result<bool, ServiceError> {
    let log = places.service_log();
    let name = log.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let ours = |file: &str| file.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if !keep_logs {
        for part in std::fs::read_dir(&places.logs).into_iter().flatten().flatten() {
            if ours(&part.file_name().to_string_lossy()) {
                remove(&part.path())?;
            }
        }
        // What somebody else put there stays, and so does the folder then.
        let _ = std::fs::remove_dir(&places.logs);
    }
    Ok(crate::seat::clear(places)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_service_wrote_is_swept_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::find(Some(home.path())).unwrap();
        places.prepare().unwrap();
        places.prepare_logs().unwrap();
        for name in ["service.log", "service.log.1", "service.log.4", "service.txt", "mine.log"] {
            std::fs::write(places.logs.join(name), "x").unwrap();
        }
        std::fs::write(places.socket(), "").unwrap();
        assert!(sweep(&places, true).unwrap() && !places.run.exists());
        assert!(places.service_log().exists());
        assert!(sweep(&places, false).unwrap());
        let mut left: Vec<_> =
            std::fs::read_dir(&places.logs).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["mine.log", "service.txt"]);
        std::fs::remove_dir_all(&places.logs).unwrap();
        assert!(sweep(&places, false).unwrap());
    }
}
