//! Signs this machine in: drives core's device-grant machine over real HTTP and stores what comes of it.

use std::time::Duration;

use porten_core::config::HubUrl;
use porten_core::reply::Reply;
use porten_core::signin::device::{Effect, Input, Prompt, SignInError};
use porten_core::signin::{Credential, Device};

use crate::clock::Clock;
use crate::credentials::{NoMetadata, fetch_metadata, store};
use crate::hub_http::HubHttp;
use crate::vault::{Vault, VaultTrouble};

/// Nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The Hub cannot be asked, or is none.
    #[error(transparent)]
    Hub(#[from] NoMetadata),
    /// The Hub or the person said no.
    #[error(transparent)]
    SignIn(#[from] SignInError),
    /// The Hub said yes, but the credential could not be kept.
    #[error("signed in, but the credential could not be kept: {0}")]
    Store(#[from] VaultTrouble),
}

/// What the person is to know while it is under way.
#[derive(Debug)]
pub enum News<'a> {
    /// The page and the code.
    Prompt(&'a Prompt),
    /// The Hub asked to wait longer: it is asked this far apart now
    /// ([`porten_core::signin::device::slower`] says it).
    Slower(Duration),
}

/// Signs in; `tell` gets what is for the person. The credential is stored when this returns.
///
/// # Errors
/// See [`LoginError`]; its text is for the person.
pub async fn login(
    http: &HubHttp,
    hub: &HubUrl,
    vault: &Vault,
    (node, name): (&str, &str),
    mut tell: impl FnMut(News<'_>),
) -> Result<Credential, LoginError> {
    let clock = Clock::start();
    let mut device = Device::new(fetch_metadata(http, hub).await?);
    let mut effects = vec![device.ask(node, name, clock.now())];
    loop {
        let mut next = Vec::new();
        for effect in effects {
            match effect {
                Effect::Post { url, form } => {
                    // The machine asks again; what bars the way was told when it looked for the Hub.
                    let reply = http.post(&url, &form).await.unwrap_or(Reply::Lost);
                    next.extend(device.on(Input::Reply(reply), clock.now()));
                }
                Effect::Show(prompt) => tell(News::Prompt(&prompt)),
                Effect::Slower(every) => tell(News::Slower(every)),
                Effect::Done(credential) => {
                    store(vault, &credential).await?;
                    return Ok(credential);
                }
                Effect::Failed(error) => return Err(error.into()),
            }
        }
        effects = next;
        if effects.is_empty() {
            let deadline = device.deadline().ok_or(SignInError::Expired)?;
            tokio::time::sleep_until(clock.instant(deadline)).await;
            effects = device.on(Input::Due, clock.now());
        }
    }
}
