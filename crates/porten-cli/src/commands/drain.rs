//! `porten drain`: goes offline, and shows how many requests still run until none does.

use std::time::Duration;

use anyhow::Result;
use porten_agent::local::{Local, LocalError};
use porten_agent::setup::Setup;
use porten_core::command::Command;
use porten_core::lasting;
use porten_core::snapshot::{LinkView, Overall, Snapshot, count};
use serde_json::json;

use super::{pictures, wish};
use crate::exit::Exit;
use crate::printer::{complain, is_watched, say, say_over};

/// How to take a drain back.
const UNDO: &str = "undo it with: porten online";

pub(crate) async fn run(setup: &Setup, within: Duration, json: bool) -> Result<Exit> {
    let agent = Local::at(&setup.places.socket())?;
    let within_s = within.as_secs();
    let mut shown = Shown::new(json);
    let mut seen = match agent.look().await {
        Ok(seen) => seen,
        Err(LocalError::NotRunning) => {
            wish::keep(setup, false)?;
            shown.end("not_running", "No agent is running; the next one will be offline.");
            return Ok(Exit::Done);
        }
        Err(error) => return Err(error.into()),
    };
    let failed = agent.snapshot().await?.traffic.failed;
    agent.send(&Command::Drain { within_s }).await?;
    if !json {
        say(&farewell(within));
    }
    let mut begun = false;
    loop {
        let picture = tokio::select! {
            picture = pictures::next(&mut seen) => picture?,
            _ = tokio::signal::ctrl_c() => Err(Exit::Done),
        };
        let picture = match picture {
            Ok(picture) => picture,
            Err(Exit::Done) => {
                shown.end("left", &format!("The drain goes on without this command; {UNDO}"));
                return Ok(Exit::Done);
            }
            Err(exit) => return Ok(exit),
        };
        match Stage::of(&picture) {
            Stage::Draining(left) => {
                begun = true;
                shown.left(left);
            }
            Stage::Offline => {
                // What failed by itself meanwhile counts as well: nobody can tell the two apart from outside.
                let cut = picture.traffic.failed.saturating_sub(failed);
                shown.done(cut);
                return Ok(Exit::Done);
            }
            // A picture from before the drain.
            Stage::Online if !begun => {}
            Stage::Online => {
                shown.end("undone", "");
                complain("the drain was undone: the node is online again");
                return Ok(Exit::Broken);
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
struct Shown {
    json: bool,
    last: Option<u32>,
}

impl Shown {
    const fn new(json: bool) -> Self {
        Self { json, last: None }
    }

    fn left(&mut self, left: u32) {
        if self.last.replace(left) == Some(left) {
            return;
        }
        let line = format!("{} left", count(left, "request"));
        match (self.json, is_watched()) {
            (true, _) => say(&json!({"state": "draining", "in_flight": left}).to_string()),
            (false, true) => say_over(&line),
            (false, false) => say(&line),
        }
    }

    fn done(&mut self, cut: u64) {
        if self.json {
            self.over();
            return say(&json!({"state": "offline", "in_flight": 0, "cut_or_failed": cut}).to_string());
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
            say(&json!({ "state": state }).to_string());
        } else if !text.is_empty() {
            say(text);
        }
    }

    /// Leaves the line that was written over.
    fn over(&mut self) {
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
