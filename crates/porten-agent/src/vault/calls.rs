//! Calls a vault from async code: one call at a time and in order, none waited for for ever.
//!
//! A keychain can hang for as long as its question stands on the screen. Each call has a thread of its own instead of
//! one of the runtime's: those are needed for the disk and for names, and the process does not end before they do.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::{Store, Vault, VaultError};

/// How long a vault may take before its caller goes on without it: a keychain may be asking the person.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The vault failed or did not answer in time.
#[derive(Debug, thiserror::Error)]
pub enum VaultTrouble {
    /// It failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It may be asking the person.
    #[error("the keychain did not answer in {} s; look for its question on the screen", .0.as_secs())]
    Late(Duration),
    /// What it holds is no credential.
    #[error("what is stored for this Hub does not read; sign in again: porten login")]
    Unreadable,
    /// No thread to call it on.
    #[error("this process cannot start a thread for the keychain")]
    Thread(#[source] std::io::Error),
    /// The process is ending.
    #[error("the agent is stopping")]
    Stopping,
}

/// The way to one vault.
#[derive(Debug)]
pub(crate) struct Calls {
    vault: Vault,
    patience: Duration,
    /// The last call, until it has ended. While it hangs no other is made: it would end in any order.
    last: Option<oneshot::Receiver<()>>,
}

impl Calls {
    pub(crate) const fn new(vault: Vault, patience: Duration) -> Self {
        Self { vault, patience, last: None }
    }

    pub(crate) async fn call<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&dyn Store) -> Result<T, VaultError> + Send + 'static,
    ) -> Result<T, VaultTrouble> {
        let deadline = Instant::now() + self.patience;
        let late = |_| VaultTrouble::Late(self.patience);
        if let Some(last) = &mut self.last {
            // An error says that it ended.
            let _ended = timeout_at(deadline, last).await.map_err(late)?;
        }
        let (ends, ended) = oneshot::channel::<()>();
        let (answer, answered) = oneshot::channel();
        let store = std::sync::Arc::clone(&self.vault.store);
        let work = move || {
            // Whoever asked may have gone on without it.
            let _ = answer.send(call(&*store));
            drop(ends);
        };
        std::thread::Builder::new().name("vault".into()).spawn(work).map_err(VaultTrouble::Thread)?;
        self.last = Some(ended);
        match timeout_at(deadline, answered).await.map_err(late)? {
            Ok(done) => Ok(done?),
            Err(_) => Err(VaultTrouble::Stopping),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::super::file::File;
    use super::*;

    /// Fault E14: a keychain that asks a person and gets no answer is late, and is asked once.
    #[tokio::test]
    async fn a_call_that_hangs_is_late_and_no_other_overtakes_it() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::of(File::at(folder.path().join("secret")));
        let mut calls = Calls::new(vault, Duration::from_millis(50));
        let (unlock, locked) = mpsc::channel::<()>();
        let hangs = move |store: &dyn Store| {
            let _ = locked.recv();
            store.store("old")
        };
        assert!(matches!(calls.call(hangs).await, Err(VaultTrouble::Late(_))));
        assert!(matches!(calls.call(|store| store.store("new")).await, Err(VaultTrouble::Late(_))));
        drop(unlock);
        calls.patience = Duration::from_secs(10);
        assert_eq!(
            calls.call(|store| store.fetch()).await.unwrap().as_deref(),
            Some("old"),
            "the second was never made"
        );
        calls.call(|store| store.store("new")).await.unwrap();
        assert_eq!(calls.call(|store| store.fetch()).await.unwrap().as_deref(), Some("new"));
    }
}
