//! `porten run --service`: hosts the agent as the service manager starts it. What would end a command is waited out here, since
//! a service that ends is started again and again.

use std::time::Duration;

use anyhow::Result;
use porten_agent::agent::{Agent, Ended, Setup as AgentSetup};
use porten_agent::places::Places;
use porten_agent::seat::stand_by;
use porten_agent::setup::Setup;
use porten_core::leaving::SYSTEMS;
use porten_core::seat::Host;

use crate::commands::signals::Signals;
use crate::exit::Exit;
use crate::printer::complain;
use crate::shell::Shell;

/// After trouble: a person may have mended the settings.
const AGAIN: Duration = Duration::from_secs(3);

pub(crate) async fn host() -> Exit {
    let begun = Shell::read(false).map_err(anyhow::Error::from).and_then(|Shell { places, .. }| {
        places.prepare()?;
        places.prepare_logs()?;
        porten_log::start_in_file(porten_log::LevelFilter::INFO, &places.service_log())?;
        Ok((places, Signals::new()?))
    });
    let (places, signals) = match begun {
        Ok(begun) => begun,
        Err(error) => {
            complain(&format!("the service cannot start: {error:#}"));
            return Exit::Broken;
        }
    };
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "the service starts");
    match serve(&places, signals).await {
        Ok(()) => {
            tracing::info!("the service has ended");
            Exit::Done
        }
        Err(error) => {
            let error = format!("{error:#}");
            tracing::error!(%error, "the service ends");
            Exit::Broken
        }
    }
}

/// Serves until a signal ends it.
async fn serve(places: &Places, mut signals: Signals) -> Result<()> {
    let waits = |text: &str| tracing::info!("waiting: {text}");
    let _seat = tokio::select! {
        seat = stand_by(places, Host::Service, waits) => seat?,
        _ = signals.next() => return Ok(()),
    };
    let mut told = String::new();
    loop {
        let started = Setup::read().map_err(anyhow::Error::from).and_then(|setup| {
            porten_log::set(porten_log::level(setup.config.log.value));
            Ok(Agent::start(AgentSetup::usual(setup, Host::Service))?)
        });
        match started {
            Ok(agent) => {
                told.clear();
                if stay(agent, &mut signals).await != Ended::Anew {
                    return Ok(());
                }
                tracing::info!("starting anew with the settings as they are now");
            }
            Err(error) => {
                let error = format!("{error:#}");
                if error != told {
                    tracing::error!(%error, "no agent; this is tried again every few seconds");
                    told = error;
                }
                tokio::select! {
                    () = tokio::time::sleep(AGAIN) => {}
                    _ = signals.next() => return Ok(()),
                }
            }
        }
    }
}

/// Until the agent has ended: a first signal lets it finish, a second ends it now.
async fn stay(mut agent: Agent, signals: &mut Signals) -> Ended {
    let (mut settings, mut asked) = (agent.settings(), false);
    loop {
        tokio::select! {
            signal = signals.next() => {
                if asked {
                    tracing::info!("ending now; what still runs is cut");
                    agent.quit_now();
                } else {
                    // Whoever sends a signal to a service is a system that kills it after a while.
                    tracing::info!(signal = signal.name(), within_s = SYSTEMS.as_secs(), "finishing what runs");
                    agent.quit(SYSTEMS);
                }
                asked = true;
            }
            Ok(()) = settings.changed() => {
                porten_log::set(porten_log::level(settings.borrow_and_update().log.value));
            }
            ended = agent.ended() => return ended,
        }
    }
}
