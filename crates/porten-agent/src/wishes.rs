//! What the person wants, on disk before it is answered: it survives a crash and a reboot. What *is* is never stored.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use porten_core::ids::ModelId;
use serde::{Deserialize, Serialize};

use crate::places::replace;

/// The person's wishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wishes {
    /// To be online.
    pub online: bool,
    /// The models that were turned off; every other configured one is on.
    pub off: BTreeSet<ModelId>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self { online: true, off: BTreeSet::new() }
    }
}

/// The wishes cannot be kept.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written, so the wish was not taken: {source}", path.display())]
pub struct WishesError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Wishes {
    /// What was wanted last; the defaults if nothing was, or if the file does not read (it is then kept aside).
    #[must_use]
    pub fn fetch(state: &Path) -> Self {
        let path = file(state);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(%error, path = %path.display(), "wishes cannot be read; starting from the defaults");
                }
                return Self::default();
            }
        };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            let aside = path.with_extension("unreadable");
            tracing::warn!(%error, kept = %aside.display(), "wishes do not read; starting from the defaults");
            // Best effort: the file is the person's, and a later write must not lose it silently.
            let _ = std::fs::rename(&path, aside);
            Self::default()
        })
    }

    /// Keeps them.
    ///
    /// # Errors
    /// The disk is full or not writable; the old wishes are untouched.
    pub fn store(&self, state: &Path) -> Result<(), WishesError> {
        let path = file(state);
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        replace(&path, &text).map_err(|source| WishesError { path, source })
    }
}

fn file(state: &Path) -> PathBuf {
    state.join("wishes.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_survive_and_an_unreadable_file_is_kept_aside() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Wishes::fetch(state.path()), Wishes::default());
        let wishes = Wishes { online: false, off: BTreeSet::from([ModelId::read("tiny").unwrap()]) };
        wishes.store(state.path()).unwrap();
        assert_eq!(Wishes::fetch(state.path()), wishes);
        std::fs::write(file(state.path()), "{\"online\":").unwrap();
        assert_eq!(Wishes::fetch(state.path()), Wishes::default());
        assert_eq!(std::fs::read_to_string(state.path().join("wishes.unreadable")).unwrap(), "{\"online\":");
    }
}
