//! Small files of our own that must survive a crash: read whole, replaced whole, never thrown away unread.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::places::replace;

/// A file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written: {source}", path.display())]
pub struct KeepError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// What was kept last; the defaults if nothing was, or if the file does not read (it is then kept aside).
pub(crate) fn fetch<T: Default + DeserializeOwned>(path: &Path) -> T {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(%error, path = %path.display(), "it cannot be read; starting from the defaults");
            }
            return T::default();
        }
    };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        let aside = path.with_extension("unreadable");
        tracing::warn!(%error, kept = %aside.display(), "it does not read; starting from the defaults");
        // Best effort: the file is the person's, and a later write must not lose it silently.
        let _ = std::fs::rename(path, aside);
        T::default()
    })
}

/// Keeps it.
pub(crate) fn store(path: &Path, what: &impl Serialize) -> Result<(), KeepError> {
    let text = serde_json::to_string_pretty(what).unwrap_or_default();
    replace(path, &text).map_err(|source| KeepError { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Fault F3: state that does not read is kept aside, and the defaults hold.
    #[test]
    fn what_was_kept_comes_back_and_an_unreadable_file_is_kept_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.json");
        assert_eq!(fetch::<BTreeSet<String>>(&path), BTreeSet::new());
        let some = BTreeSet::from(["one".to_owned()]);
        store(&path, &some).unwrap();
        assert_eq!(fetch::<BTreeSet<String>>(&path), some);
        std::fs::write(&path, "[\"one").unwrap();
        assert_eq!(fetch::<BTreeSet<String>>(&path), BTreeSet::new());
        assert_eq!(std::fs::read_to_string(folder.path().join("some.unreadable")).unwrap(), "[\"one");
        assert!(store(&folder.path().join("no/such/folder.json"), &some).is_err());
    }
}
