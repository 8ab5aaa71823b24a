//! A cluster made of software, a Hub, and a machine with a screen whose settings name both.

use super::{Browser, SOON, move_in};
use crate::agent::Agent;
use crate::hub::Hub;
use crate::sim::Sim;
use crate::wait::wait_until;

/// The model that the cluster has loaded.
pub const LOADED: &str = "mlx-community/DeepSeek-V4-Flash";
/// One that it has not: its Hub id, and the engine's.
pub const OTHER: (&str, &str) = ("gpt-oss-20b", "mlx-community/gpt-oss-20b-MXFP4-Q8");

/// Three Macs with a model loaded, a Hub, a machine on this desktop and its browser.
pub async fn cluster() -> (Sim, Hub, Agent, Browser) {
    let sim = Sim::start(&["--macs", "3x128", "--loaded", LOADED, "--speed", "20"]).await;
    let hub = Hub::start_dev().await;
    let mut agent = Agent::new(&hub);
    agent.set("PORTEN_ENGINE_URL", &sim.url());
    let browser = move_in(&mut agent);
    (sim, hub, agent, browser)
}

/// Waits until the Hub offers this model, or does not.
///
/// # Panics
/// It goes on otherwise.
pub async fn until_offered(hub: &Hub, id: &str, is: bool) {
    wait_until(SOON, &format!("the Hub offers {id}: {is}"), async || {
        (hub.offered().await.iter().any(|one| one == id) == is).then_some(())
    })
    .await;
}
