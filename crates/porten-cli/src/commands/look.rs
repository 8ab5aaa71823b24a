//! `porten` without a command: what runs here, or what is still to be done. It looks, and writes nothing.

use anyhow::Result;
use jiff::Timestamp;
use porten_agent::engine::test;
use porten_agent::local::LocalError;
use porten_agent::node::known_id;
use porten_agent::setup::Setup;
use porten_core::snapshot::Snapshot;
use serde_json::json;

use crate::exit::Exit;
use crate::printer::{say, say_json};
use crate::shell::Shell;
use crate::words;

pub(crate) async fn run(shell: Shell) -> Result<Exit> {
    match shell.agent()?.snapshot().await {
        Ok(picture) => {
            if shell.json {
                running(&picture)?;
            } else {
                words::status(&picture, Timestamp::now()).iter().for_each(|line| say(line));
                shell.note_other_hub(&picture);
            }
            return Ok(Exit::Done);
        }
        Err(LocalError::NotRunning) => {}
        Err(error) => return Err(error.into()),
    }
    let json = shell.json;
    let setup = shell.settings()?;
    let config = &setup.config;
    let set = config.engine_url.as_ref().map(|set| set.value.as_str());
    let engine = test(set, config.engine_allow_remote.value, config.engine.clone()).await;
    let signed_in = signed_in(&setup).await;
    let next = next(signed_in, engine.answers);
    if json {
        say_json(&json!({
            "running": false,
            "status": null,
            "hub": config.hub.value.as_str(),
            "signed_in": signed_in,
            "engine": engine,
            "next": next.iter().map(|(command, why)| json!({ "command": command, "why": why })).collect::<Vec<_>>(),
        }));
        return Ok(Exit::Done);
    }
    say(&format!("porten {}: no agent is running on this machine.", env!("CARGO_PKG_VERSION")));
    say("");
    say(&format!("  Hub       {} ({})", config.hub.value, config.hub.origin));
    say(&format!("  Sign-in   {}", sign_in_words(signed_in)));
    say(&format!("  Engine    {}", engine.text));
    let file = &setup.places.config;
    let there = if file.exists() { "" } else { " (not there: defaults hold)" };
    say(&format!("  Settings  {}{there}", file.display()));
    say("");
    for (n, (command, why)) in next.iter().enumerate() {
        say(&format!("{}{command:<32}  {why}", if n == 0 { "Next:  " } else { "       " }));
    }
    say("");
    say("All commands: porten --help");
    Ok(Exit::Done)
}

fn running(picture: &Snapshot) -> Result<()> {
    say_json(&json!({
        "running": true,
        "status": serde_json::to_value(picture)?,
        "hub": picture.hub.url,
        "signed_in": picture.account.is_some(),
        "engine": null,
        "next": [],
    }));
    Ok(())
}

/// `None`: the credential store does not tell.
async fn signed_in(setup: &Setup) -> Option<bool> {
    if known_id(&setup.places.state).is_none() {
        return Some(false);
    }
    setup.credentials().ok()?.reload().await.ok().map(|signed_in| signed_in.is_some())
}

const fn sign_in_words(signed_in: Option<bool>) -> &'static str {
    match signed_in {
        Some(true) => "This machine is signed in there.",
        Some(false) => "Nobody is signed in.",
        None => "The credential store does not open; unlock it.",
    }
}

/// Each step as it is typed, and what for.
fn next(signed_in: Option<bool>, engine: bool) -> Vec<(&'static str, &'static str)> {
    let mut steps = Vec::new();
    if !engine {
        steps.push(("porten config set engine.url URL", "where the engine is, if it is not found once it runs"));
    }
    if signed_in == Some(false) {
        steps.push(("porten login", "approve this machine in a browser"));
    }
    steps.push(("porten run", "serve from this terminal"));
    steps.push(("porten service install", "serve in the background, also after a restart"));
    steps
}
