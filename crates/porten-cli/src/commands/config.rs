//! `porten config`: every setting with its origin, and changes to the settings file.

use anyhow::Result;
use porten_agent::local::{Local, LocalError};
use porten_agent::settings;
use porten_agent::setup::Setup;
use porten_core::bridge::SettingView;
use porten_core::command::Command;
use porten_core::config::Origin;
use serde_json::json;

use crate::exit::Exit;
use crate::printer::say;

pub(crate) fn show(setup: &Setup, json: bool) -> Result<Exit> {
    // The node's id is made where there is none yet.
    setup.places.prepare()?;
    let (settings, kept) = (settings::view(setup), settings::kept(setup)?);
    if json {
        let file = setup.places.config.display().to_string();
        say(&serde_json::to_string_pretty(&json!({ "file": file, "settings": settings, "kept": kept }))?);
        return Ok(Exit::Done);
    }
    let width = settings.iter().map(|view| view.key.chars().count()).max().unwrap_or_default();
    settings.iter().for_each(|view| say(&line(view, width)));
    say("");
    let width = kept.iter().map(|kept| kept.what.chars().count()).max().unwrap_or_default();
    kept.iter().for_each(|kept| say(&format!("{:<width$}  {}", kept.what, kept.place)));
    Ok(Exit::Done)
}

fn line(view: &SettingView, width: usize) -> String {
    let value = view.value.as_deref().unwrap_or("-");
    let origin = match &view.origin {
        Origin::Environment(name) => format!("set by {name}, which goes before the file"),
        Origin::File(_) => "set in the file".to_owned(),
        Origin::Default if view.value.is_none() => "nobody said".to_owned(),
        other => other.to_string(),
    };
    format!("{:<width$}  {value} ({origin})", view.key)
}

/// How far a change has come.
enum Taken {
    /// No agent runs.
    Later,
    /// The one that runs goes by it.
    Now,
    /// The one that runs ends when it has finished what runs, and another starts with it.
    Anew,
}

/// `porten config set` and `unset`.
pub(crate) async fn change(setup: &Setup, key: &str, value: Option<&str>, json: bool) -> Result<Exit> {
    settings::change(setup, key, value)?;
    let fresh = setup.again()?;
    let taken = match Local::at(&setup.places.socket())?.send(&Command::Reload).await {
        Ok(()) if fresh.config.need_new_agent(&setup.config) => Taken::Anew,
        Ok(()) => Taken::Now,
        Err(LocalError::NotRunning) => Taken::Later,
        Err(error) => return Err(error.into()),
    };
    let bare = |key: &str| key.replace('"', "");
    let view = settings::view(&fresh).into_iter().find(|view| bare(&view.key) == bare(key.trim()));
    if json {
        let taken = match taken {
            Taken::Later => "not_running",
            Taken::Now => "taken",
            Taken::Anew => "starting_anew",
        };
        say(&json!({ "setting": view, "agent": taken }).to_string());
        return Ok(Exit::Done);
    }
    let holds = view.map_or_else(|| format!("{} is not set any more.", key.trim()), |view| line(&view, 0));
    let taken = match taken {
        Taken::Later => "No agent is running; the next one goes by it.",
        Taken::Now => "The agent goes by it.",
        Taken::Anew => "The agent finishes what runs, within 60 s, and starts anew with it.",
    };
    say(&holds);
    say(taken);
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_locked_setting_is_shown_with_the_variable_that_says_it() {
        let view = |value: Option<&str>, origin| SettingView {
            key: "hub.url".to_owned(),
            value: value.map(str::to_owned),
            origin,
        };
        let locked = line(&view(Some("wss://a.example"), Origin::Environment("PORTEN_HUB_URL".to_owned())), 9);
        assert_eq!(locked, "hub.url    wss://a.example (set by PORTEN_HUB_URL, which goes before the file)");
        assert_eq!(line(&view(None, Origin::Default), 0), "hub.url  - (nobody said)");
        assert_eq!(line(&view(None, Origin::Found), 0), "hub.url  - (found by looking)");
    }
}
