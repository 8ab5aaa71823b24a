//! `porten run`: hosts the agent in this terminal.

use std::pin::pin;
use std::time::Duration;

use anyhow::Result;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use porten_agent::agent::{Agent, Ended, Setup as AgentSetup};
use porten_agent::seat::{Taken, take};
use porten_agent::setup::Setup;
use porten_core::seat::Host;

use crate::commands::signals::Signals;
use crate::exit::Exit;
use crate::printer::{complain, say};
use crate::words;

pub(crate) async fn run(setup: Setup) -> Result<Exit> {
    setup.places.prepare()?;
    let _seat = match take(&setup.places, Host::Run)? {
        Taken::Ours(seat) => seat,
        Taken::Held { text, .. } => {
            complain(&text);
            return Ok(Exit::Held);
        }
    };
    if !is_signed_in(&setup).await? {
        complain("nobody is signed in to the Hub on this machine; sign in first: porten login");
        return Ok(Exit::SignIn);
    }
    let mut setup = setup;
    while stay(Agent::start(AgentSetup::usual(setup.clone(), Host::Run))?).await? == Ended::Anew {
        say("Starting anew with the settings as they are now.");
        setup = setup.again()?;
        porten_log::set(porten_log::level(setup.config.log.value));
    }
    Ok(Exit::Done)
}

/// A store that fails may open later (a locked keychain): the agent then says so and waits for the person.
async fn is_signed_in(setup: &Setup) -> Result<bool> {
    Ok(setup.credentials()?.reload().await.map_or(true, |signed_in| signed_in.is_some()))
}

/// Prints the state as it changes, until asked to end: once to finish, twice to end now. A person at the keyboard has
/// time; a system that ends the process kills it after a while.
async fn stay(mut agent: Agent) -> Result<Ended> {
    let mut signals = Signals::new()?;
    let (client, mut settings) = (agent.client().clone(), agent.settings());
    let mut pictures = pin!(client.watch());
    let (mut last, mut asked) = (String::new(), false);
    loop {
        let within = tokio::select! {
            signal = signals.next() => signal.within(),
            Some(picture) = pictures.next() => {
                let line = words::headline(&picture, Timestamp::now());
                if line != last {
                    say(&line);
                    last = line;
                }
                continue;
            }
            ended = agent.ended() => return Ok(ended),
            Ok(()) = settings.changed() => {
                porten_log::set(porten_log::level(settings.borrow_and_update().log.value));
                continue;
            }
        };
        if asked {
            say("Ending now; what still runs is cut.");
            agent.quit_now();
        } else {
            say(&farewell(within));
            agent.quit(within);
        }
        asked = true;
    }
}

fn farewell(within: Duration) -> String {
    let time = porten_core::lasting::words(within);
    format!("Finishing what runs, within {time}; Ctrl-C or the signal once more ends now.")
}
