//! A home folder of a process's own, and what became of it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A private home, removed when dropped.
#[derive(Debug)]
pub struct Home {
    folder: TempDir,
}

impl Home {
    /// A new one. Its path is short: a Unix socket below it must fit into 104 bytes.
    ///
    /// # Panics
    /// No folder can be made.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("porten.").tempdir().expect("a folder for a test's home");
        for sub in ["config", "state", "data", "cache", "run", "tmp", "porten"] {
            let path = folder.path().join(sub);
            std::fs::create_dir(&path).expect("a folder in a test's home");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("a private folder");
        }
        Self { folder }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where Porten keeps everything: its `PORTEN_HOME`.
    #[must_use]
    pub fn porten(&self) -> PathBuf {
        self.path().join("porten")
    }

    /// The whole environment of a process that lives here; nothing of the test's own environment is in it.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let at = |sub: &str| self.path().join(sub).to_string_lossy().into_owned();
        let home = self.path().to_string_lossy().into_owned();
        [
            ("HOME", home),
            ("XDG_CONFIG_HOME", at("config")),
            ("XDG_STATE_HOME", at("state")),
            ("XDG_DATA_HOME", at("data")),
            ("XDG_CACHE_HOME", at("cache")),
            ("XDG_RUNTIME_DIR", at("run")),
            ("TMPDIR", at("tmp")),
            ("PORTEN_HOME", at("porten")),
            ("PORTEN_KEYCHAIN", "file".to_owned()),
            // No browser, no desktop bus: only what the system itself needs to start a program.
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
            ("RUST_BACKTRACE", "1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
    }

    /// Every file below that holds this text, relative to the home. For marker tests: a token may be in one file only.
    ///
    /// # Panics
    /// The folder cannot be read.
    #[must_use]
    pub fn files_with(&self, text: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder of the test's home").flatten() {
                let path = entry.path();
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => folders.push(path),
                    // A file that was just removed holds nothing.
                    Ok(kind) if kind.is_file() && holds(&std::fs::read(&path).unwrap_or_default(), text) => {
                        found.push(path.strip_prefix(self.path()).map_or(path.clone(), Path::to_owned));
                    }
                    _ => {}
                }
            }
        }
        found.sort();
        found
    }
}

impl Default for Home {
    fn default() -> Self {
        Self::new()
    }
}

fn holds(bytes: &[u8], text: &str) -> bool {
    !text.is_empty() && bytes.windows(text.len()).any(|window| window == text.as_bytes())
}
