//! Where the credential is kept: the system's keychain, or a private file where there is none.

mod file;
mod keychain;

use std::path::{Path, PathBuf};

use porten_core::config::Keychain as Preference;

/// The credential's store. All calls block: the keychain may ask the person.
#[derive(Debug, Clone)]
pub struct Vault {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Keychain(keychain::Item),
    File(PathBuf),
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
        let file = || Kind::File(state.join(file_name(hub)));
        let kind = match preference {
            Preference::File => file(),
            Preference::Auto if cfg!(target_os = "macos") || keychain::there_is_one() => {
                Kind::Keychain(keychain::Item::new(node, hub))
            }
            Preference::Auto => file(),
        };
        Self { kind }
    }

    /// Where it is, for people.
    #[must_use]
    pub fn words(&self) -> String {
        match &self.kind {
            Kind::Keychain(_) if cfg!(target_os = "macos") => "the Keychain".to_owned(),
            Kind::Keychain(_) => "the system's keyring".to_owned(),
            Kind::File(path) => format!("a file only you can read, {}", path.display()),
        }
    }

    /// Keeps the secret, replacing the last.
    ///
    /// # Errors
    /// It is not kept.
    pub fn store(&self, secret: &str) -> Result<(), VaultError> {
        match &self.kind {
            Kind::Keychain(item) => item.store(secret),
            Kind::File(path) => file::store(path, secret),
        }
    }

    /// The kept secret, if there is one.
    ///
    /// # Errors
    /// It cannot be read; nothing is known about whether there is one.
    pub fn fetch(&self) -> Result<Option<String>, VaultError> {
        match &self.kind {
            Kind::Keychain(item) => item.fetch(),
            Kind::File(path) => file::fetch(path),
        }
    }

    /// Removes it; that there is none is no error.
    ///
    /// # Errors
    /// It may still be there.
    pub fn forget(&self) -> Result<(), VaultError> {
        match &self.kind {
            Kind::Keychain(item) => item.forget(),
            Kind::File(path) => file::forget(path),
        }
    }
}
