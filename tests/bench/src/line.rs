//! A long, lossy line in the way: packets are held and lost by rules of a network namespace, which Linux has.

use std::time::Duration;

use porten_tests::lossy::Lossy;
use porten_tests::{Detour, Hub};

use crate::order::Target;
use crate::path::{self, Engine, EngineError, Path};

/// The time that a packet is on a long line, each way.
const LINE_DELAY: Duration = Duration::from_millis(20);
/// Packets that it loses, of a thousand.
const LINE_LOSS: u64 = 10;

/// A long, lossy line: its packets are held and lost while this lives.
pub(crate) struct Line {
    _ways: [Detour; 2],
    _packets: Lossy,
}

/// Straight to the engine and through a Hub and an agent, where the load tool's own way to the engine and the agent's to its
/// Hub go over a long, lossy line.
///
/// # Panics
/// This is no network namespace of this process' own, or not its root's.
pub(crate) async fn on_a_line(engine: &Engine) -> Result<(Line, Vec<Path>), EngineError> {
    let port = engine.url.rsplit(':').next().and_then(|port| port.parse().ok()).ok_or(EngineError::Silent)?;
    let hub = Hub::start_with_log("info").await;
    let ways = [Detour::to(port), Detour::to(hub.port())];
    let straight = Target { url: format!("http://127.0.0.1:{}", ways[0].port()), ..path::direct(engine).target };
    let address = ways[1].ws_url();
    let through = path::over(engine, hub, &address).await;
    let packets = Lossy::line(&[ways[0].port(), ways[1].port()], LINE_DELAY, LINE_LOSS);
    let paths = vec![Path { target: straight, ..path::direct(engine) }, through];
    Ok((Line { _ways: ways, _packets: packets }, paths))
}
