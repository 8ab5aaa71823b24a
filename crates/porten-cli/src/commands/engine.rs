//! `porten engine test`: one look at an engine's address.

use anyhow::Result;
use porten_agent::engine::test;
use porten_agent::setup::Setup;

use crate::exit::Exit;
use crate::printer::{complain, say};

pub(crate) async fn run(setup: &Setup, url: Option<&str>, json: bool) -> Result<Exit> {
    let set = setup.config.engine_url.as_ref().map(|set| set.value.as_str());
    let found = test(url.or(set), setup.config.engine_allow_remote.value).await;
    if json {
        say(&serde_json::to_string_pretty(&found)?);
    } else if found.answers {
        say(&found.text);
        found.models.iter().for_each(|id| say(&format!("  {id}")));
    } else {
        complain(&found.text);
    }
    Ok(if found.answers { Exit::Done } else { Exit::Broken })
}
