//! A cluster of three Macs with a Hub and an agent, and what its status says.
#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a test that cannot go on says so")]

use std::time::{Duration, Instant};

use porten_tests::client::{Streaming, streamed_chat};
use porten_tests::house::is_ready;
use porten_tests::process::Process;
use porten_tests::{Agent, Hub, Sim};
use serde_json::Value;

/// Loaded on two of the three Macs, by somebody else.
pub const LOADED: (&str, &str) = ("deepseek-v4-flash", "mlx-community/DeepSeek-V4-Flash");
/// A small one that nobody loaded: its ids at the Hub and at exo.
pub const OTHER: (&str, &str) = ("gpt-oss-20b", "mlx-community/gpt-oss-20b-MXFP4-Q8");
/// Everything takes seconds; a machine that compiles something else beside is slow.
pub const SOON: Duration = Duration::from_secs(60);
/// The machine compiles and runs other tests beside: what is late by this much is late by the machine.
pub const SLACK: Duration = Duration::from_secs(2);

/// Three Macs, a Hub, and an agent that serves a model which others loaded.
#[derive(Debug)]
pub struct Scene {
    /// The Macs.
    pub sim: Sim,
    /// The Hub.
    pub hub: Hub,
    /// The agent, signed in and running.
    pub agent: Agent,
    /// Somebody looks.
    looker: Option<Process>,
}

impl Scene {
    /// With more arguments for the simulator.
    pub async fn start(arguments: &[&str]) -> Self {
        Self::with(arguments, |_| {}).await
    }

    /// The same, with settings of the agent.
    pub async fn with(arguments: &[&str], settings: impl FnOnce(&mut Agent)) -> Self {
        let mut all = vec!["--macs", "3x128", "--loaded", LOADED.1];
        all.extend(arguments);
        let sim = Sim::start(&all).await;
        let hub = Hub::start_dev().await;
        let mut agent = Agent::new(&hub);
        agent.set("PORTEN_ENGINE_URL", &sim.url());
        settings(&mut agent);
        agent.login(&hub).await;
        agent.run();
        let scene = Self { sim, hub, agent, looker: None };
        scene.agent.status_until(SOON, "the loaded model is served", is_ready).await;
        scene.until(SOON, "all Macs have told", |status| members(status, "online") == 3).await;
        scene
    }

    /// From here on somebody looks.
    pub async fn looked_at(mut self) -> Self {
        self.looker = Some(self.agent.start(&["status", "--watch"]));
        let asked = async || self.sim.requests().await.iter().filter(|one| one.contains("nodeSystem")).count();
        porten_tests::wait_until(SOON, "somebody looks", async || (asked().await > 0).then_some(())).await;
        self
    }

    /// Waits until the status is so.
    pub async fn until(&self, limit: Duration, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        self.agent.status_until(limit, what, is_so).await
    }

    /// Does it, and says how long it took until the status is so.
    pub async fn after(&self, trouble: &str, limit: u64, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        self.sim.trouble(trouble).await;
        let status = self.until(Duration::from_secs(limit) + SLACK, what, is_so).await;
        row(trouble, what, begun, limit);
        status
    }

    /// A long answer that is running on the loaded model.
    pub async fn long_answer(&self) -> Streaming {
        let mut body = streamed_chat(LOADED.0, "Tell a long story.");
        body["max_tokens"] = 4_000.into();
        let mut answer = self.hub.client().stream("/v1/chat/completions", &body).await;
        assert!(answer.read(3).await, "an answer is running");
        answer
    }

    /// The second Mac that holds the model; the first answers exo's API and cannot die here.
    pub async fn other_holder(&self) -> String {
        let status = self.agent.status().await;
        let this = mac_names(&status, true).pop().expect("the status has it");
        let parts = model(&status, LOADED.0)["parts"].as_array().expect("the status has it");
        parts
            .iter()
            .filter_map(|part| part["on"].as_str())
            .find(|on| *on != this)
            .expect("the status has it")
            .to_owned()
    }
}

/// Prints a row of the table.
#[allow(clippy::print_stdout, reason = "the table")]
pub fn row(event: &str, what: &str, begun: Instant, limit: u64) {
    let took = begun.elapsed();
    println!("| {event} | {what} | {:.1} s | ≤ {limit} |", took.as_secs_f64());
}

/// One model of a status.
#[must_use]
pub fn model<'a>(status: &'a Value, id: &str) -> &'a Value {
    status["models"].as_array().and_then(|models| models.iter().find(|model| model["id"] == id)).unwrap_or(&Value::Null)
}

/// The word for what it does.
#[must_use]
pub fn state<'a>(status: &'a Value, id: &str) -> &'a str {
    model(status, id)["state"]["state"].as_str().unwrap_or_default()
}

/// How many Macs are in that state.
#[must_use]
pub fn members(status: &Value, state: &str) -> usize {
    let members = status["cluster"]["members"].as_array().into_iter().flatten();
    members.filter(|member| member["state"]["state"] == state).count()
}

/// The names of this Mac, or of the others.
#[must_use]
pub fn mac_names(status: &Value, this: bool) -> Vec<String> {
    let members = status["cluster"]["members"].as_array().into_iter().flatten();
    members.filter(|mac| mac["this_mac"] == this).filter_map(|mac| mac["name"].as_str()).map(str::to_owned).collect()
}

/// Whether there is such a notice.
#[must_use]
pub fn has_notice(status: &Value, code: &str) -> bool {
    status["notices"].as_array().into_iter().flatten().any(|notice| notice["code"] == code)
}

/// The state of a rung.
#[must_use]
pub fn rung<'a>(status: &'a Value, step: &str) -> &'a str {
    let ladder = status["ladder"].as_array().into_iter().flatten();
    ladder.filter(|rung| rung["step"] == step).find_map(|rung| rung["state"].as_str()).unwrap_or_default()
}
