//! Hands out access tokens: callers hold a [`Credentials`], one task owns the credential and does everything in turn.

mod owner;

use std::time::Duration;

use jiff::Timestamp;
use porten_core::command::Revocation;
use porten_core::config::HubUrl;
use porten_core::secret::Secret;
use porten_core::signin::{Credential, Metadata, metadata};
use porten_core::tunnel::{Failure, Lost};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::hub_http::HubHttp;
use crate::vault::{self, Calls, Vault, VaultTrouble};
use owner::Owner;

/// What helps where a proxy does not do its part.
const PROXY_REMEDY: &str = "Check HTTPS_PROXY or the system's proxy settings; NO_PROXY exempts the Hub";

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
    /// When a person signed in, if that is known.
    pub since: Option<Timestamp>,
}

#[derive(Debug)]
enum Ask {
    Reload(oneshot::Sender<Result<Option<SignedIn>, VaultTrouble>>),
    Access { stale: Option<Secret>, answer: oneshot::Sender<Result<Secret, Failure>> },
    Drop(oneshot::Sender<Result<Option<SignedIn>, VaultTrouble>>),
    Forget(oneshot::Sender<Result<Revocation, VaultTrouble>>),
}

impl Credentials {
    /// Starts the owner. Nothing is read before the first [`Self::reload`] or [`Self::access`].
    #[must_use]
    pub fn spawn(vault: Vault, http: HubHttp, hub: HubUrl, clock: Clock) -> Self {
        Self::spawn_patient(vault, http, hub, clock, vault::PATIENCE)
    }

    /// The same with another patience for the vault.
    #[must_use]
    pub fn spawn_patient(vault: Vault, http: HubHttp, hub: HubUrl, clock: Clock, patience: Duration) -> Self {
        let (to_owner, mut asks) = mpsc::channel(QUEUE);
        let mut owner = Owner::new(Calls::new(vault, patience), http, hub, clock);
        tokio::spawn(async move {
            while let Some(ask) = asks.recv().await {
                answer(&mut owner, ask).await;
            }
        });
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
    /// [`porten_core::tunnel::Refused::SignIn`] if nobody is signed in or the Hub ended it; [`Lost`] if it could not be
    /// asked.
    pub async fn access(&self, stale: Option<Secret>) -> Result<Secret, Failure> {
        let stopping = || Err(Failure::Lost(Lost::Cut));
        self.ask(|answer| Ask::Access { stale, answer }).await.unwrap_or_else(stopping)
    }

    /// Forgets the credential that the Hub no longer accepts. One that a person stored meanwhile is left alone: the
    /// answer is who is signed in now.
    ///
    /// # Errors
    /// It may still be in the store.
    pub async fn drop_refused(&self) -> Result<Option<SignedIn>, VaultTrouble> {
        self.ask(Ask::Drop).await.unwrap_or(Err(VaultTrouble::Stopping))
    }

    /// Revokes the credential at the Hub, as far as it can be reached, and forgets it here.
    ///
    /// # Errors
    /// It may still be in the store.
    pub async fn forget(&self) -> Result<Revocation, VaultTrouble> {
        self.ask(Ask::Forget).await.unwrap_or(Err(VaultTrouble::Stopping))
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.to_owner.send(ask(answer)).await.ok()?;
        answered.await.ok()
    }
}

/// Whoever asked may have left meanwhile; the answer is then nobody's, but what was asked is done to its end.
async fn answer(owner: &mut Owner, ask: Ask) {
    match ask {
        Ask::Reload(answer) => drop(answer.send(owner.reload().await)),
        Ask::Access { stale, answer } => drop(answer.send(owner.access(stale.as_ref()).await)),
        Ask::Drop(answer) => drop(answer.send(owner.drop_refused().await)),
        Ask::Forget(answer) => drop(answer.send(owner.forget().await)),
    }
}

/// What the Hub says about signing in was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum NoMetadata {
    /// Something on the way stands against it, and says what would help: a proxy, a certificate.
    #[error("{why}. {remedy}")]
    Barred {
        /// What.
        why: String,
        /// What to do.
        remedy: &'static str,
        /// As the tunnel knows it.
        failure: Failure,
    },
    /// It does not answer, or answers something else.
    #[error(transparent)]
    Metadata(#[from] metadata::MetadataError),
}

/// What the Hub says about signing in.
///
/// # Errors
/// It cannot be reached, or does not speak this protocol.
pub async fn fetch_metadata(http: &HubHttp, hub: &HubUrl) -> Result<Metadata, NoMetadata> {
    match http.get(&format!("{}{}", hub.origin(), metadata::PATH)).await {
        Ok(reply) => Ok(metadata::read(hub, &reply)?),
        Err(failure) => Err(match &failure {
            Failure::Refused(why) => NoMetadata::Barred { why: why.to_string(), remedy: why.remedy(), failure },
            Failure::Lost(why @ Lost::Proxy(_)) => {
                NoMetadata::Barred { why: why.to_string(), remedy: PROXY_REMEDY, failure }
            }
            Failure::Lost(_) => metadata::MetadataError::Lost { hub: hub.as_str().to_owned() }.into(),
        }),
    }
}

/// Writes the credential into its store.
///
/// # Errors
/// It is not kept.
pub async fn store(vault: &Vault, credential: &Credential) -> Result<(), VaultTrouble> {
    let text = write(credential)?;
    Calls::new(vault.clone(), vault::PATIENCE).call(move |store| store.store(&text)).await
}

fn write(credential: &Credential) -> Result<String, VaultTrouble> {
    serde_json::to_string(credential).map_err(|_| VaultTrouble::Unreadable)
}

fn read(text: &str) -> Result<Credential, VaultTrouble> {
    serde_json::from_str(text).map_err(|_| VaultTrouble::Unreadable)
}
