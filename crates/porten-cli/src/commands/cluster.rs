//! `porten cluster`: the Macs as the agent sees them, or as a saved state of exo tells.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use porten_core::command::Command;
use porten_core::config::{Config, MAX_BUDGET_MIB};
use porten_core::replay::{Replay, Step};
use serde_json::{Value, json};

use crate::args::ClusterAction;
use crate::exit::{Exit, Fail};
use crate::printer::{say, say_json};
use crate::shell::Shell;
use crate::words::{self, cluster::Cluster};

pub(crate) async fn run(shell: &Shell) -> Result<Exit> {
    let snapshot = shell.agent()?.snapshot().await?;
    if shell.json {
        say_json(&json!({
            "cluster": snapshot.cluster,
            "memory": snapshot.memory,
            "models": snapshot.models,
            "notices": snapshot.notices,
        }));
    } else {
        let told = Cluster {
            cluster: snapshot.cluster.as_ref(),
            memory: &snapshot.memory,
            models: &snapshot.models,
            notices: &snapshot.notices,
        };
        words::cluster::cluster(&told, jiff::Timestamp::now()).iter().for_each(|line| say(line));
    }
    shell.note_other_hub(&snapshot);
    Ok(Exit::Done)
}

/// `porten cluster limit`.
pub(crate) async fn act(shell: &Shell, action: ClusterAction) -> Result<Exit> {
    let ClusterAction::Limit { mac, limit } = action;
    let mib = match limit.parse() {
        _ if limit == "default" => None,
        Ok(mib) if (1..=MAX_BUDGET_MIB).contains(&mib) => Some(mib),
        _ => {
            let text = format!("{limit:?} is no limit; write a number of MB, such as 114688, or default");
            return Err(Fail::usage(text).into());
        }
    };
    shell.agent()?.send(&Command::TellLimit { mac: mac.clone(), mib }).await?;
    if shell.json {
        say_json(&json!({ "mac": mac, "wired_limit_mb": mib }));
        return Ok(Exit::Done);
    }
    say(&match mib {
        Some(mib) => format!("The GPU of {mac} is taken to hold {mib} MB, until exo starts anew there."),
        None => format!("The GPU of {mac} is taken to hold three quarters of what is installed."),
    });
    Ok(Exit::Done)
}

/// `porten cluster --from FILE`.
pub(crate) fn from(config: &Config, path: &Path, json: bool) -> Result<Exit> {
    let mut shown = String::new();
    let told = replay(config, path, |step, moments| {
        if json {
            say_json(&serde_json::to_value(step)?);
            return Ok(());
        }
        let text = text(step);
        if text != shown {
            if moments {
                say(&format!("{}— {:.1} s", if shown.is_empty() { "" } else { "\n" }, step.t));
            }
            say(&text);
            shown = text;
        }
        Ok(())
    })?;
    told.map(|()| Exit::Done).map_err(|why| Fail::usage(why).into())
}

fn text(step: &Step) -> String {
    let told =
        Cluster { cluster: Some(&step.cluster), memory: &step.memory, models: &step.models, notices: &step.notices };
    words::cluster::cluster(&told, step.at).join("\n")
}

/// Hands each step to `show`, which is told whether there are several; or says what is wrong with the file.
fn replay(config: &Config, path: &Path, mut show: impl FnMut(&Step, bool) -> Result<()>) -> Result<Result<(), String>> {
    let name = path.display();
    let file = File::open(path).with_context(|| format!("{name} cannot be read"))?;
    let mut lines = BufReader::new(file);
    let mut first = Vec::new();
    lines.read_until(b'\n', &mut first).with_context(|| format!("{name} cannot be read"))?;
    let begin: Option<Value> = serde_json::from_slice(&first).ok();
    if begin.is_some_and(|line| line.get("state").is_some() || line.get("t").is_some()) {
        // Read on line by line: such a file may be long.
        return several(config, path, std::iter::once(Ok(first)).chain(lines.split(b'\n')), show);
    }
    // One document, over one line or many.
    let mut text = first;
    lines.read_to_end(&mut text).with_context(|| format!("{name} cannot be read"))?;
    match serde_json::from_slice(&text) {
        Ok(state) if is_state(&state) => Ok(Ok(show(&Replay::new(config.clone(), false).step(0.0, &state), false)?)),
        Err(error) if !text.contains(&b'\n') => Ok(Err(format!("{name} is no JSON: {error}"))),
        Ok(_) | Err(_) => several(config, path, text.split(|byte| *byte == b'\n').map(|line| Ok(line.to_vec())), show),
    }
}

/// Lines with a state each, with its time or a second apart.
fn several(
    config: &Config,
    path: &Path,
    lines: impl Iterator<Item = io::Result<Vec<u8>>>,
    mut show: impl FnMut(&Step, bool) -> Result<()>,
) -> Result<Result<(), String>> {
    let name = path.display();
    let mut moments = Moments::new(config);
    for (n, line) in lines.enumerate() {
        let line = line.with_context(|| format!("{name} cannot be read"))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let Ok(line) = serde_json::from_slice::<Value>(&line) else {
            let before = if n > 0 { "; the lines before it were read" } else { "" };
            return Ok(Err(format!("line {} of {name} is no JSON{before}", n + 1)));
        };
        if let Some(step) = moments.take(&line) {
            show(&step, true)?;
        }
    }
    Ok(moments.end(path))
}

/// States that follow each other.
struct Moments {
    replay: Replay,
    t: f64,
    states: usize,
}

impl Moments {
    fn new(config: &Config) -> Self {
        Self { replay: Replay::new(config.clone(), true), t: -1.0, states: 0 }
    }

    /// A line: `{"t": …, "state": …}`, or a state itself; any other holds nothing to show.
    fn take(&mut self, line: &Value) -> Option<Step> {
        let state = line.get("state").unwrap_or(line);
        if !is_state(state) {
            return None;
        }
        self.t = line["t"].as_f64().unwrap_or(self.t + 1.0);
        self.states += 1;
        Some(self.replay.step(self.t, state))
    }

    fn end(self, path: &Path) -> Result<(), String> {
        match self.states {
            0 => Err(format!("{} holds no saved /state of exo", path.display())),
            _ => Ok(()),
        }
    }
}

/// What every version of exo's state has.
fn is_state(value: &Value) -> bool {
    value.get("topology").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recorded/exo-0.3.70").join(name)
    }

    fn config() -> Config {
        porten_core::config::read(&std::collections::BTreeMap::new(), None).unwrap()
    }

    /// What a person reads of a file.
    fn timeline(name: &str) -> String {
        let (mut told, mut last) = (String::new(), String::new());
        replay(&config(), &recorded(name), |step, moments| {
            let text = text(step);
            if text != last {
                if moments {
                    told += &format!("— {:.1} s\n", step.t);
                }
                told += &format!("{text}\n\n");
                last = text;
            }
            Ok(())
        })
        .unwrap()
        .unwrap();
        told
    }

    #[test]
    fn every_recorded_state_reads_as_it_was() {
        for name in ["state_idle", "state_cluster", "state_ready", "state_mac"] {
            insta::assert_snapshot!(name, timeline(&format!("{name}.json")));
        }
        for name in ["states_run", "states_download"] {
            insta::assert_snapshot!(name, timeline(&format!("{name}.jsonl")));
        }
    }

    #[test]
    fn what_is_no_state_is_said_in_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("some.json");
        let said = |text: &str| {
            std::fs::write(&file, text).unwrap();
            replay(&config(), &file, |_, _| Ok(())).unwrap().unwrap_err().replace(&file.display().to_string(), "FILE")
        };
        assert_eq!(said(""), "FILE is no JSON: EOF while parsing a value at line 1 column 0");
        assert_eq!(said("{\"a\":1}"), "FILE holds no saved /state of exo");
        assert_eq!(said("{\"t\":1,\"error\":\"x\"}\n{\"t\":2}"), "FILE holds no saved /state of exo");
        assert_eq!(
            said("{\"t\":1,\"state\":{\"topology\":{}}}\n{\"t\":"),
            "line 2 of FILE is no JSON; the lines before it were read"
        );
        assert!(replay(&config(), &folder.path().join("none"), |_, _| Ok(())).is_err());
    }
}
