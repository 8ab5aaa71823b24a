//! `porten run`: hosts the agent in this terminal.

use std::pin::pin;
use std::time::Duration;

use anyhow::Result;
use futures_util::StreamExt as _;
use porten_agent::agent::{Agent, Ended, Setup as AgentSetup};
use porten_agent::seat::{Taken, take};
use porten_agent::setup::Setup;
use porten_core::config::Config;
use porten_core::seat::Host;

use super::display::Display;
use crate::commands::signals::Signals;
use crate::exit::{Exit, Fail};
use crate::printer::is_watched;
use crate::shell::Shell;

pub(crate) async fn run(shell: Shell) -> Result<Exit> {
    let json = shell.json;
    let setup = shell.settings()?;
    // A person at a terminal reads the display; of the log only what goes wrong, unless a level was set.
    porten_log::set(level(&setup.config));
    setup.places.prepare()?;
    let _seat = match take(&setup.places, Host::Run)? {
        Taken::Ours(seat) => seat,
        Taken::Held { text, .. } => return Err(Fail::new(Exit::Held, "seat_taken", text).into()),
    };
    if !is_signed_in(&setup).await? {
        let text =
            format!("nobody is signed in at {} on this machine; sign in first: porten login", setup.config.hub.value);
        return Err(Fail::new(Exit::SignIn, "signed_out", text).into());
    }
    let mut setup = setup;
    let mut display = Display::new(json);
    while stay(Agent::start(AgentSetup::usual(setup.clone(), Host::Run))?, &mut display).await? == Ended::Anew {
        display.tell("Starting anew with the settings as they are now.");
        setup = setup.again()?;
        porten_log::set(level(&setup.config));
    }
    Ok(Exit::Done)
}

/// How much the log says beside the display.
fn level(config: &Config) -> porten_log::LevelFilter {
    let usual = porten_log::level(config.log.value);
    let mixes = is_watched() && std::io::IsTerminal::is_terminal(&std::io::stderr());
    if mixes && !config.log.origin.is_chosen() { usual.min(porten_log::LevelFilter::ERROR) } else { usual }
}

/// A store that fails may open later (a locked keychain): the agent then says so and waits for the person.
async fn is_signed_in(setup: &Setup) -> Result<bool> {
    Ok(setup.credentials()?.reload().await.map_or(true, |signed_in| signed_in.is_some()))
}

/// Prints the state as it changes, until asked to end: once to finish, twice to end now. A person at the keyboard has
/// time; a system that ends the process kills it after a while.
async fn stay(mut agent: Agent, display: &mut Display) -> Result<Ended> {
    let mut signals = Signals::new()?;
    let (client, mut settings) = (agent.client().clone(), agent.settings());
    let mut pictures = pin!(client.watch());
    let mut asked = false;
    loop {
        let within = tokio::select! {
            signal = signals.next() => signal.within(),
            Some(picture) = pictures.next() => {
                display.show(&picture);
                continue;
            }
            ended = agent.ended() => return Ok(ended),
            Ok(()) = settings.changed() => {
                porten_log::set(level(&settings.borrow_and_update()));
                continue;
            }
        };
        if asked {
            display.tell("Ending now; what still runs is cut.");
            agent.quit_now();
        } else {
            display.tell(&farewell(within));
            agent.quit(within);
        }
        asked = true;
    }
}

fn farewell(within: Duration) -> String {
    let time = porten_core::lasting::words(within);
    format!("Finishing what runs, within {time}; Ctrl-C or the signal once more ends now.")
}
