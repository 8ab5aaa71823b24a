//! `porten config`: every setting with its origin, and changes to the settings file.

use anyhow::Result;
use porten_agent::local::LocalError;
use porten_agent::settings;
use porten_agent::setup::{Setup, SetupError, environment};
use porten_core::bridge::SettingView;
use porten_core::command::{Command, Declined, DeclinedCode};
use porten_core::config::{ConfigError, Origin, typed};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::printer::{note, say, say_json};
use crate::shell::Shell;

pub(crate) fn show(shell: Shell) -> Result<Exit> {
    let json = shell.json;
    let setup = &shell.settings()?;
    let (settings, kept) = (settings::view(setup), settings::kept(setup));
    if json {
        let file = setup.places.config.display().to_string();
        let settings: Vec<Value> = settings.iter().map(document).collect();
        say_json(&json!({ "file": file, "settings": settings, "kept": kept }));
        return Ok(Exit::Done);
    }
    let width = settings.iter().map(|view| view.key.chars().count()).max().unwrap_or_default();
    settings.iter().for_each(|view| say(&line(view, width)));
    say("");
    let width = kept.iter().map(|kept| kept.what.chars().count()).max().unwrap_or_default();
    kept.iter().for_each(|kept| say(&format!("{:<width$}  {}", kept.what, kept.place)));
    Ok(Exit::Done)
}

/// A setting with its value as JSON has it.
fn document(view: &SettingView) -> Value {
    json!({ "key": view.key, "value": typed(view), "origin": view.origin })
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
#[derive(Clone, Copy)]
enum Taken {
    /// No agent runs.
    Later,
    /// The one that runs goes by it.
    Now,
    /// The one that runs keeps its old settings: something else in the file is wrong.
    NotYet,
    /// The one that runs ends when it has finished what runs, and another starts with it.
    Anew,
}

/// `porten config set` and `unset`; also in a file that is wrong elsewhere.
pub(crate) async fn change(shell: &Shell, key: &str, value: Option<&str>) -> Result<Exit> {
    let environment = environment()?;
    let still_wrong = settings::change(&shell.places, &environment, key, value)?;
    let taken = match shell.agent()?.send(&Command::Reload).await {
        Ok(()) => Taken::Now,
        Err(LocalError::NotRunning) => Taken::Later,
        // Told below, in the words of this shell.
        Err(LocalError::Declined(Declined { code: DeclinedCode::Settings, .. })) if still_wrong.is_some() => {
            Taken::NotYet
        }
        Err(error) => return Err(error.into()),
    };
    let fresh = Setup::read();
    let taken = match (taken, shell.known(), &fresh) {
        (Taken::Now, Some(old), Ok(fresh)) if fresh.config.need_new_agent(&old.config) => Taken::Anew,
        (taken, _, _) => taken,
    };
    tell(shell.json, key.trim(), value, taken, still_wrong.as_ref(), fresh.as_ref());
    Ok(Exit::Done)
}

fn tell(
    json: bool,
    key: &str,
    value: Option<&str>,
    taken: Taken,
    still_wrong: Option<&ConfigError>,
    fresh: Result<&Setup, &SetupError>,
) {
    let bare = |key: &str| key.replace('"', "");
    let views = fresh.map(settings::view).unwrap_or_default();
    let view = views.into_iter().find(|view| bare(&view.key) == bare(key));
    if json {
        let taken = match taken {
            Taken::Later => "not_running",
            Taken::Now => "taken",
            Taken::Anew => "starting_anew",
            Taken::NotYet => "not_taken",
        };
        let wrong = still_wrong.map(ToString::to_string);
        say_json(&json!({ "setting": view.as_ref().map(document), "agent": taken, "still_wrong": wrong }));
        return;
    }
    say(&match (view, value) {
        (Some(view), _) => line(&view, 0),
        (None, Some(value)) => format!("{key} is {} in the file.", value.trim()),
        (None, None) => format!("{key} is not set any more."),
    });
    say(match taken {
        Taken::Later => "No agent is running; the next one goes by it.",
        Taken::Now => "The agent goes by it.",
        Taken::Anew => "The agent finishes what runs, within 60 s, and starts anew with it.",
        Taken::NotYet => "The agent goes by its old settings until the file can be used.",
    });
    if let Some(wrong) = still_wrong {
        note(&format!("the settings cannot be used yet: {wrong}"));
    } else if let Err(error) = fresh {
        note(&format!("the settings cannot be used yet: {error}"));
    }
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
