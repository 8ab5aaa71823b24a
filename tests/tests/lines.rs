//! Streams over lines that are long, lossy or narrow: none is lost, and how late its tokens are.
#![cfg(target_os = "linux")] // Packets are held and lost by rules of a network namespace.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::time::{Duration, Instant};

use porten_tests::client::chat;
use porten_tests::engine::Manner;
use porten_tests::house::is_ready;
use porten_tests::lossy::Lossy;
use porten_tests::transcript::Transcript;
use porten_tests::{Agent, Client, Detour, Engine, Hub, inside};
use tokio::task::JoinSet;

const READY: Duration = Duration::from_secs(30);

/// An agent whose tunnel goes over this detour, and is up.
async fn agent(engine: &Engine, hub: &Hub, detour: &Detour) -> Agent {
    let mut agent = Agent::bare();
    agent.set("PORTEN_HUB_URL", &detour.ws_url());
    agent.set_engine(&engine.url());
    agent.set("PORTEN_LOG", "info");
    agent.login(hub).await;
    agent.run();
    agent.status_until(READY, "the agent is ready", is_ready).await;
    agent
}

async fn streams(client: &Client, count: usize) -> Vec<Transcript> {
    let mut running = JoinSet::new();
    for _ in 0..count {
        let client = client.clone();
        running.spawn(async move { client.stream_chat("tiny", "Hi").await });
    }
    running.join_all().await
}

/// The time between two tokens that all but one in a hundred stay below.
fn p99(streams: &[Transcript]) -> Duration {
    let mut gaps = Vec::new();
    for stream in streams {
        let times: Vec<Instant> = stream.events.iter().map(|(time, _)| *time).collect();
        gaps.extend(times.windows(2).map(|pair| pair[1] - pair[0]));
    }
    gaps.sort_unstable();
    gaps[gaps.len() * 99 / 100]
}

fn assert_whole(streams: &[Transcript], content: &str) {
    for stream in streams {
        assert!(stream.is_success() && stream.done, "{}", stream.body);
        assert_eq!(stream.content(), content);
    }
}

/// Fault A8: at 40 ms of round trip and 1 % or 3 % of packets lost, no stream is lost or altered; tokens are as late as over
/// a direct TCP connection through the same line, within three times.
#[tokio::test(flavor = "multi_thread")]
async fn a_lossy_line_loses_no_stream() {
    if !inside::network_namespace("a_lossy_line_loses_no_stream") {
        return;
    }
    let manner =
        Manner { chunks: Some(100), delay: Duration::from_millis(30), chunk_size: 8..=8, ..Manner::mlx("tiny") };
    let engine = Engine::start(manner).await;
    let hub = Hub::start_with_log("info").await;
    let (tunnel, direct) = (Detour::to(hub.port()), Detour::to(engine.port()));
    let _agent = agent(&engine, &hub, &tunnel).await;
    let whole = streams(&hub.client(), 1).await.remove(0).content();
    for per_mille in [10, 30] {
        let line = Lossy::line(&[tunnel.port(), direct.port()], Duration::from_millis(20), per_mille);
        let straight = Client::new(&format!("http://127.0.0.1:{}", direct.port()), "");
        let client = hub.client();
        let (through, beside) = tokio::join!(streams(&client, 16), streams(&straight, 16));
        let (passed, lost) = line.end();
        assert!(lost > 0 && passed > 1000, "the line was used: {passed} passed, {lost} lost");
        assert_whole(&through, &whole);
        assert_whole(&beside, &whole);
        let (ours, theirs) = (p99(&through), p99(&beside));
        eprintln!(
            "{per_mille} ‰ lost ({lost} of {}), 40 ms: p99 between tokens {ours:?}, directly {theirs:?}",
            passed + lost
        );
        assert!(ours <= 3 * theirs.max(Duration::from_millis(100)), "{ours:?} {theirs:?}");
    }
}

/// Fault A9: on a line of 2 Mbit/s a prompt of 5 MB goes up beside eight streams, whose tokens stay below twice their usual
/// p99.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_prompt_on_a_narrow_line_does_not_hold_up_tokens() {
    let manner =
        Manner { chunks: Some(60), delay: Duration::from_millis(100), chunk_size: 8..=8, ..Manner::mlx("tiny") };
    let engine = Engine::start(manner).await;
    let hub = Hub::start_with_log("info").await;
    let line = Detour::narrow(hub.port(), 250_000);
    let _agent = agent(&engine, &hub, &line).await;
    let alone = streams(&hub.client(), 8).await;
    let prompt = "x".repeat(5_000_000);
    let client = hub.client();
    let begun = Instant::now();
    let bulk =
        tokio::spawn(
            async move { (client.post("/v1/chat/completions", &chat("tiny", &prompt)).await, begun.elapsed()) },
        );
    // Until the line is full of it.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let beside = streams(&hub.client(), 8).await;
    let finished_under_way = !bulk.is_finished();
    let (answer, took) = bulk.await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(took >= Duration::from_secs(20), "5 MB at 2 Mbit/s take 20 s: {took:?}");
    assert!(finished_under_way, "the streams ran beside the prompt");
    let (usual, loaded) = (p99(&alone), p99(&beside));
    eprintln!("2 Mbit/s: p99 between tokens {usual:?} alone, {loaded:?} beside a prompt of 5 MB, which took {took:?}");
    assert!(alone.iter().chain(&beside).all(Transcript::is_success));
    assert!(loaded < 2 * usual, "{usual:?} {loaded:?}");
}
