//! The credential itself: renewed before it runs out, kept before it is used, never two renewals at once.
//!
//! A refresh token is good once; to the Hub, a second use of it looks like a thief and ends the sign-in. So a renewal
//! begins only when the store answers, and a fresh pair that could not be kept is held until it can be.

use std::time::Duration;

use porten_core::command::Revocation;
use porten_core::config::HubUrl;
use porten_core::reply::Reply;
use porten_core::secret::Secret;
use porten_core::signin::metadata::MetadataError;
use porten_core::signin::refresh::{self, Decision, RefreshError};
use porten_core::signin::{Credential, Form, Metadata};
use porten_core::tunnel::{Failure, Lost, Refused};

use super::{NoMetadata, SignedIn, fetch_metadata, read, write};
use crate::clock::Clock;
use crate::hub_http::HubHttp;
use crate::vault::{Calls, Store, VaultError, VaultTrouble};

/// How long signing out may wait for the Hub; who signs out offline is still signed out here.
const REVOKE_PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Owner {
    vault: Calls,
    http: HubHttp,
    hub: HubUrl,
    clock: Clock,
    metadata: Option<Metadata>,
    /// As it is in the store.
    held: Option<Credential>,
    /// What takes its place once it is in the store.
    unkept: Option<Credential>,
}

impl Owner {
    pub(super) const fn new(vault: Calls, http: HubHttp, hub: HubUrl, clock: Clock) -> Self {
        Self { vault, http, hub, clock, metadata: None, held: None, unkept: None }
    }

    pub(super) async fn reload(&mut self) -> Result<Option<SignedIn>, VaultTrouble> {
        let text = self.vault.call(|store| store.fetch()).await?;
        let stored = text.as_deref().map(read).transpose()?;
        // Another Hub's credential is never shown to this one.
        let stored = stored.filter(|credential| credential.belongs_to(&self.hub));
        if stored != self.held {
            // Somebody signed in or out: a fresh pair of the last sign-in is worth nothing.
            self.unkept = None;
            self.held = stored;
        }
        Ok(self.signed_in())
    }

    fn signed_in(&self) -> Option<SignedIn> {
        self.held
            .as_ref()
            .map(|credential| SignedIn { account: credential.account.clone(), since: credential.signed_in_at })
    }

    pub(super) async fn access(&mut self, stale: Option<&Secret>) -> Result<Secret, Failure> {
        if self.unkept.is_some() {
            self.keep().await.map_err(|trouble| keychain(&trouble))?;
        }
        if self.held.is_none() {
            self.reload().await.map_err(|trouble| keychain(&trouble))?;
        }
        match self.good(stale)? {
            Some(access) => Ok(access),
            None => self.renew(stale).await,
        }
    }

    /// The access token held, if it can be used now.
    fn good(&self, stale: Option<&Secret>) -> Result<Option<Secret>, Failure> {
        let held = self.held.as_ref().ok_or(Failure::Refused(Refused::SignIn))?;
        let refused = stale == Some(&held.access);
        let due = refresh::decide(held, self.clock.now()) == Decision::RefreshNow;
        Ok((!refused && !due).then(|| held.access.clone()))
    }

    async fn renew(&mut self, stale: Option<&Secret>) -> Result<Secret, Failure> {
        // A store that does not answer now would not keep the fresh pair either; and somebody may have signed in anew.
        self.reload().await.map_err(|trouble| keychain(&trouble))?;
        if let Some(access) = self.good(stale)? {
            return Ok(access);
        }
        let old = self.held.clone().ok_or(Failure::Refused(Refused::SignIn))?;
        let url = self.metadata().await?.token.clone();
        let reply = self.http.post(&url, &Form::refresh(&old)).await.map_err(no_way)?;
        let fresh = refresh::read(&old, &reply, self.clock.now().wall).map_err(|error| {
            tracing::warn!(%error, "sign-in not renewed");
            // Its address may have changed.
            self.metadata = None;
            not_renewed(&error, &reply)
        })?;
        self.unkept = Some(fresh);
        self.keep().await.map_err(|trouble| keychain(&trouble))?;
        let held = self.held.as_ref().ok_or(Failure::Refused(Refused::SignIn))?;
        Ok(held.access.clone())
    }

    /// Moves the fresh pair into the store; not over a sign-in that a person made meanwhile.
    async fn keep(&mut self) -> Result<(), VaultTrouble> {
        let (Some(old), Some(fresh)) = (self.held.clone(), self.unkept.clone()) else { return Ok(()) };
        let text = write(&fresh)?;
        let is_kept = move |store: &dyn Store| match store.fetch()?.as_deref().map(read) {
            Some(Ok(stored)) if stored == old => store.store(&text).map(|()| true),
            Some(Ok(stored)) => Ok(stored == fresh),
            _ => Ok::<_, VaultError>(false),
        };
        if self.vault.call(is_kept).await? {
            self.held = self.unkept.take();
        } else {
            self.reload().await?;
        }
        Ok(())
    }

    async fn metadata(&mut self) -> Result<&Metadata, Failure> {
        let metadata = match self.metadata.take() {
            Some(metadata) => metadata,
            None => fetch_metadata(&self.http, &self.hub).await.map_err(|error| match error {
                NoMetadata::Barred { failure, .. } => failure,
                NoMetadata::Metadata(MetadataError::Lost { .. }) => {
                    Failure::Lost(Lost::SignInUnreachable("no answer".into()))
                }
                NoMetadata::Metadata(MetadataError::Foreign { why, .. }) => {
                    Failure::Refused(Refused::NotPorten(why.to_string()))
                }
                NoMetadata::Metadata(other) => Failure::Refused(Refused::NotPorten(other.to_string())),
            })?,
        };
        Ok(self.metadata.insert(metadata))
    }

    pub(super) async fn drop_refused(&mut self) -> Result<Option<SignedIn>, VaultTrouble> {
        if let Some(refused) = self.held.clone() {
            let drop_it = move |store: &dyn Store| match store.fetch()?.as_deref().map(read) {
                Some(Ok(stored)) if stored == refused => store.forget(),
                _ => Ok(()),
            };
            self.vault.call(drop_it).await?;
        }
        self.reload().await
    }

    pub(super) async fn forget(&mut self) -> Result<Revocation, VaultTrouble> {
        // What is in memory will do if the store does not answer.
        let _ = self.reload().await;
        let revoked = tokio::time::timeout(REVOKE_PATIENCE, self.revoke()).await;
        let revoked = revoked.unwrap_or(Revocation::Unreachable);
        if !matches!(revoked, Revocation::Revoked | Revocation::NobodySignedIn) {
            tracing::warn!(?revoked, "the Hub did not take the sign-out");
        }
        self.held = None;
        self.unkept = None;
        self.vault.call(|store| store.forget()).await?;
        Ok(revoked)
    }

    async fn revoke(&mut self) -> Revocation {
        let Some(credential) = self.unkept.as_ref().or(self.held.as_ref()).cloned() else {
            return Revocation::NobodySignedIn;
        };
        let url = match self.metadata().await {
            Ok(metadata) => metadata.revocation.clone(),
            Err(_) => return Revocation::Unreachable,
        };
        let Some(url) = url else { return Revocation::NotTaken };
        match self.http.post(&url, &Form::revoke(&credential)).await {
            Ok(Reply::Answer { status: 200, .. }) => Revocation::Revoked,
            Ok(Reply::Answer { .. }) => Revocation::NotTaken,
            Ok(Reply::Lost) | Err(_) => Revocation::Unreachable,
        }
    }
}

fn keychain(trouble: &VaultTrouble) -> Failure {
    Failure::Lost(Lost::Keychain(trouble.to_string()))
}

/// There was no way to the sign-in: what the tunnel would say of it stands, but for a Hub that is only not there.
fn no_way(failure: Failure) -> Failure {
    match failure {
        Failure::Lost(Lost::Unreachable(why)) => Failure::Lost(Lost::SignInUnreachable(why)),
        Failure::Lost(Lost::TimedOut | Lost::Cut) => Failure::Lost(Lost::SignInUnreachable("no answer".into())),
        other => other,
    }
}

fn not_renewed(error: &RefreshError, reply: &Reply) -> Failure {
    match (error, reply) {
        (RefreshError::SignedOut { .. }, _) => Failure::Refused(Refused::SignIn),
        (RefreshError::Lost { retry_after: Some(wait), .. }, Reply::Answer { status, .. }) => {
            Failure::Lost(Lost::Busy { status: *status, retry_after: Some(*wait) })
        }
        (RefreshError::Lost { why, .. }, _) => Failure::Lost(Lost::SignInUnreachable(why.to_string())),
    }
}
