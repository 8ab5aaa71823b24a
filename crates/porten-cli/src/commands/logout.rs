//! `porten logout`.

use std::time::Duration;

use anyhow::Result;
use porten_agent::local::{Local, LocalError};
use porten_agent::node::known_id;
use porten_core::command::{Command, Revocation};
use porten_core::snapshot::{LinkView, Overall, Snapshot};
use serde_json::json;

use super::drain::{Drained, Shown, drain};
use crate::exit::{Exit, Fail};
use crate::printer::{say, say_json};
use crate::shell::Shell;

pub(crate) async fn run(shell: Shell, within: Duration) -> Result<Exit> {
    let agent = shell.agent()?;
    let picture = match agent.snapshot().await {
        Ok(picture) => picture,
        Err(LocalError::NotRunning) => return alone(shell).await,
        Err(error) => return Err(error.into()),
    };
    shell.same_hub(&picture)?;
    let hub = picture.hub.url.clone();
    let drains = matches!(picture.hub.link, LinkView::Online { .. });
    // Signing out is not a wish to be offline: who signs in again is online again.
    let online = !matches!(picture.overall, Overall::Off | Overall::Finishing { .. });
    if drains {
        let mut shown = Shown::beside(shell.json);
        let drained = drain(&agent, within, &mut shown).await?;
        shown.over();
        match drained {
            Drained::Offline => {}
            Drained::Left => {
                if online {
                    be_online(&agent, &picture).await?;
                }
                let text = format!("stopped before the end of the drain; this machine is still signed in at {hub}");
                return Err(Fail::new(Exit::Broken, "interrupted", text).into());
            }
        }
    }
    let revocation = agent.ask(&Command::SignOut).await?.revocation;
    if drains && online {
        be_online(&agent, &picture).await?;
    }
    Ok(tell(shell.json, &hub, revocation))
}

/// Wants it online as it was before the drain, with the rest that it had.
async fn be_online(agent: &Local, before: &Snapshot) -> Result<()> {
    agent.send(&Command::SetOnline { online: true }).await?;
    if let Some(rest) = &before.pause {
        agent.send(&Command::Pause { pause: Some(rest.pause) }).await?;
    }
    Ok(())
}

/// No agent runs: the Hub is told from here.
async fn alone(shell: Shell) -> Result<Exit> {
    let json = shell.json;
    let setup = shell.settings()?;
    let hub = setup.config.hub.value.as_str();
    // Who has no node id has never signed in; nothing is made here to find that out.
    let revocation = match known_id(&setup.places.state) {
        None => Revocation::NobodySignedIn,
        Some(_) => setup.credentials()?.forget().await?,
    };
    Ok(tell(json, hub, Some(revocation)))
}

/// `None`: an agent of another version does not say what became of it.
fn tell(json: bool, hub: &str, revocation: Option<Revocation>) -> Exit {
    if json {
        say_json(&json!({ "event": "signed_out", "hub": hub, "revocation": revocation }));
    } else {
        say(&words(hub, revocation));
    }
    Exit::Done
}

fn words(hub: &str, revocation: Option<Revocation>) -> String {
    let there = "it stays valid there until whoever runs that Hub ends it, or it runs out there";
    match revocation {
        Some(Revocation::NobodySignedIn) => format!("Nobody was signed in at {hub}."),
        Some(Revocation::Revoked) => {
            format!(
                "Signed out at {hub}: the Hub has revoked this machine's access, and nothing is stored here any more."
            )
        }
        Some(Revocation::Unreachable) => format!(
            "Signed out here: nothing is stored any more. The Hub at {hub} could not be reached and does not know of it, so {there}."
        ),
        Some(Revocation::NotTaken) => format!(
            "Signed out here: nothing is stored any more. The Hub at {hub} answered and did not revoke the sign-in, so {there}."
        ),
        None => format!("Signed out at {hub}: nothing is stored here any more."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_out_says_what_became_of_it_at_the_hub() {
        let said = |revocation| words("wss://hub.example", Some(revocation));
        assert!(said(Revocation::Revoked).contains("has revoked"));
        assert!(
            said(Revocation::Unreachable).contains("could not be reached")
                && said(Revocation::Unreachable).contains("valid")
        );
        assert!(!said(Revocation::NotTaken).contains("reached"));
        for all in [Revocation::Revoked, Revocation::Unreachable, Revocation::NotTaken, Revocation::NobodySignedIn] {
            assert!(said(all).contains("wss://hub.example"));
        }
    }
}
