//! The ways from the load tool to the engine that are compared, and the processes that they consist of.
//!
//! Another tunnel is one more [`Path`] ([`crate::peers`]): what starts it, where requests enter, and a process to watch.

use std::any::Any;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use porten_tests::house::is_ready;
use porten_tests::{Agent, Hub};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::engine::MODEL;
use crate::order::Target;
use crate::seat::{Part, Seating};

/// The load tool asks the engine itself.
pub(crate) const DIRECT: &str = "direct";
/// Through `porten-hub`, the tunnel and `porten run`.
pub(crate) const PORTEN: &str = "porten";

/// The engine tells its address at once.
const START: Duration = Duration::from_secs(10);
/// From `porten run` to the Hub's word that requests may come.
const READY: Duration = Duration::from_secs(30);

/// One way to the engine.
pub(crate) struct Path {
    /// Its name in the table and the file.
    pub(crate) name: &'static str,
    /// Where requests enter.
    pub(crate) target: Target,
    /// The process on the engine's side whose memory and time are measured.
    pub(crate) agent: Option<u32>,
    /// What it consists of, ended when dropped: the agent before its Hub.
    pub(crate) _parts: Option<Box<dyn Any>>,
}

/// The engine, a process of its own; ended when dropped.
pub(crate) struct Engine {
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    /// Where it and all that is between it and the load tool run.
    pub(crate) seating: Seating,
    _process: Child,
}

/// The engine cannot be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// The process.
    #[error("the engine's process does not start")]
    Start(#[from] io::Error),
    /// It said nothing, or was late.
    #[error("the engine did not tell its address within {} s", START.as_secs())]
    Silent,
}

impl Engine {
    /// Starts this very program in the engine's role.
    pub(crate) async fn start(seating: Seating) -> Result<Self, EngineError> {
        // Its standard input ends with this process, and so does it.
        let seat = seating.take(Part::Engine);
        let mut process = Command::new(std::env::current_exe()?)
            .arg("engine")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        drop(seat);
        let out = process.stdout.take().ok_or(EngineError::Silent)?;
        let mut lines = BufReader::new(out).lines();
        let line = tokio::time::timeout(START, lines.next_line());
        let url = line.await.map_err(|_| EngineError::Silent)??.ok_or(EngineError::Silent)?;
        Ok(Self { url, seating, _process: process })
    }
}

/// Straight to the engine.
pub(crate) fn direct(engine: &Engine) -> Path {
    let target = Target { url: engine.url.clone(), key: String::new(), model: MODEL.into() };
    Path { name: DIRECT, target, agent: None, _parts: None }
}

/// Through a Hub and an agent: the programs beside this one, signed in as a person would do it, with their own defaults.
///
/// # Panics
/// The test bed's: a program is missing or does not do its part; the sentence says which.
pub(crate) async fn porten(engine: &Engine) -> Path {
    let seat = engine.seating.take(Part::HubSide);
    let hub = Hub::start_with_log("info").await;
    drop(seat);
    let url = hub.ws_url();
    over(engine, hub, &url).await
}

/// The same with an agent that dials the Hub at this address.
pub(crate) async fn over(engine: &Engine, hub: Hub, address: &str) -> Path {
    let mut agent = serving(engine, &hub, address).await;
    let target = Target { url: hub.url(), key: hub.api_key.clone(), model: MODEL.into() };
    let id = agent.process().id();
    Path { name: PORTEN, target, agent: Some(id), _parts: Some(Box::new((agent, hub))) }
}

/// An agent that is signed in at this Hub, dials it at this address and serves the engine.
pub(crate) async fn serving(engine: &Engine, hub: &Hub, address: &str) -> Agent {
    let mut agent = Agent::bare();
    agent.set("PORTEN_HUB_URL", address);
    // As people run it. The bed's own wish, the most talkative log, would be measured with it.
    agent.unset("PORTEN_LOG");
    agent.set_engine(&engine.url);
    agent.login(hub).await;
    let seat = engine.seating.take(Part::EngineSide);
    agent.run();
    drop(seat);
    agent.status_until(READY, "the agent is ready", is_ready).await;
    agent
}
