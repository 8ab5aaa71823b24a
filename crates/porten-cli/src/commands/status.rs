//! `porten status`.

use anyhow::Result;
use jiff::Timestamp;
use porten_agent::local::LocalError;
use porten_core::snapshot::Snapshot;
use serde_json::{Value, json};

use crate::commands::pictures;
use crate::exit::{Exit, Told};
use crate::printer::{clear, is_watched, say, say_json};
use crate::shell::Shell;
use crate::words;

pub(crate) async fn run(shell: &Shell, watch: bool) -> Result<Exit> {
    let agent = shell.agent()?;
    if !watch {
        match agent.snapshot().await {
            Ok(snapshot) => {
                show(&snapshot, shell.json)?;
                shell.note_other_hub(&snapshot);
            }
            Err(error @ LocalError::NotRunning) if shell.json => {
                let told = Told::of(&error.into());
                say_json(&with_running(told.json(), false));
                return Ok(told.exit);
            }
            Err(error) => return Err(error.into()),
        }
        return Ok(Exit::Done);
    }
    // A person looks; a program that reads JSON only follows.
    let mut pictures = if shell.json { agent.watch().await? } else { agent.look().await? };
    loop {
        let Some(snapshot) = pictures::next(&mut pictures).await? else { return Ok(Exit::Done) };
        if !shell.json {
            clear();
        }
        show(&snapshot, shell.json)?;
        if !shell.json && !is_watched() {
            say("");
        }
    }
}

fn show(snapshot: &Snapshot, json: bool) -> Result<()> {
    if json {
        say_json(&with_running(serde_json::to_value(snapshot)?, true));
    } else {
        words::status(snapshot, Timestamp::now()).iter().for_each(|line| say(line));
    }
    Ok(())
}

fn with_running(mut document: Value, running: bool) -> Value {
    document["running"] = json!(running);
    document
}
