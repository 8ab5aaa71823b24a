//! `porten status`.

use anyhow::Result;
use jiff::Timestamp;
use porten_agent::local::{Local, LocalError};
use porten_agent::setup::Setup;
use porten_core::snapshot::Snapshot;

use crate::commands::pictures;
use crate::exit::Exit;
use crate::printer::{clear, is_watched, say};
use crate::words;

pub(crate) async fn run(setup: &Setup, json: bool, watch: bool) -> Result<Exit> {
    let agent = Local::at(&setup.places.socket())?;
    if !watch {
        match agent.snapshot().await {
            Ok(snapshot) => show(&snapshot, json)?,
            Err(error @ LocalError::NotRunning) if json => {
                say(r#"{"running":false}"#);
                return Err(error.into());
            }
            Err(error) => return Err(error.into()),
        }
        return Ok(Exit::Done);
    }
    // A person looks; a program that reads JSON only follows.
    let mut pictures = if json { agent.watch().await? } else { agent.look().await? };
    loop {
        let snapshot = match pictures::next(&mut pictures).await? {
            Ok(snapshot) => snapshot,
            Err(exit) => return Ok(exit),
        };
        if !json {
            clear();
        }
        show(&snapshot, json)?;
        if !json && !is_watched() {
            say("");
        }
    }
}

fn show(snapshot: &Snapshot, json: bool) -> Result<()> {
    if json {
        say(&serde_json::to_string(snapshot)?);
    } else {
        words::status(snapshot, Timestamp::now()).iter().for_each(|line| say(line));
    }
    Ok(())
}
