//! An engine that is faster than its readers: what it says is held back at its own socket, and nowhere piles up.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use porten_tests::engine::Manner;
use porten_tests::{Engine, House, client, wait_until};

/// Clients that do not read.
const STALLED: usize = 64;
/// What each may keep in the agent: the tunnel's window, as much unsent, and a chunk or two.
const HELD: u64 = 2 * 128 * 1024 + 64 * 1024;
/// What the agent may take beside that (bytes).
const BASE: u64 = 40 << 20;

/// Resident memory of a process (bytes).
fn resident(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number") * 1024
}

/// Waits until the engine cannot write any more, and says how many chunks it could.
async fn stuck(engine: &Engine) -> u64 {
    let mut last = (u64::MAX, Instant::now());
    wait_until(Duration::from_secs(60), "the engine's sockets are full", async || {
        let now = engine.chunks();
        if now != last.0 {
            last = (now, Instant::now());
        }
        (last.1.elapsed() > Duration::from_secs(2)).then_some(now)
    })
    .await
}

/// Fault D14: an engine that floods clients which do not read is held back at its own socket, and the agent's memory stays bounded.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_held_back_at_the_engines_socket_and_the_agents_memory_stays_bounded() {
    let mut house = House::ready(Manner::llama("tiny")).await;
    let agent = house.agent.process().id();
    let before = resident(agent);
    house.engine.change(|manner| {
        manner.chunks = None;
        manner.chunk_size = 1000..=1000;
    });
    let mut body = client::chat("tiny", "Hi");
    body["stream"] = true.into();
    let client = house.client();
    let stalled = join_all((0..STALLED).map(|_| client.stall("/v1/chat/completions", &body))).await;
    assert!(stalled.iter().all(|stream| stream.head.starts_with("HTTP/1.1 200")));
    let chunks = stuck(&house.engine).await;
    assert_eq!(house.engine.generating(), STALLED, "all of them would go on");
    let grown = resident(agent).saturating_sub(before);
    eprintln!(
        "{STALLED} stalled readers of an endless flood: the engine stopped after {} KiB each, the agent took {} KiB more",
        chunks / STALLED as u64,
        grown / 1024
    );
    assert!(grown <= STALLED as u64 * HELD && before <= BASE, "{before} {grown}");
    // A client beside them is answered.
    house.engine.change(|manner| manner.chunks = Some(3));
    assert_eq!(client.chat("tiny", "Hi").await.status, 200);
    drop(stalled);
    wait_until(Duration::from_secs(10), "the engine is left", async || (house.engine.generating() == 0).then_some(()))
        .await;
}
