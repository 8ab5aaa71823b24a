//! One item in the system's keychain (macOS login keychain, Secret Service elsewhere).

use keyring::{Entry, Error};

use super::{Store, VaultError};

/// What the item is called in Keychain Access.
const SERVICE: &str = "Porten";

/// One node's item at one Hub.
#[derive(Debug)]
pub(super) struct Item {
    user: String,
}

/// Whether this system has a keychain service at all.
pub(super) fn there_is_one() -> bool {
    Entry::store_status().is_ok()
}

impl Item {
    pub(super) fn new(node: &str, hub: &str) -> Self {
        Self { user: format!("{node} at {hub}") }
    }

    fn entry(&self) -> Result<Entry, VaultError> {
        Entry::new(SERVICE, &self.user).map_err(classify)
    }
}

impl Store for Item {
    fn words(&self) -> String {
        let name = if cfg!(target_os = "macos") { "the Keychain" } else { "the system's keyring" };
        name.to_owned()
    }

    fn store(&self, secret: &str) -> Result<(), VaultError> {
        self.entry()?.set_password(secret).map_err(classify)
    }

    fn fetch(&self) -> Result<Option<String>, VaultError> {
        match self.entry()?.get_password() {
            Ok(secret) => Ok(Some(secret)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(classify(error)),
        }
    }

    fn forget(&self) -> Result<(), VaultError> {
        match self.entry()?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(classify(error)),
        }
    }
}

fn classify(error: Error) -> VaultError {
    match error {
        Error::NoStorageAccess(_) => VaultError::Denied(error),
        _ => VaultError::Keychain(error),
    }
}
