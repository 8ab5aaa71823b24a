//! `porten models`: lists them, and turns one on or off.

use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use porten_agent::local::Local;
use porten_core::command::Command;
use porten_core::exo::{How, Sharding};
use porten_core::ids::ModelId;
use porten_core::snapshot::{ModelState, ModelView};
use serde_json::json;

use crate::args::Switch;
use crate::commands::pictures;
use crate::exit::{Exit, Fail};
use crate::printer::{say, say_json};
use crate::shell::Shell;
use crate::words;

/// What was so before the command may still be shown for a moment.
const STALE: Duration = Duration::from_secs(1);

pub(crate) async fn run(shell: &Shell, action: Option<Switch>) -> Result<Exit> {
    let agent = shell.agent()?;
    let (id, on, how, keep, wait) = match action {
        None => {
            let snapshot = agent.snapshot().await?;
            if shell.json {
                say_json(&json!({ "models": snapshot.models }));
            } else {
                words::models(&snapshot, Timestamp::now()).iter().for_each(|line| say(line));
            }
            shell.note_other_hub(&snapshot);
            return Ok(Exit::Done);
        }
        Some(Switch::On { id, tensor, pipeline, rdma, ip, macs, anyway, wait }) => {
            let sharding = if tensor { Some(Sharding::Tensor) } else { pipeline.then_some(Sharding::Pipeline) };
            let rdma = if rdma { Some(true) } else { ip.then_some(false) };
            (id, true, Some(How { sharding, rdma, least_macs: macs, anyway }), false, wait)
        }
        Some(Switch::Off { id, keep, wait }) => (id, false, None, keep, wait),
    };
    let Ok(model) = ModelId::read(&id) else {
        return Err(Fail::usage(format!("{id:?} is no model id; `porten models` lists them")).into());
    };
    agent.send(&Command::SetModel { id: model, on, how, keep }).await?;
    if !shell.json {
        say(&format!("{id} is wanted {}.", if on { "on" } else { "off" }));
    } else if !wait {
        let snapshot = agent.snapshot().await?;
        let view = snapshot.models.iter().find(|model| model.id == id);
        say_json(&json!({ "model": id, "wanted": on, "state": view.map(|view| &view.state) }));
    }
    if wait { follow(&agent, &id, on, keep, shell.json).await } else { Ok(Exit::Done) }
}

/// Says what a model does whenever that changes, until it is as it is wanted, or cannot be.
async fn follow(agent: &Local, id: &str, on: bool, keep: bool, json: bool) -> Result<Exit> {
    let begun = Instant::now();
    let mut pictures = agent.look().await?;
    let mut said = String::new();
    loop {
        let Some(snapshot) = pictures::next(&mut pictures).await? else { return Ok(Exit::Done) };
        let Some(model) = snapshot.models.iter().find(|model| model.id == id) else { continue };
        let line = words::model(model, Timestamp::now());
        if line != said && model.wanted == on {
            if json {
                say_json(&json!({ "model": id, "wanted": on, "state": model.state }));
            } else {
                say(&format!("{id}  {line}"));
            }
            said.clone_from(&line);
        }
        match reached(model, on, keep) {
            Reached::Yes => return Ok(Exit::Done),
            Reached::Never if begun.elapsed() > STALE => {
                let text = format!("{id} is wanted on, and cannot be used: {line}");
                return Err(Fail::new(Exit::Broken, "model_unusable", text).into());
            }
            Reached::Never | Reached::NotYet => {}
        }
    }
}

/// Whether a model is as it is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Yes,
    NotYet,
    /// Not without a person.
    Never,
}

fn reached(model: &ModelView, on: bool, keep: bool) -> Reached {
    match (&model.state, on) {
        (ModelState::Ready { .. } | ModelState::Serving { .. }, true) => Reached::Yes,
        (ModelState::Unfit { .. } | ModelState::Unmatched { .. } | ModelState::Failed { .. }, true) => Reached::Never,
        // What others loaded stays.
        (ModelState::Off, false) if keep || model.placed != Some(porten_core::snapshot::Placed::Here) => Reached::Yes,
        _ => Reached::NotYet,
    }
}
