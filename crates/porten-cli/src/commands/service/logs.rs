//! `porten service logs`.

use std::time::Duration;

use anyhow::{Context as _, Result};
use porten_agent::places::Places;
use porten_log::tail::{Follower, last_lines};
use serde_json::json;

use crate::exit::{Exit, Fail};
use crate::printer::say;

/// How often it is looked for new lines.
const LOOK: Duration = Duration::from_millis(250);

pub(crate) async fn logs(places: &Places, count: usize, follow: bool, json: bool) -> Result<Exit> {
    let path = places.service_log();
    let broken = || format!("{} cannot be read", path.display());
    let show = |lines: Vec<String>| {
        for line in lines {
            if json { say(&json!({ "line": line }).to_string()) } else { say(&line) }
        }
    };
    let mut follower = Follower::new(&path).with_context(broken)?;
    let lines = last_lines(&path, count).with_context(broken)?;
    if lines.is_empty() && !follow && !path.exists() {
        let text = format!("there is no log yet at {}; the service writes it when it runs", path.display());
        return Err(Fail::new(Exit::Broken, "no_log", text).into());
    }
    show(lines);
    if !follow {
        return Ok(Exit::Done);
    }
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Exit::Done),
        }
        show(follower.lines().with_context(broken)?);
    }
}
