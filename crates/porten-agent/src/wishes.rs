//! What the person wants, on disk before it is answered: it survives a crash and a reboot. What *is* is never stored.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use porten_core::exo::How;
use porten_core::ids::ModelId;
use porten_core::pause::Pause;
use serde::{Deserialize, Serialize};

use crate::kept::{self, KeepError};

/// The person's wishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wishes {
    /// To be online.
    pub online: bool,
    /// To rest, though online.
    pub pause: Option<Pause>,
    /// The models that were turned on. A configured one is on without being here.
    pub on: BTreeSet<ModelId>,
    /// The models that were turned off.
    pub off: BTreeSet<ModelId>,
    /// Those of them that stay loaded.
    pub kept: BTreeSet<ModelId>,
    /// How models are to be placed, where a person said.
    pub how: BTreeMap<ModelId, How>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            online: true,
            pause: None,
            on: BTreeSet::new(),
            off: BTreeSet::new(),
            kept: BTreeSet::new(),
            how: BTreeMap::new(),
        }
    }
}

/// The wishes cannot be kept; the old ones are untouched.
#[derive(Debug, thiserror::Error)]
#[error("the wish was not taken: {0}")]
pub struct WishesError(#[from] KeepError);

impl Wishes {
    /// What was wanted last, or the defaults.
    #[must_use]
    pub fn fetch(state: &Path) -> Self {
        kept::fetch(&file(state))
    }

    /// Keeps them.
    ///
    /// # Errors
    /// The disk is full or not writable; the old wishes are untouched.
    pub fn store(&self, state: &Path) -> Result<(), WishesError> {
        Ok(kept::store(&file(state), self)?)
    }

    /// Wants to be online, or not. Who wants it online now does not want it to rest.
    pub fn go(&mut self, online: bool) {
        self.online = online;
        self.pause.take_if(|_| online);
    }

    /// Wants a model on, or off.
    pub fn turn(&mut self, id: ModelId, on: bool, how: Option<How>, keep: bool) {
        if let Some(how) = how {
            self.how.insert(id.clone(), how);
        }
        self.kept.remove(&id);
        if keep && !on {
            self.kept.insert(id.clone());
        }
        let (into, out) = if on { (&mut self.on, &mut self.off) } else { (&mut self.off, &mut self.on) };
        out.remove(&id);
        into.insert(id);
    }
}

fn file(state: &Path) -> PathBuf {
    state.join("wishes.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_survive_and_the_last_word_about_a_model_counts() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Wishes::fetch(state.path()), Wishes::default());
        let mut wishes = Wishes { online: false, ..Wishes::default() };
        let id = ModelId::read("tiny").unwrap();
        wishes.turn(id.clone(), true, None, false);
        let how = How { anyway: true, ..How::default() };
        wishes.turn(id.clone(), false, Some(how), true);
        wishes.store(state.path()).unwrap();
        let back = Wishes::fetch(state.path());
        assert_eq!(
            back,
            Wishes {
                pause: None,
                online: false,
                on: BTreeSet::new(),
                off: BTreeSet::from([id.clone()]),
                kept: BTreeSet::from([id.clone()]),
                how: BTreeMap::from([(id, how)]),
            }
        );
    }

    /// Fault F3: state of a newer version is read as far as it is known.
    #[test]
    fn wishes_of_a_newer_version_are_read_as_far_as_they_are_known() {
        let state = tempfile::tempdir().unwrap();
        std::fs::write(file(state.path()), r#"{"version":9,"online":false,"off":["tiny"],"moods":{"a":1}}"#).unwrap();
        let wishes = Wishes::fetch(state.path());
        assert!(!wishes.online && wishes.off.len() == 1);
    }

    /// Fault F3: wishes that were cut anywhere are kept aside, and the defaults hold.
    #[test]
    fn wishes_that_were_cut_anywhere_are_kept_aside() {
        let state = tempfile::tempdir().unwrap();
        let mut wishes = Wishes { online: false, ..Wishes::default() };
        wishes.turn(ModelId::read("tiny").unwrap(), true, None, false);
        wishes.store(state.path()).unwrap();
        let whole = std::fs::read_to_string(file(state.path())).unwrap();
        for cut in 0..whole.trim_end().len() {
            std::fs::write(file(state.path()), &whole[..cut]).unwrap();
            assert_eq!(Wishes::fetch(state.path()), Wishes::default(), "{cut}");
            let aside = std::fs::read_to_string(file(state.path()).with_extension("unreadable")).unwrap();
            assert_eq!(aside, whole[..cut]);
        }
    }

    /// Fault F3: state of an older version is read.
    #[test]
    fn wishes_of_an_older_version_are_read() {
        let state = tempfile::tempdir().unwrap();
        std::fs::write(file(state.path()), r#"{"online":false,"off":["tiny"]}"#).unwrap();
        let wishes = Wishes::fetch(state.path());
        assert!(!wishes.online && wishes.on.is_empty() && wishes.off.len() == 1);
    }
}
