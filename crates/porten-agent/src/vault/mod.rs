//! Where the credential is kept: the system's keychain, or a private file where there is none.

mod calls;
mod file;
mod keychain;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use porten_core::config::Keychain as Preference;

pub(crate) use calls::Calls;
pub use calls::{PATIENCE, VaultTrouble};

/// A place for one secret. All calls block: a keychain may ask the person.
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Where it is, for people.
    fn words(&self) -> String;

    /// Keeps the secret, replacing the last.
    ///
    /// # Errors
    /// It is not kept.
    fn store(&self, secret: &str) -> Result<(), VaultError>;

    /// The kept secret, if there is one.
    ///
    /// # Errors
    /// It cannot be read; nothing is known about whether there is one.
    fn fetch(&self) -> Result<Option<String>, VaultError>;

    /// Removes it; that there is none is no error.
    ///
    /// # Errors
    /// It may still be there.
    fn forget(&self) -> Result<(), VaultError>;
}

/// The credential's store; cheap to clone.
#[derive(Debug, Clone)]
pub struct Vault {
    store: Arc<dyn Store>,
}

/// The credential cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The keychain is there but does not open, or the person said no.
    #[error("the keychain refused; unlock it and allow porten")]
    Denied(#[source] keyring::Error),
    /// The keychain failed.
    #[error("the keychain failed")]
    Keychain(#[source] keyring::Error),
    /// The file is open to others, a link, or another's.
    #[error("{} is not safe ({why}); delete it and sign in again", path.display())]
    Unsafe {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The file cannot be read or written.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// One file per Hub: signing in at one does not sign out at another.
fn file_name(hub: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("credential-{}.json", hub.chars().map(plain).collect::<String>())
}

impl Vault {
    /// The keychain's item for this node at this Hub; a file in `state` if the person asked for it or, outside macOS,
    /// if this machine has no keychain at all. A locked keychain is no reason to fall back: nothing is weakened silently.
    #[must_use]
    pub fn open(preference: Preference, state: &Path, node: &str, hub: &str) -> Self {
        let file = || Self::of(file::File::at(state.join(file_name(hub))));
        match preference {
            Preference::File => file(),
            Preference::Auto if cfg!(target_os = "macos") || keychain::there_is_one() => {
                Self::of(keychain::Item::new(node, hub))
            }
            Preference::Auto => file(),
        }
    }

    /// A store of the caller's own.
    #[must_use]
    pub fn of(store: impl Store) -> Self {
        Self { store: Arc::new(store) }
    }

    /// Where it is, for people.
    #[must_use]
    pub fn words(&self) -> String {
        self.store.words()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_hub_has_a_file_of_its_own() {
        let state = tempfile::tempdir().unwrap();
        let at = |hub: &str| Vault::open(Preference::File, state.path(), "node", hub);
        let (one, other) = (at("https://porten.ai"), at("https://hub.example:8443"));
        one.store.store("one").unwrap();
        assert_eq!(other.store.fetch().unwrap(), None);
        assert_eq!(one.store.fetch().unwrap().as_deref(), Some("one"));
        assert!(one.words().ends_with("credential-https---porten-ai.json"), "{}", one.words());
    }
}
