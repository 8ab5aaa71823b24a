//! Where things are kept on this machine: configuration, state and the socket.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use porten_core::config::HOME;

/// macOS takes Unix socket paths up to 104 bytes including the end mark; a longer one cannot be bound.
const MAX_SOCKET_PATH: usize = 103;

/// The folders and files.
#[derive(Debug, Clone)]
pub struct Places {
    /// The configuration file; it need not exist.
    pub config: PathBuf,
    /// What survives a restart: node id, wishes, and the credential where there is no keychain.
    pub state: PathBuf,
    /// Lock and socket.
    pub run: PathBuf,
    /// The background service's log; no other process writes one.
    pub logs: PathBuf,
}

/// The places cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlacesError {
    /// No home folder.
    #[error("this account has no home folder; set {HOME} to a folder of your own")]
    NoHome,
    /// A folder that would be another one wherever a command is started.
    #[error(
        "{variable} is {path:?}, which is another folder wherever a command is started; write the whole path, from / on (~ is not read here)"
    )]
    Relative {
        /// The variable that names it.
        variable: &'static str,
        /// What it says.
        path: PathBuf,
    },
    /// A folder cannot be made or secured.
    #[error("{} cannot be made private to you: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The socket's path is too long for a Unix socket.
    #[error("{} is too long for a socket ({MAX_SOCKET_PATH} bytes at most); set {HOME} to a shorter folder", .0.display())]
    TooLong(PathBuf),
}

impl Places {
    /// Where the environment says; the settings are not read for it.
    ///
    /// # Errors
    /// See [`Self::find`].
    pub fn here() -> Result<Self, PlacesError> {
        let home = std::env::var_os(HOME).unwrap_or_default();
        let home = home.to_str().map_or_else(|| PathBuf::from(&home), |home| PathBuf::from(home.trim()));
        Self::find(Some(home.as_path()).filter(|home| !home.as_os_str().is_empty()))
    }

    /// The platform's folders, or all under `home` if that is given.
    ///
    /// # Errors
    /// There is no home folder, it is a relative one, or the socket's path would be too long.
    pub fn find(home: Option<&Path>) -> Result<Self, PlacesError> {
        let places = match home {
            Some(home) if home.is_relative() => {
                return Err(PlacesError::Relative { variable: HOME, path: home.to_owned() });
            }
            Some(home) => Self {
                config: home.join("config.toml"),
                state: home.join("state"),
                run: home.join("run"),
                logs: home.join("logs"),
            },
            None => Self::of_the_platform()?,
        };
        let socket = places.socket();
        if socket.as_os_str().len() > MAX_SOCKET_PATH { Err(PlacesError::TooLong(socket)) } else { Ok(places) }
    }

    fn of_the_platform() -> Result<Self, PlacesError> {
        let base = directories::BaseDirs::new().ok_or(PlacesError::NoHome)?;
        if base.home_dir().is_relative() {
            return Err(PlacesError::Relative { variable: "HOME", path: base.home_dir().to_owned() });
        }
        let name = if cfg!(target_os = "macos") { "Porten" } else { "porten" };
        let state = base.state_dir().unwrap_or_else(|| base.data_dir()).join(name);
        let logs = if cfg!(target_os = "macos") {
            base.home_dir().join("Library/Logs").join(name)
        } else {
            state.join("logs")
        };
        Ok(Self {
            config: base.config_dir().join(name).join("config.toml"),
            state,
            run: base.home_dir().join(".porten").join("run"),
            logs,
        })
    }

    /// The agent's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.run.join("agent.sock")
    }

    /// The seat's lock.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.run.join("agent.lock")
    }

    /// The background service's log, its newest part.
    #[must_use]
    pub fn service_log(&self) -> PathBuf {
        self.logs.join("service.log")
    }

    /// Makes the state and run folders, private to this account.
    ///
    /// # Errors
    /// A folder cannot be made, or is another's.
    pub fn prepare(&self) -> Result<(), PlacesError> {
        for path in [&self.state, &self.run] {
            prepare(path)?;
        }
        Ok(())
    }

    /// Makes the log's folder, private to this account.
    ///
    /// # Errors
    /// It cannot be made, or is another's.
    pub fn prepare_logs(&self) -> Result<(), PlacesError> {
        prepare(&self.logs)
    }
}

fn prepare(path: &Path) -> Result<(), PlacesError> {
    private_folder(path).map_err(|source| PlacesError::Folder { path: path.to_owned(), source })
}

fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    // Root could secure another's folder; its owner could open it again.
    if std::fs::metadata(path)?.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to another account"));
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

/// Replaces a file whole: a reader sees the old text or the new, never half; a crash leaves one of them.
///
/// # Errors
/// The folder is not writable or the disk is full; the old file is then untouched.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let fresh = path.with_extension("new");
    let written = (|| {
        // A leftover of a crash may have other permissions, or be a link: it is never written through.
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, path)
    })();
    if written.is_ok()
        && let Some(folder) = path.parent()
    {
        // The new name survives a power cut only with its folder. Not every file system can do that; the file is
        // replaced all the same.
        let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
    if written.is_err() {
        // The disk may be full; what was half written helps nobody.
        let _ = std::fs::remove_file(&fresh);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_moves_under_one_folder_and_is_private() {
        let home = tempfile::tempdir().unwrap();
        let places = Places::find(Some(home.path())).unwrap();
        places.prepare().unwrap();
        for folder in [&places.state, &places.run] {
            assert!(folder.starts_with(home.path()));
            assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn a_socket_path_that_macos_could_not_bind_is_refused_in_words() {
        let error = Places::find(Some(Path::new(&format!("/{}", "x".repeat(100))))).unwrap_err();
        assert!(error.to_string().contains("PORTEN_HOME"), "{error}");
    }

    #[test]
    fn a_relative_home_is_refused_in_words() {
        for home in ["porten", "./porten", "~/porten"] {
            let told = Places::find(Some(Path::new(home))).unwrap_err().to_string();
            assert!(told.starts_with("PORTEN_HOME is") && told.contains(home), "{told}");
        }
    }

    /// Fault F3: a file is replaced whole, never through a link, and the old one stays where that fails.
    #[test]
    fn replacing_a_file_never_writes_through_a_link_and_leaves_the_old_one_on_failure() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("a.json"), folder.path().join("victim"));
        std::fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, folder.path().join("a.new")).unwrap();
        replace(&path, "one").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::create_dir(folder.path().join("a.new")).unwrap();
        assert!(replace(&path, "two").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one");
    }
}
