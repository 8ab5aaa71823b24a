//! Hashes and checks passphrases with argon2id, a few at a time, off the async threads.

use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use porten_core::secret::Secret;
use tokio::sync::Semaphore;

/// Checks that run at a time: each takes 19 MiB and some 20 ms of a core, so a flood of guesses must queue.
const AT_A_TIME: usize = 2;
/// How long a check waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);
/// The hash that is checked when there is no such account, so that the time taken tells nothing. It was made of random
/// letters that nobody kept.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$vkO3V15DAShLJhFGCBOq4A$+ZodTY1EqRFt060GD2MHnARFdTDVmO6NxqQZjD9eRR4";
/// The longest passphrase that is looked at (bytes).
pub(crate) const MAX_PASSPHRASE: usize = 200;

/// A passphrase could not be hashed or checked.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// Too many people sign in at this moment.
    #[error("too many sign-ins at a time")]
    Busy,
    /// argon2 refused, or the stored hash is none.
    #[error("the passphrase could not be processed")]
    Argon2(#[from] argon2::password_hash::Error),
    /// The stored hash is none.
    #[error("the stored passphrase hash does not read")]
    Stored(#[from] argon2::password_hash::phc::Error),
    /// The thread that did it ended.
    #[error("the passphrase check was interrupted")]
    Interrupted,
}

/// The hash to store for a passphrase (PHC string). Takes a while: not for an async thread.
///
/// # Errors
/// argon2 refused.
pub(crate) fn hash(passphrase: &Secret) -> Result<String, PassphraseError> {
    Ok(Argon2::default().hash_password(passphrase.expose().as_bytes())?.to_string())
}

/// The one place where passphrases are checked.
#[derive(Debug)]
pub(crate) struct Checker {
    turns: Semaphore,
}

impl Checker {
    pub(crate) const fn new() -> Self {
        Self { turns: Semaphore::const_new(AT_A_TIME) }
    }

    /// Whether `tried` is the passphrase behind `stored`; never for an account that is not there.
    pub(crate) async fn check(&self, stored: Option<String>, tried: String) -> Result<bool, PassphraseError> {
        if tried.len() > MAX_PASSPHRASE {
            return Ok(false);
        }
        let turn = tokio::time::timeout(PATIENCE, self.turns.acquire()).await;
        let _turn = turn.map_err(|_| PassphraseError::Busy)?.map_err(|_| PassphraseError::Interrupted)?;
        let is_somebody = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
        let check = move || {
            let stored = PasswordHash::new(&stored)?;
            Ok(Argon2::default().verify_password(tried.as_bytes(), &stored).is_ok())
        };
        let fits: Result<bool, PassphraseError> =
            tokio::task::spawn_blocking(check).await.map_err(|_| PassphraseError::Interrupted)?;
        Ok(fits? && is_somebody)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_passphrase_of_an_account_that_is_there_is_right() {
        let checker = Checker::new();
        let passphrase = crate::secret::passphrase();
        let stored = hash(&passphrase).unwrap();
        let cost = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(cost(&stored), cost(NOBODY), "nobody takes as long as somebody");
        let right = passphrase.expose().to_owned();
        assert!(checker.check(Some(stored.clone()), right.clone()).await.unwrap());
        assert!(!checker.check(Some(stored.clone()), format!("{right}x")).await.unwrap());
        assert!(!checker.check(None, right.clone()).await.unwrap());
        assert!(!checker.check(Some(stored), right.repeat(100)).await.unwrap());
    }
}
