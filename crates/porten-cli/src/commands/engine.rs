//! `porten engine test`: one look at an engine's address.

use anyhow::Result;
use porten_agent::engine::test;

use crate::exit::{Exit, Fail, Told};
use crate::printer::{say, say_json};
use crate::shell::Shell;

pub(crate) async fn run(shell: Shell, url: Option<&str>) -> Result<Exit> {
    let json = shell.json;
    let config = shell.settings()?.config;
    let set = config.engine_url.as_ref().map(|set| set.value.as_str());
    let found = test(url.or(set), config.engine_allow_remote.value, config.engine.clone()).await;
    let fail = (!found.answers).then(|| Fail::new(Exit::Broken, "no_engine", found.text.trim_end_matches('.')));
    if json {
        let mut document = serde_json::to_value(&found)?;
        let told = fail.map(|fail| Told::of(&fail.into()));
        if let Some(told) = &told {
            document["error"] = told.json()["error"].clone();
        }
        say_json(&document);
        return Ok(told.map_or(Exit::Done, |told| told.exit));
    }
    if let Some(fail) = fail {
        return Err(fail.into());
    }
    say(&found.text);
    found.models.iter().for_each(|id| say(&format!("  {id}")));
    Ok(Exit::Done)
}
