//! `porten online` and `porten offline`.

use anyhow::Result;
use porten_agent::local::{Local, LocalError};
use porten_agent::setup::Setup;
use porten_agent::wishes::Wishes;
use porten_core::command::Command;

use crate::exit::Exit;
use crate::printer::say;

/// Writes the wish down for the next agent.
pub(crate) fn keep(setup: &Setup, online: bool) -> Result<()> {
    setup.places.prepare()?;
    let mut wishes = Wishes::fetch(&setup.places.state);
    wishes.go(online);
    Ok(wishes.store(&setup.places.state)?)
}

pub(crate) async fn online(setup: &Setup, online: bool) -> Result<Exit> {
    match Local::at(&setup.places.socket())?.send(&Command::SetOnline { online }).await {
        Ok(()) if online => say("Going online."),
        Ok(()) => say("Going offline: running requests are finished within 10 min, no new ones are taken."),
        Err(LocalError::NotRunning) => {
            keep(setup, online)?;
            let word = if online { "online" } else { "offline" };
            say(&format!("No agent is running; the next one will be {word}."));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(Exit::Done)
}
