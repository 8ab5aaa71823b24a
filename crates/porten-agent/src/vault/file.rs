//! The stand-in for a keychain on a machine without one: a file that only its owner can read, and that says so.

use std::fs::Metadata;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use super::{Store, VaultError};
use crate::places::replace;

/// No credential is longer (bytes): two tokens of 4096 and a few short fields.
const MAX_SECRET: u64 = 64 * 1024;

/// A file for one secret; it need not exist.
#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
}

impl File {
    pub(super) const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    fn failed(&self, source: io::Error) -> VaultError {
        VaultError::File { path: self.path.clone(), source }
    }

    /// What lies there, if anything does: a plain file, ours, and closed to everybody else.
    fn check(&self) -> Result<Option<Metadata>, VaultError> {
        match self.path.symlink_metadata() {
            Ok(facts) => self.judge(&facts).map(|()| Some(facts)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    fn judge(&self, facts: &Metadata) -> Result<(), VaultError> {
        let why = if !facts.file_type().is_file() {
            "it is a link or no file"
        } else if facts.uid() != rustix::process::geteuid().as_raw() {
            "it belongs to another account"
        } else if facts.mode() & 0o077 != 0 {
            "others can read it"
        } else {
            return Ok(());
        };
        Err(VaultError::Unsafe { path: self.path.clone(), why })
    }
}

impl Store for File {
    fn words(&self) -> String {
        format!("a file only you can read, {}", self.path.display())
    }

    fn store(&self, secret: &str) -> Result<(), VaultError> {
        // A link or a stranger's file in its place is not written over silently.
        self.check()?;
        replace(&self.path, secret).map_err(|source| self.failed(source))
    }

    fn fetch(&self) -> Result<Option<String>, VaultError> {
        let Some(seen) = self.check()? else { return Ok(None) };
        let file = std::fs::File::open(&self.path).map_err(|source| self.failed(source))?;
        let opened = file.metadata().map_err(|source| self.failed(source))?;
        if (seen.dev(), seen.ino()) != (opened.dev(), opened.ino()) {
            let source = io::Error::other("it was replaced while it was opened");
            return Err(self.failed(source));
        }
        let mut secret = String::new();
        file.take(MAX_SECRET).read_to_string(&mut secret).map_err(|source| self.failed(source))?;
        Ok(Some(secret))
    }

    fn forget(&self) -> Result<(), VaultError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(error)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_kept_in_a_file_of_mode_0600_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credential.json");
        let file = File::at(path.clone());
        assert_eq!(file.fetch().unwrap(), None);
        file.store("s3cret").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(file.fetch().unwrap().as_deref(), Some("s3cret"));
        file.forget().unwrap();
        file.forget().unwrap();
        assert_eq!(file.fetch().unwrap(), None);
    }

    /// Fault E14: where there is no keychain, a credential file that others can read, or a link, is refused.
    #[test]
    fn a_file_that_others_can_read_or_a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credential.json");
        std::fs::write(&path, "s3cret").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let open = File::at(path.clone());
        assert!(matches!(open.fetch(), Err(VaultError::Unsafe { why: "others can read it", .. })));
        let link = File::at(folder.path().join("link.json"));
        std::os::unix::fs::symlink(&path, &link.path).unwrap();
        assert!(matches!(link.fetch(), Err(VaultError::Unsafe { .. })));
        assert!(matches!(link.store("x"), Err(VaultError::Unsafe { .. })));
    }
}
