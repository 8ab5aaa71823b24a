//! The whole house: an engine, a Hub, and an agent that is signed in, running and offered.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::agent::Agent;
use crate::client::{Client, chat};
use crate::engine::{Engine, Manner};
use crate::hub::Hub;

/// From `porten run` to the Hub's word that requests may come, on a machine that compiles something else beside.
const READY: Duration = Duration::from_secs(30);

/// Engine, Hub and agent; everything ends when it is dropped.
#[derive(Debug)]
pub struct House {
    /// The recording engine.
    pub engine: Engine,
    /// The Hub, with its person.
    pub hub: Hub,
    /// The signed-in agent.
    pub agent: Agent,
}

impl House {
    /// A house whose engine behaves so, with the model `tiny` being served.
    pub async fn ready(manner: Manner) -> Self {
        let house = Self::signed_in(manner, |_| {}).await;
        house.wait_ready(READY).await;
        house
    }

    /// The same with more arguments for the Hub.
    pub async fn with_hub(manner: Manner, arguments: &[&str]) -> Self {
        let house = Self::of(manner, Hub::start_with(arguments).await, |_| {}).await;
        house.wait_ready(READY).await;
        house
    }

    /// The same with other settings, and without waiting until it serves.
    pub async fn signed_in(manner: Manner, settings: impl FnOnce(&mut Agent)) -> Self {
        Self::of(manner, Hub::start_dev().await, settings).await
    }

    async fn of(manner: Manner, hub: Hub, settings: impl FnOnce(&mut Agent)) -> Self {
        let engine = Engine::start(manner).await;
        let mut agent = Agent::new(&hub);
        agent.set_engine(&engine.url());
        settings(&mut agent);
        agent.login(&hub).await;
        agent.run();
        Self { engine, hub, agent }
    }

    /// Waits until requests may come.
    ///
    /// # Panics
    /// They may not within `limit`.
    pub async fn wait_ready(&self, limit: Duration) {
        self.agent.status_until(limit, "the agent is ready", is_ready).await;
    }

    /// A client of the Hub.
    #[must_use]
    pub fn client(&self) -> Client {
        self.hub.client()
    }

    /// Asks until an answer is good, and says how long that took from now.
    ///
    /// # Panics
    /// None is within `limit`.
    pub async fn served_within(&self, limit: Duration) -> Duration {
        let begun = Instant::now();
        let client = self.client();
        loop {
            // While the Hub is away not even a connection comes about.
            let answer = client.send("/v1/chat/completions", &chat("tiny", "Are you back?")).await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < limit, "nothing is served {limit:?} after it could be");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Whether a status says that requests may come or are running.
#[must_use]
pub fn is_ready(status: &Value) -> bool {
    matches!(status["overall"]["state"].as_str(), Some("ready" | "serving"))
}
