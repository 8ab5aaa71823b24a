//! Keeps hold of an agent: hosts it where the seat is free, attaches to the one that has the seat where it is not.

use std::sync::Arc;
use std::time::Duration;

use porten_agent::agent::{Agent, Ended, Setup as AgentSetup, StartError};
use porten_agent::client::Client;
use porten_agent::local::{LocalError, attach};
use porten_agent::places::PlacesError;
use porten_agent::seat::{SeatError, Taken, take};
use porten_agent::setup::{Setup, SetupError};
use porten_core::config::Config;
use porten_core::seat::Host;
use porten_core::snapshot::sentence;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::leave::Leave;

/// After trouble: the person may have mended the settings, or ended what was in the way.
const AGAIN: Duration = Duration::from_secs(3);
/// Whoever has the seat may be starting and not listen yet, or be ending.
const STARTING: Duration = Duration::from_millis(250);
/// How many times that.
const TRIES: u32 = 20;
/// Who made way for a service gives it so long to take the seat; if it does not come, somebody must serve.
const MADE_WAY: Duration = Duration::from_secs(2);

/// The hold.
#[derive(Debug, Clone)]
pub(crate) enum Hold {
    /// None yet.
    Starting,
    /// There it is.
    Live(Live),
    /// There is none; why, and what to do.
    Trouble(String),
}

/// A hold on an agent that runs.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    /// The agent.
    pub(crate) client: Client,
    /// What it was started with.
    pub(crate) setup: Arc<Setup>,
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error(transparent)]
    Places(#[from] PlacesError),
    #[error(transparent)]
    Seat(#[from] SeatError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Local(#[from] LocalError),
    /// Somebody has the seat and does not listen: starting, ending, or stuck. Says who.
    #[error("{0}")]
    Silent(String),
}

/// Keeps hold until somebody leaves; then its own agent has ended.
pub(crate) async fn keep(holds: watch::Sender<Hold>, leave: Leave) {
    let (mut silent, mut made_way) = (0, None);
    while !leave.quit.is_cancelled() {
        let may_host = made_way.is_none_or(|at: Instant| at.elapsed() > MADE_WAY);
        let wait = match hold(&holds, &leave, may_host).await {
            Ok(ended) => {
                made_way = (ended == Ended::Yielded).then(Instant::now);
                silent = 0;
                holds.send_replace(Hold::Starting);
                STARTING
            }
            Err(Trouble::Silent(_)) if silent < TRIES => {
                silent += 1;
                STARTING
            }
            Err(trouble) => {
                let text = sentence(&trouble.to_string());
                let news = !matches!(&*holds.borrow(), Hold::Trouble(told) if *told == text);
                if news {
                    tracing::warn!(error = &trouble as &dyn std::error::Error, "no agent");
                    holds.send_replace(Hold::Trouble(text));
                }
                AGAIN
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = leave.quit.cancelled() => {}
        }
    }
}

/// Holds one agent, until it ends or somebody leaves.
async fn hold(holds: &watch::Sender<Hold>, leave: &Leave, may_host: bool) -> Result<Ended, Trouble> {
    let setup = Setup::read()?;
    setup.places.prepare()?;
    let text = if may_host {
        match take(&setup.places, Host::App)? {
            Taken::Ours(_seat) => return host(setup, holds, leave).await,
            Taken::Held { text, .. } => text,
        }
    } else {
        String::new()
    };
    let attached = attach(&setup.places.socket()).await;
    let (client, carried) = attached.map_err(|error| match error {
        LocalError::NotRunning => Trouble::Silent(text),
        other => other.into(),
    })?;
    holds.send_replace(Hold::Live(Live { client, setup: Arc::new(setup) }));
    tokio::select! {
        () = carried => {}
        () = leave.quit.cancelled() => {}
    }
    Ok(Ended::Done)
}

async fn host(setup: Setup, holds: &watch::Sender<Hold>, leave: &Leave) -> Result<Ended, Trouble> {
    let mut agent = Agent::start(AgentSetup::usual(setup.clone(), Host::App))?;
    holds.send_replace(Hold::Live(Live { client: agent.client().clone(), setup: Arc::new(setup) }));
    tauri::async_runtime::spawn(log_as_set(agent.settings()));
    tokio::select! {
        // Whether it is to be hosted anew or not: whoever keeps hold takes the next one.
        ended = agent.ended() => return Ok(ended),
        () = leave.quit.cancelled() => agent.quit(leave.within()),
    }
    tokio::select! {
        ended = agent.ended() => return Ok(ended),
        () = leave.now.cancelled() => agent.quit_now(),
    }
    Ok(agent.ended().await)
}

/// The log says as much as the settings want, now and whenever they change, until the agent ends.
async fn log_as_set(mut settings: watch::Receiver<Arc<Config>>) {
    loop {
        porten_log::set(porten_log::level(settings.borrow_and_update().log.value));
        if settings.changed().await.is_err() {
            return;
        }
    }
}
