//! `porten logout`.

use anyhow::Result;
use porten_agent::local::{Local, LocalError};
use porten_agent::setup::Setup;
use porten_core::command::Command;

use crate::exit::Exit;
use crate::printer::say;

pub(crate) async fn run(setup: &Setup) -> Result<Exit> {
    setup.places.prepare()?;
    let hub = setup.config.hub.value.as_str();
    match Local::at(&setup.places.socket())?.send(&Command::SignOut).await {
        Ok(()) => {}
        Err(LocalError::NotRunning) => {
            let credentials = setup.credentials()?;
            let signed_in = credentials.reload().await;
            credentials.forget(true).await?;
            if matches!(signed_in, Ok(None)) {
                say("Nobody was signed in.");
                return Ok(Exit::Done);
            }
        }
        Err(error) => return Err(error.into()),
    }
    say("Signed out: nothing is stored here any more.");
    say(&format!("The Hub at {hub} was told; if it could not be reached, end this machine's access there."));
    Ok(Exit::Done)
}
