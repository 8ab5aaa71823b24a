//! `porten models`.

use anyhow::Result;
use porten_agent::local::Local;
use porten_agent::setup::Setup;
use porten_core::command::Command;
use porten_core::ids::ModelId;

use crate::args::Switch;
use crate::exit::Exit;
use crate::printer::{complain, say};
use crate::words;

pub(crate) async fn run(setup: &Setup, json: bool, action: Option<Switch>) -> Result<Exit> {
    let agent = Local::at(&setup.places.socket())?;
    let (id, on) = match action {
        None => {
            let snapshot = agent.snapshot().await?;
            if json {
                say(&serde_json::to_string_pretty(&snapshot.models)?);
            } else {
                words::models(&snapshot, jiff::Timestamp::now()).iter().for_each(|line| say(line));
            }
            return Ok(Exit::Done);
        }
        Some(Switch::On { id }) => (id, true),
        Some(Switch::Off { id }) => (id, false),
    };
    let Ok(model) = ModelId::read(&id) else {
        complain(&format!("{id:?} is no model id; `porten models` lists them"));
        return Ok(Exit::Wrong);
    };
    agent.send(&Command::SetModel { id: model, on }).await?;
    say(&format!("{id} is wanted {}.", if on { "on" } else { "off" }));
    Ok(Exit::Done)
}
