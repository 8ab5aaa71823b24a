//! `porten login`.

use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use porten_agent::local::{Local, LocalError};
use porten_agent::login::{News, login};
use porten_agent::node::{known_id, machine_name};
use porten_agent::setup::Setup;
use porten_core::command::Command;
use porten_core::config::HubUrl;
use porten_core::signin::device::{Prompt, slower};
use porten_core::snapshot::Snapshot;
use serde_json::json;

use crate::exit::{Exit, Fail};
use crate::printer::{ask, say, say_json};
use crate::shell::Shell;
use crate::words::connect;

/// The running agent reads the credential store in this time.
const TAKEN: Duration = Duration::from_secs(5);

pub(crate) async fn run(shell: Shell, browser: bool, again: bool) -> Result<Exit> {
    let json = shell.json;
    let agent = shell.agent()?;
    let running = match agent.snapshot().await {
        Ok(picture) => {
            shell.same_hub(&picture)?;
            Some(picture)
        }
        Err(LocalError::NotRunning) => None,
        Err(error) => return Err(error.into()),
    };
    let mut setup = shell.settings()?;
    if let Some(Ok(hub)) = running.as_ref().map(|picture| HubUrl::read(&picture.hub.url)) {
        setup.config.hub.value = hub;
    }
    let hub = setup.config.hub.value.clone();
    if let Some(already) = signed_in(&setup, running.as_ref()).await.filter(|_| !again)
        && !wants_again(&already, &hub, json)
    {
        return Ok(Exit::Done);
    }
    setup.places.prepare()?;
    let node = setup.node()?;
    let vault = setup.vault(&node);
    let http = Setup::hub_http()?;
    let name = machine_name();
    let tell = |news: News<'_>| match news {
        News::Prompt(prompt) if json => show_json(prompt, &hub),
        News::Prompt(prompt) => show(prompt, &name, &hub, browser),
        News::Slower(every) if json => say_json(&json!({ "event": "slow_down", "interval": every.as_secs() })),
        News::Slower(every) => say(&slower(every)),
    };
    let credential = login(&http, &hub, &vault, (&node, &name), tell).await?;
    let taken = taken(&agent).await?;
    let endpoint = format!("{}/v1", hub.origin());
    let account = credential.account.as_deref();
    if json {
        let agent = if taken { "running" } else { "not_running" };
        say_json(&json!({
            "event": "signed_in", "account": account, "hub": hub.as_str(), "endpoint": endpoint,
            "kept_in": vault.words(), "agent": agent,
        }));
        return Ok(Exit::Done);
    }
    let whom = account.map(|account| format!(" as {account}")).unwrap_or_default();
    say(&format!("Signed in at {hub}{whom}. The credential is in {}.", vault.words()));
    say("");
    let models: Vec<&str> =
        setup.config.models.iter().flat_map(|set| &set.value).map(|wanted| wanted.hub.as_str()).collect();
    let model = models.first().copied().unwrap_or("MODEL");
    let all = if models.is_empty() { "as `porten models` lists them".to_owned() } else { models.join(", ") };
    for (name, value) in connect::client(&endpoint, model, &all) {
        say(&format!("  {name:<9} {value}"));
    }
    say("");
    say(if taken {
        "The running agent connects with it now."
    } else {
        "Start serving with: porten run, or for good, in the background, with: porten service install"
    });
    Ok(Exit::Done)
}

/// Who is signed in already.
struct Already {
    account: Option<String>,
    since: Option<Timestamp>,
}

/// As the running agent says; without one as the credential store does. Nothing is made here to find that out.
async fn signed_in(setup: &Setup, running: Option<&Snapshot>) -> Option<Already> {
    if let Some(picture) = running {
        return picture.account.as_ref().map(|account| Already { account: account.name.clone(), since: account.since });
    }
    known_id(&setup.places.state)?;
    // A store that does not open says so when it is to be written.
    let signed_in = setup.credentials().ok()?.reload().await.ok().flatten()?;
    Some(Already { account: signed_in.account, since: signed_in.since })
}

/// Says who is signed in, and asks a person whether that is to be changed.
fn wants_again(already: &Already, hub: &HubUrl, json: bool) -> bool {
    if json {
        say_json(&json!({
            "event": "already_signed_in", "account": already.account, "hub": hub.as_str(), "since": already.since,
        }));
        return false;
    }
    let whom = already.account.as_ref().map(|account| format!(" as {account}")).unwrap_or_default();
    let since = already.since.map(|since| {
        let since = since.to_zoned(TimeZone::system());
        format!(", since {}", since.strftime("%Y-%m-%d %H:%M"))
    });
    say(&format!("This machine is signed in at {hub}{whom} already{}.", since.unwrap_or_default()));
    if ask("Sign in again?") == Some(true) {
        return true;
    }
    say("To sign in again, or as somebody else: porten login --again");
    false
}

/// Has the running agent take the sign-in. False: none runs.
async fn taken(agent: &Local) -> Result<bool> {
    match agent.send(&Command::CredentialChanged).await {
        Ok(()) => {}
        Err(LocalError::NotRunning) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let found = async {
        let mut pictures = agent.watch().await?;
        while let Some(picture) = pictures.next().await? {
            if picture.account.is_some() {
                break;
            }
        }
        Ok::<_, LocalError>(())
    };
    match tokio::time::timeout(TAKEN, found).await {
        Ok(found) => found.map(|()| true).map_err(Into::into),
        Err(_) => {
            let text = "signed in, but the running agent does not find it: it keeps its sign-in elsewhere (PORTEN_KEYCHAIN); restart it with the settings of this shell";
            Err(Fail::new(Exit::Broken, "credential", text).into())
        }
    }
}

fn show_json(prompt: &Prompt, hub: &HubUrl) {
    say_json(&json!({
        "event": "prompt",
        "hub": hub.as_str(),
        "verification_uri": prompt.page.as_str(),
        "verification_uri_complete": prompt.page_with_code.as_ref().map(|page| page.as_str()),
        "user_code": prompt.user_code,
        "expires_in": prompt.lasts.as_secs(),
    }));
}

fn show(prompt: &Prompt, name: &str, hub: &HubUrl, browser: bool) {
    let page = prompt.page_with_code.as_ref().unwrap_or(&prompt.page);
    say(&format!("You are connecting this machine to {hub}: {name}"));
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
