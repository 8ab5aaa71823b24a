//! `porten login`.

use anyhow::Result;
use porten_agent::local::{Local, LocalError};
use porten_agent::login::{News, login};
use porten_agent::node::machine_name;
use porten_agent::setup::Setup;
use porten_core::command::Command;
use porten_core::signin::device::{Prompt, slower};
use serde_json::json;

use crate::exit::Exit;
use crate::printer::say;

pub(crate) async fn run(setup: &Setup, browser: bool, json: bool) -> Result<Exit> {
    setup.places.prepare()?;
    let node = setup.node()?;
    let vault = setup.vault(&node);
    let http = Setup::hub_http()?;
    let name = machine_name();
    let tell = |news: News<'_>| match news {
        News::Prompt(prompt) if json => show_json(prompt),
        News::Prompt(prompt) => show(prompt, &name, browser),
        News::Slower(every) if json => {
            say(&json!({ "event": "slow_down", "interval": every.as_secs() }).to_string());
        }
        News::Slower(every) => say(&slower(every)),
    };
    let credential = login(&http, &setup.config.hub.value, &vault, (&node, &name), tell).await?;
    let told = tell_agent(setup).await;
    let account = credential.account.as_deref();
    if json {
        say(&json!({ "event": "signed_in", "account": account, "kept_in": vault.words() }).to_string());
    } else {
        let whom = account.map(|account| format!(" as {account}")).unwrap_or_default();
        say(&format!("Signed in{whom}. The credential is in {}.", vault.words()));
        say(match &told {
            Ok(()) => "The running agent connects with it now.",
            Err(LocalError::NotRunning) => "Start serving with: porten run",
            Err(_) => "Restart the running agent so that it takes the new sign-in.",
        });
    }
    Ok(Exit::Done)
}

async fn tell_agent(setup: &Setup) -> Result<(), LocalError> {
    Local::at(&setup.places.socket())?.send(&Command::CredentialChanged).await
}

fn show_json(prompt: &Prompt) {
    let line = json!({
        "event": "prompt",
        "verification_uri": prompt.page,
        "verification_uri_complete": prompt.page_with_code,
        "user_code": prompt.user_code,
        "expires_in": prompt.lasts.as_secs(),
    });
    say(&line.to_string());
}

fn show(prompt: &Prompt, name: &str, browser: bool) {
    let page = prompt.page_with_code.as_ref().unwrap_or(&prompt.page);
    say(&format!("You are connecting this machine: {name}"));
    say("");
    say(&format!("  Open   {page}"));
    say(&format!("  Code   {}", prompt.user_code));
    say("");
    say("Go on only if the page shows the same code and the same name.");
    // The page's address was checked to be on the Hub's own origin.
    if browser && open::that_detached(page.as_str()).is_err() {
        say("No browser opened by itself; open the page yourself, on any device.");
    }
    say(&format!(
        "Waiting for you to approve; the code lasts {} min. Ctrl-C stops.",
        prompt.lasts.as_secs().div_ceil(60)
    ));
}
