//! Signs this machine in: drives core's device-grant machine over real HTTP and stores what comes of it.

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

/// Signs in; `show` gets the page and the code for the person. The credential is stored when this returns.
///
/// # Errors
/// See [`LoginError`]; its text is for the person.
pub async fn login(
    http: &HubHttp,
    hub: &HubUrl,
    vault: &Vault,
    (node, name): (&str, &str),
    mut show: impl FnMut(&Prompt),
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
                Effect::Show(prompt) => show(&prompt),
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
