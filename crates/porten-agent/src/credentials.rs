//! The one owner of the credential: hands out access tokens, renews them before they run out, keeps them stored.
//!
//! One task does it all in turn, so two callers never renew at once: to the Hub, the second would look like a thief.

use std::time::Duration;

use porten_core::config::HubUrl;
use porten_core::secret::Secret;
use porten_core::signin::refresh::{self, Decision, RefreshError};
use porten_core::signin::{Credential, Form, Metadata, metadata};
use porten_core::tunnel::{Failure, Lost, Refused};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::hub_http::HubHttp;
use crate::vault::{Vault, VaultError};

/// How long a keychain may take (it may be asking the person) before its caller goes on without it.
const KEYCHAIN_DEADLINE: Duration = Duration::from_secs(10);
/// Requests waiting for the owner; there are a handful of callers.
const QUEUE: usize = 16;

/// A handle to the owner; the owner ends with the last of them.
#[derive(Debug, Clone)]
pub struct Credentials {
    to_owner: mpsc::Sender<Ask>,
}

/// Who is signed in, as far as the credential says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// The account's name, if the Hub told it.
    pub account: Option<String>,
}

#[derive(Debug)]
enum Ask {
    Reload(oneshot::Sender<Result<Option<SignedIn>, VaultTrouble>>),
    Access { stale: Option<Secret>, answer: oneshot::Sender<Result<Secret, Failure>> },
    Forget { revoke: bool, answer: oneshot::Sender<Result<(), VaultTrouble>> },
}

/// The store failed or did not answer in time.
#[derive(Debug, thiserror::Error)]
pub enum VaultTrouble {
    /// It failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// It may be asking the person.
    #[error("the keychain did not answer in {} s; look for its question on the screen", KEYCHAIN_DEADLINE.as_secs())]
    Late,
    /// What it holds is no credential.
    #[error("what is stored for this Hub does not read; sign in again: porten login")]
    Unreadable,
    /// The process is ending.
    #[error("the agent is stopping")]
    Stopping,
}

impl Credentials {
    /// Starts the owner. Nothing is read before the first [`Self::reload`] or [`Self::access`].
    #[must_use]
    pub fn spawn(vault: Vault, http: HubHttp, hub: HubUrl, clock: Clock) -> Self {
        let (to_owner, asks) = mpsc::channel(QUEUE);
        let owner = Owner { vault, http, hub, clock, metadata: None, credential: None };
        tokio::spawn(owner.run(asks));
        Self { to_owner }
    }

    /// Reads the store again: who is signed in now.
    ///
    /// # Errors
    /// The store failed.
    pub async fn reload(&self) -> Result<Option<SignedIn>, VaultTrouble> {
        self.ask(Ask::Reload).await.unwrap_or(Err(VaultTrouble::Stopping))
    }

    /// An access token that is good now; another one than `stale`, if the Hub has just refused that.
    ///
    /// # Errors
    /// [`Refused::SignIn`] if nobody is signed in or the Hub ended it; [`Lost`] if it could not be asked.
    pub async fn access(&self, stale: Option<Secret>) -> Result<Secret, Failure> {
        let stopping = || Err(Failure::Lost(Lost::Cut));
        self.ask(|answer| Ask::Access { stale, answer }).await.unwrap_or_else(stopping)
    }

    /// Forgets the credential, here and (if `revoke`) at the Hub, as far as it can be reached.
    ///
    /// # Errors
    /// It may still be in the store.
    pub async fn forget(&self, revoke: bool) -> Result<(), VaultTrouble> {
        self.ask(|answer| Ask::Forget { revoke, answer }).await.unwrap_or(Err(VaultTrouble::Stopping))
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.to_owner.send(ask(answer)).await.ok()?;
        answered.await.ok()
    }
}

struct Owner {
    vault: Vault,
    http: HubHttp,
    hub: HubUrl,
    clock: Clock,
    metadata: Option<Metadata>,
    credential: Option<Credential>,
}

impl Owner {
    async fn run(mut self, mut asks: mpsc::Receiver<Ask>) {
        // Whoever asked may have left meanwhile; the answer is then nobody's.
        while let Some(ask) = asks.recv().await {
            match ask {
                Ask::Reload(answer) => {
                    let told = self.reload().await;
                    let _ = answer.send(told);
                }
                Ask::Access { stale, answer } => {
                    let token = self.access(stale.as_ref()).await;
                    let _ = answer.send(token);
                }
                Ask::Forget { revoke, answer } => {
                    let told = self.forget(revoke).await;
                    let _ = answer.send(told);
                }
            }
        }
    }

    async fn reload(&mut self) -> Result<Option<SignedIn>, VaultTrouble> {
        self.credential = None;
        let Some(text) = off_the_loop(&self.vault, Vault::fetch).await? else { return Ok(None) };
        let credential: Credential = serde_json::from_str(&text).map_err(|_| VaultTrouble::Unreadable)?;
        // Another Hub's credential is never shown to this one.
        self.credential = Some(credential).filter(|credential| credential.belongs_to(&self.hub));
        Ok(self.credential.as_ref().map(|credential| SignedIn { account: credential.account.clone() }))
    }

    async fn access(&mut self, stale: Option<&Secret>) -> Result<Secret, Failure> {
        if self.credential.is_none() {
            self.reload().await.map_err(|trouble| Failure::Lost(Lost::Keychain(trouble.to_string())))?;
        }
        let Some(credential) = &self.credential else { return Err(Failure::Refused(Refused::SignIn)) };
        let refused = stale.is_some_and(|stale| *stale == credential.access);
        if refused || refresh::decide(credential, self.clock.now()) == Decision::RefreshNow {
            let credential = credential.clone();
            return self.renew(&credential).await;
        }
        Ok(credential.access.clone())
    }

    /// A fresh pair of tokens, in the store before its access token is used: a crash in between costs nothing.
    async fn renew(&mut self, old: &Credential) -> Result<Secret, Failure> {
        let url = self.metadata().await?.token.clone();
        let reply = self.http.post(&url, &Form::refresh(old)).await;
        let fresh = refresh::read(old, &reply, self.clock.now().wall).map_err(|error| {
            tracing::warn!(%error, "sign-in not renewed");
            match error {
                RefreshError::SignedOut { .. } => Failure::Refused(Refused::SignIn),
                RefreshError::Lost { why, .. } => Failure::Lost(Lost::SignInUnreachable(why.to_string())),
            }
        })?;
        store(&self.vault, &fresh).await.map_err(|trouble| Failure::Lost(Lost::Keychain(trouble.to_string())))?;
        let access = fresh.access.clone();
        self.credential = Some(fresh);
        Ok(access)
    }

    async fn metadata(&mut self) -> Result<&Metadata, Failure> {
        let metadata = match self.metadata.take() {
            Some(metadata) => metadata,
            None => fetch_metadata(&self.http, &self.hub).await.map_err(|error| match error {
                metadata::MetadataError::Lost { .. } => Failure::Lost(Lost::SignInUnreachable("no answer".into())),
                metadata::MetadataError::Foreign { why, .. } => Failure::Refused(Refused::NotPorten(why.to_string())),
                other => Failure::Refused(Refused::NotPorten(other.to_string())),
            })?,
        };
        Ok(self.metadata.insert(metadata))
    }

    async fn forget(&mut self, revoke: bool) -> Result<(), VaultTrouble> {
        if revoke {
            // Best effort: who signs out offline is still signed out here.
            let _ = self.reload().await;
            if let Some(credential) = self.credential.clone()
                && let Ok(metadata) = self.metadata().await
                && let Some(url) = metadata.revocation.clone()
            {
                self.http.post(&url, &Form::revoke(&credential)).await;
            }
        }
        self.credential = None;
        off_the_loop(&self.vault, Vault::forget).await
    }
}

/// What the Hub says about signing in.
///
/// # Errors
/// It cannot be reached, or does not speak this protocol.
pub async fn fetch_metadata(http: &HubHttp, hub: &HubUrl) -> Result<Metadata, metadata::MetadataError> {
    let reply = http.get(&format!("{}{}", hub.origin(), metadata::PATH)).await;
    metadata::read(hub, &reply)
}

/// Writes the credential into its store.
///
/// # Errors
/// It is not kept.
pub async fn store(vault: &Vault, credential: &Credential) -> Result<(), VaultTrouble> {
    let text = serde_json::to_string(credential).map_err(|_| VaultTrouble::Unreadable)?;
    off_the_loop(vault, move |vault| vault.store(&text)).await
}

/// A store blocks, and may be waiting for a person: off the runtime's threads, and not for ever.
async fn off_the_loop<T: Send + 'static>(
    vault: &Vault,
    call: impl FnOnce(&Vault) -> Result<T, VaultError> + Send + 'static,
) -> Result<T, VaultTrouble> {
    let vault = vault.clone();
    let call = tokio::task::spawn_blocking(move || call(&vault));
    match tokio::time::timeout(KEYCHAIN_DEADLINE, call).await {
        Ok(Ok(done)) => Ok(done?),
        Ok(Err(_)) => Err(VaultTrouble::Stopping),
        Err(_) => Err(VaultTrouble::Late),
    }
}
