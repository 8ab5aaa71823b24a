//! A Hub that crashes under many agents and comes back: how long until each of them serves again.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use porten_tests::house::is_ready;
use porten_tests::process::cpu_time;
use porten_tests::{Agent, Hub};

use crate::path::Engine;
use crate::runner::{RunError, print, tell};
use crate::seat::Seating;
use crate::stats::percentile;

/// For all agents to be signed in and up, each a process.
const READY: Duration = Duration::from_secs(120);

/// Measures, and prints a line.
pub(crate) async fn run(count: usize) -> Result<(), RunError> {
    tell(&format!("starting an engine, a Hub and {count} agents, and signing them in"));
    let engine = Engine::start(Seating::Free).await?;
    let mut hub = Hub::start_with_log("info").await;
    let mut agents = Vec::new();
    for _ in 0..count {
        let mut agent = Agent::new(&hub);
        agent.unset("PORTEN_LOG");
        agent.set_engine(&engine.url);
        agent.login(&hub).await;
        agent.run();
        agents.push(agent);
    }
    for agent in &agents {
        agent.status_until(READY, "the agent is ready", is_ready).await;
    }
    tell("the Hub crashes, and starts again when each of them has noticed");
    hub.kill();
    for agent in &agents {
        agent.status_until(READY, "the agent has noticed", |status| !is_ready(status)).await;
    }
    hub.start().await;
    let begun = Instant::now();
    let before = cpu_time(hub.process().id());
    let returning = agents.iter().map(async |agent| {
        agent.status_until(READY, "the agent is back", is_ready).await;
        begun.elapsed()
    });
    let back = join_all(returning).await;
    let mut times: Vec<u64> = back.iter().map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)).collect();
    let cpu = cpu_time(hub.process().id()).saturating_sub(before);
    let mut ms = |percent| percentile(&mut times, percent).unwrap_or_default();
    print(&format!(
        "{count} agents after a crash of their Hub: half of them serve again after {} ms, all after {} ms; the Hub used {} ms of a processor\n",
        ms(50),
        ms(100),
        cpu.as_millis()
    ));
    drop((agents, hub, engine));
    Ok(())
}
