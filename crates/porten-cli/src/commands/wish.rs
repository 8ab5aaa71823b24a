//! `porten online` and `porten offline`.

use anyhow::Result;
use porten_agent::local::LocalError;
use porten_agent::places::Places;
use porten_agent::wishes::Wishes;
use porten_core::command::Command;
use serde_json::json;

use crate::exit::Exit;
use crate::printer::{say, say_json};
use crate::shell::Shell;

/// Writes the wish down for the next agent.
pub(crate) fn keep(places: &Places, online: bool) -> Result<()> {
    places.prepare()?;
    let mut wishes = Wishes::fetch(&places.state);
    wishes.go(online);
    Ok(wishes.store(&places.state)?)
}

pub(crate) async fn online(shell: &Shell, online: bool) -> Result<Exit> {
    let agent = shell.agent()?;
    let hub = match agent.snapshot().await {
        Ok(picture) => {
            if online {
                shell.same_hub(&picture)?;
            } else {
                shell.note_other_hub(&picture);
            }
            agent.send(&Command::SetOnline { online }).await?;
            Some(picture.hub.url)
        }
        Err(LocalError::NotRunning) => {
            keep(&shell.places, online)?;
            None
        }
        Err(error) => return Err(error.into()),
    };
    if shell.json {
        let agent = if hub.is_some() { "running" } else { "not_running" };
        say_json(&json!({ "online": online, "agent": agent, "hub": hub }));
        return Ok(Exit::Done);
    }
    match (hub, online) {
        (Some(hub), true) => say(&format!("Going online at {hub}.")),
        (Some(hub), false) => say(&format!(
            "Going offline from {hub}: running requests are finished within 10 min, no new ones are taken."
        )),
        (None, true) => say("No agent is running; the next one will be online."),
        (None, false) => say("No agent is running; the next one will be offline."),
    }
    Ok(Exit::Done)
}
