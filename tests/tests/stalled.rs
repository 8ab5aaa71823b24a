//! Clients that stop reading hurt nobody but themselves: not the stream beside them, not new requests, not the tunnel.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use porten_tests::engine::Manner;
use porten_tests::{House, client};
use serde_json::Value;

/// What a healthy stream beside them may at most wait between two of its chunks, on a busy two-core machine.
const UNNOTICED: Duration = Duration::from_secs(2);

fn streamed() -> Value {
    let mut body = client::chat("tiny", "Hi");
    body["stream"] = true.into();
    body
}

async fn beside(stalled: usize) {
    let house = House::ready(Manner::llama("tiny")).await;
    let link = house.agent.status().await["hub"]["link"].clone();
    let client = house.client();
    // Tiny chunks, without end, as fast as the way takes them.
    house.engine.change(|manner| {
        manner.chunks = None;
        manner.chunk_size = 20..=200;
        manner.delay = Duration::from_millis(1);
    });
    let body = streamed();
    let stuck = join_all((0..stalled).map(|_| client.stall("/v1/chat/completions", &body))).await;
    assert!(stuck.iter().all(|stream| stream.head.starts_with("HTTP/1.1 200")), "all of them began");
    // Time for every window on the way to fill.
    tokio::time::sleep(Duration::from_secs(4)).await;
    house.engine.change(|manner| {
        manner.chunks = Some(100);
        manner.delay = Duration::from_millis(20);
    });
    let healthy = client.stream_chat("tiny", "Hi").await;
    assert!(healthy.is_success(), "the healthy stream: {:?}", healthy.error());
    let gaps = healthy.events.windows(2).map(|pair| pair[1].0.duration_since(pair[0].0));
    let longest = gaps.max().expect("a hundred chunks");
    house.engine.change(|manner| manner.chunks = Some(3));
    let begun = Instant::now();
    let probe = client.chat("tiny", "Hi").await;
    let probed = begun.elapsed();
    eprintln!("{stalled} stalled: longest gap of the healthy stream {longest:?}, a new request answered in {probed:?}");
    assert_eq!(probe.status, 200, "{}", probe.text);
    assert!(longest < UNNOTICED && probed < UNNOTICED, "{longest:?} {probed:?}");
    assert_eq!(house.agent.status().await["hub"]["link"], link, "the tunnel lives");
    drop(stuck);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stalled_reader() {
    beside(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_stalled_readers() {
    beside(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_and_twenty_eight_stalled_readers() {
    beside(128).await;
}

/// One place is left for the stream beside them: the tunnel carries 512.
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_and_eleven_stalled_readers_and_the_last_place_is_served() {
    beside(511).await;
}
