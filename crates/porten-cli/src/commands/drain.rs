//! `porten drain`: goes offline, and shows how many requests still run until none does.

use std::time::Duration;

use anyhow::Result;
use porten_agent::local::{Local, LocalError};
use porten_core::command::Command;
use porten_core::lasting;
use porten_core::snapshot::{LinkView, Overall, Snapshot, count};
use serde_json::json;

use super::{pictures, wish};
use crate::exit::{Exit, Fail};
use crate::printer::{is_watched, say, say_json, say_over};
use crate::shell::Shell;

/// How to take a drain back.
const UNDO: &str = "undo it with: porten online";

pub(crate) async fn run(shell: &Shell, within: Duration) -> Result<Exit> {
    let agent = shell.agent()?;
    let mut shown = Shown::new(shell.json);
    match agent.snapshot().await {
        Ok(picture) => shell.note_other_hub(&picture),
        Err(LocalError::NotRunning) => {
            wish::keep(&shell.places, false)?;
            shown.end("not_running", "No agent is running; the next one will be offline.");
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error.into()),
    }
    match drain(&agent, within, &mut shown).await? {
        Drained::Offline => shown.done(),
        Drained::Left => shown.end("left", &format!("The drain goes on without this command; {UNDO}")),
    }
    Ok(Exit::Done)
}

/// How a drain ended for whoever watched it.
pub(crate) enum Drained {
    /// Nothing runs any more.
    Offline,
    /// The person has seen enough.
    Left,
}

/// Asks for a drain and shows it.
pub(crate) async fn drain(agent: &Local, within: Duration, shown: &mut Shown) -> Result<Drained> {
    let mut seen = agent.look().await?;
    let failed = agent.snapshot().await?.traffic.failed;
    agent.send(&Command::Drain { within_s: within.as_secs() }).await?;
    if !shown.json && shown.alone {
        say(&farewell(within));
    }
    let mut begun = false;
    loop {
        let Some(picture) = pictures::next(&mut seen).await? else { return Ok(Drained::Left) };
        match Stage::of(&picture) {
            Stage::Draining(left) => {
                begun = true;
                shown.left(left);
            }
            Stage::Offline => {
                // What failed by itself meanwhile counts as well: nobody can tell the two apart from outside.
                shown.cut = picture.traffic.failed.saturating_sub(failed);
                return Ok(Drained::Offline);
            }
            // A picture from before the drain.
            Stage::Online if !begun => {}
            Stage::Online => {
                shown.end("undone", "");
                let text = "the drain was undone: the node is online again";
                return Err(Fail::new(Exit::Broken, "undone", text).into());
            }
        }
    }
}

fn farewell(within: Duration) -> String {
    if within.is_zero() {
        return "Draining now: what runs is cut, with an error to each client.".to_owned();
    }
    let time = lasting::words(within);
    format!("Draining: no new requests; what still runs in {time} is cut, with an error to each client. To {UNDO}")
}

/// How far a drain has come.
#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Draining(u32),
    Offline,
    /// Somebody wants it online again.
    Online,
}

impl Stage {
    fn of(picture: &Snapshot) -> Self {
        match (&picture.overall, &picture.hub.link) {
            (Overall::Finishing { requests }, _) => Self::Draining(*requests),
            // Nobody who is signed out is online either.
            (Overall::Off, _) | (_, LinkView::Off | LinkView::SignedOut { .. }) => Self::Offline,
            _ => Self::Online,
        }
    }
}

/// What was said last, so that each change is said once.
pub(crate) struct Shown {
    json: bool,
    /// Whether the drain is what was asked for.
    alone: bool,
    last: Option<u32>,
    cut: u64,
}

impl Shown {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json, alone: true, last: None, cut: 0 }
    }

    /// For a drain that is a part of something else.
    pub(crate) const fn beside(json: bool) -> Self {
        Self { alone: false, ..Self::new(json) }
    }

    fn left(&mut self, left: u32) {
        // When none is left, the end is what comes next.
        if left == 0 || self.last.replace(left) == Some(left) {
            return;
        }
        let line = format!("{} left", count(left, "request"));
        match (self.json, is_watched()) {
            (true, _) => say_json(&json!({"state": "draining", "in_flight": left, "cut_or_failed": null})),
            (false, true) => say_over(&line),
            (false, false) => say(&line),
        }
    }

    fn done(&mut self) {
        let cut = self.cut;
        if self.json {
            self.over();
            return say_json(&json!({"state": "offline", "in_flight": 0, "cut_or_failed": cut}));
        }
        let cut = match cut {
            0 => String::new(),
            n => format!(" {} ended in an error.", count(u32::try_from(n).unwrap_or(u32::MAX), "request")),
        };
        self.end("offline", &format!("Offline: nothing runs any more.{cut} Go online again with: porten online"));
    }

    fn end(&mut self, state: &str, text: &str) {
        self.over();
        if self.json {
            say_json(&json!({ "state": state, "in_flight": null, "cut_or_failed": null }));
        } else if !text.is_empty() {
            say(text);
        }
    }

    /// Leaves the line that was written over.
    pub(crate) fn over(&mut self) {
        if !self.json && is_watched() && self.last.take().is_some() {
            say("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_what_runs_is_said_before_it_happens() {
        assert!(farewell(Duration::ZERO).contains("cut, with an error"));
        let told = farewell(Duration::from_secs(90));
        assert!(told.contains("in 90 s is cut") && told.contains("porten online"), "{told}");
    }
}
