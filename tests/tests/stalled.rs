//! Clients that stop reading hurt nobody but themselves: not the stream beside them, not new requests, not the tunnel.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use porten_tests::engine::Manner;
use porten_tests::{Engine, House, client, wait_until};
use serde_json::Value;
use tokio::sync::Mutex;

/// One at a time: what is measured is the tunnel, not the machine.
static TURN: Mutex<()> = Mutex::const_new(());

/// What a healthy stream beside them may at most wait between two of its chunks, on a busy two-core machine.
const UNNOTICED: Duration = Duration::from_secs(2);

fn streamed() -> Value {
    let mut body = client::chat("tiny", "Hi");
    body["stream"] = true.into();
    body
}

/// A long answer: more than fits on the way to a client that does not read (the tunnel's window of 128 KiB, as much
/// again in the Hub's socket, and what the Hub holds itself), so that a good part of it is stuck in the agent.
const LONG: u32 = 1400;

/// Waits until the engine has given out all of the long answers: what is stuck now is stuck behind a client.
async fn wait_until_full(engine: &Engine, stalled: usize) {
    let begun = Instant::now();
    wait_until(Duration::from_secs(150), "every window is full", async || (engine.generating() == 0).then_some(()))
        .await;
    assert!(engine.chunks() >= stalled as u64 * u64::from(LONG), "all of them were generated");
    eprintln!("{stalled} windows full after {:?}", begun.elapsed());
}

async fn beside(stalled: usize) {
    let _turn = TURN.lock().await;
    let house = House::ready(Manner::llama("tiny")).await;
    let link = house.agent.status().await["hub"]["link"].clone();
    let client = house.client();
    // Tiny chunks, as fast as the way takes them.
    house.engine.change(|manner| {
        manner.chunks = Some(LONG);
        manner.chunk_size = 20..=200;
        manner.delay = Duration::ZERO;
    });
    let body = streamed();
    let stuck = join_all((0..stalled).map(|_| client.stall("/v1/chat/completions", &body))).await;
    assert!(stuck.iter().all(|stream| stream.head.starts_with("HTTP/1.1 200")), "all of them began");
    wait_until_full(&house.engine, stalled).await;
    house.engine.change(|manner| {
        manner.chunks = Some(100);
        manner.delay = Duration::from_millis(20);
    });
    let healthy = client.stream_chat("tiny", "Hi").await;
    assert!(healthy.is_success(), "the healthy stream: {} {:?} {}", healthy.status, healthy.end, healthy.body);
    let gaps = healthy.events.windows(2).map(|pair| pair[1].0.duration_since(pair[0].0));
    let longest = gaps.max().expect("a hundred chunks");
    house.engine.change(|manner| manner.chunks = Some(3));
    let begun = Instant::now();
    let probe = client.chat("tiny", "Hi").await;
    let probed = begun.elapsed();
    eprintln!("{stalled} stalled: longest gap of the healthy stream {longest:?}, a new request answered in {probed:?}");
    assert_eq!(probe.status, 200, "{}", probe.text);
    assert!(longest < UNNOTICED && probed < UNNOTICED, "{longest:?} {probed:?}");
    // Numbers are drawn a few times a second: the one request that is over may still be among them for a moment.
    let all_stuck =
        house.agent.status_until(Duration::from_secs(2), "all of them, and only they, are still stuck", |status| {
            status["traffic"]["in_flight"] == stalled
        });
    assert_eq!(all_stuck.await["hub"]["link"], link, "the tunnel lives");
    drop(stuck);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stalled_reader() {
    beside(1).await;
}

/// Fault B9: twenty stalled clients do not slow the stream beside them, new requests, or the tunnel.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_stalled_readers() {
    beside(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_and_twenty_eight_stalled_readers() {
    beside(128).await;
}

/// Fault B8: 512 clients that stalled in floods of small chunks hurt nobody but themselves.
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_and_twelve_stalled_readers() {
    beside(512).await;
}
