//! The stand-in for a keychain on a machine without one: a file that only its owner can read, and that says so.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::VaultError;
use crate::places::replace;

pub(super) fn store(path: &Path, secret: &str) -> Result<(), VaultError> {
    // A link or a stranger's file in its place is not written over silently.
    if path.symlink_metadata().is_ok() {
        check(path)?;
    }
    replace(path, secret).map_err(|source| failed(path, source))
}

pub(super) fn fetch(path: &Path) -> Result<Option<String>, VaultError> {
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(path, source)),
        Ok(_) => check(path)?,
    }
    std::fs::read_to_string(path).map(Some).map_err(|source| failed(path, source))
}

pub(super) fn forget(path: &Path) -> Result<(), VaultError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path, source: io::Error) -> VaultError {
    VaultError::File { path: path.to_owned(), source }
}

/// The file is a plain one, ours, and closed to everybody else.
fn check(path: &Path) -> Result<(), VaultError> {
    let facts = path.symlink_metadata().map_err(|source| failed(path, source))?;
    let why = if !facts.file_type().is_file() {
        "it is a link or no file"
    } else if facts.uid() != rustix::process::geteuid().as_raw() {
        "it belongs to another account"
    } else if facts.mode() & 0o077 != 0 {
        "others can read it"
    } else {
        return Ok(());
    };
    Err(VaultError::Unsafe { path: path.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_secret_is_kept_in_a_file_of_mode_0600_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credential.json");
        assert_eq!(fetch(&path).unwrap(), None);
        store(&path, "s3cret").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fetch(&path).unwrap().as_deref(), Some("s3cret"));
        forget(&path).unwrap();
        forget(&path).unwrap();
        assert_eq!(fetch(&path).unwrap(), None);
    }

    #[test]
    fn a_file_that_others_can_read_or_a_link_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("credential.json");
        std::fs::write(&path, "s3cret").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(fetch(&path), Err(VaultError::Unsafe { why: "others can read it", .. })));
        let link = folder.path().join("link.json");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(matches!(fetch(&link), Err(VaultError::Unsafe { .. })));
        assert!(matches!(store(&link, "x"), Err(VaultError::Unsafe { .. })));
    }
}
