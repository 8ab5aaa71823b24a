//! Leaving in order, as whole processes: by `porten drain`, by a signal, and by a Hub that stops or drains a node.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::time::{Duration, Instant};

use porten_tests::engine::Manner;
use porten_tests::transcript::Transcript;
use porten_tests::{House, client, wait_until};
use serde_json::json;

/// Two seconds of an answer.
fn slow() -> Manner {
    Manner { chunks: Some(40), delay: Duration::from_millis(50), ..Manner::llama("tiny") }
}

async fn begin(house: &House) -> client::Streaming {
    let body = client::streamed_chat("tiny", "Hi");
    let mut stream = house.client().stream("/v1/chat/completions", &body).await;
    assert!(stream.read(2).await, "the answer has begun");
    stream
}

/// Fault F1: `porten drain` finishes three streams, says how many are left, and leaves the node offline.
#[tokio::test(flavor = "multi_thread")]
async fn a_drain_finishes_what_runs_and_cuts_what_takes_too_long_with_an_error() {
    let house = House::ready(slow()).await;
    let streams = [begin(&house).await, begin(&house).await, begin(&house).await];
    let ended = house.agent.command(&["drain"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("Draining: no new requests") && ended.stdout.contains("3 requests left"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.trim_end().ends_with("Go online again with: porten online"), "{}", ended.stdout);
    for stream in streams {
        let whole = stream.finish().await;
        assert!(whole.is_success(), "{}", whole.body);
    }
    assert_eq!(house.client().chat("tiny", "Hi").await.status, 503);

    assert_eq!(house.agent.command(&["online"]).await.code, Some(0));
    house.served_within(Duration::from_secs(20)).await;
    house.engine.change(|manner| manner.chunks = None);
    let endless = begin(&house).await;
    let ended = house.agent.command(&["drain", "--within", "1s", "--json"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let told: Vec<serde_json::Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    assert_eq!(
        told.first(),
        Some(&json!({"state": "draining", "in_flight": 1, "cut_or_failed": null})),
        "{}",
        ended.stdout
    );
    let over = json!({"state": "offline", "in_flight": 0, "cut_or_failed": 1});
    assert_eq!(told.last(), Some(&over), "{}", ended.stdout);
    let cut = endless.finish().await;
    assert_eq!(cut.error().map(|error| error["code"].clone()), Some(json!("node_stopped")), "{}", cut.body);
    assert!(!cut.done);

    let wrong = house.agent.command(&["drain", "--within", "soon"]).await;
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("write it like 90s, 10m or 1h30m"), "{}", wrong.stderr);
}

/// Fault F1: SIGTERM, and SIGHUP as well, lets three streams end, the Hub is told, and the agent exits 0.
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_lets_three_streams_end_and_the_agent_ends_well() {
    for signal in ["TERM", "HUP"] {
        let mut house = House::ready(slow()).await;
        let streams = [begin(&house).await, begin(&house).await, begin(&house).await];
        let begun = Instant::now();
        house.agent.process().signal(signal);
        let ended = house.agent.process().ended(Duration::from_secs(45)).await;
        assert_eq!(ended.code, Some(0), "SIG{signal}: {}", ended.stderr);
        assert!(ended.stdout.contains("Finishing 3 requests"), "{}", ended.stdout);
        for stream in streams {
            let whole = stream.finish().await;
            assert!(whole.is_success(), "{}", whole.body);
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
}

/// Fault F1: a second signal ends the agent now, exit 0, and each client whose answer it cuts is told so.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_the_agent_now_and_what_it_cuts_is_told() {
    for signal in ["TERM", "INT"] {
        let mut house = House::ready(Manner { chunks: None, ..slow() }).await;
        let streams = [begin(&house).await, begin(&house).await, begin(&house).await];
        house.agent.process().signal(signal);
        let finishing = |status: &serde_json::Value| status["overall"]["state"] == "finishing";
        house.agent.status_until(Duration::from_secs(10), "it finishes", finishing).await;
        house.agent.process().signal(signal);
        let begun = Instant::now();
        let ended = house.agent.process().ended(Duration::from_secs(10)).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
        for stream in streams {
            is_cut(&stream.finish().await);
        }
    }
}

/// Fault F1: what outlasts the time that a system gives a process after SIGTERM is cut with a typed error within 55 s, and the
/// agent exits 0.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute: make soak"]
async fn what_outlasts_the_systems_time_is_cut_before_the_system_kills() {
    let mut house = House::ready(Manner { chunks: None, ..slow() }).await;
    let streams = [begin(&house).await, begin(&house).await, begin(&house).await];
    house.agent.process().signal("TERM");
    let begun = Instant::now();
    let ended = house.agent.process().ended(Duration::from_secs(60)).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let took = begun.elapsed();
    assert!(took > Duration::from_secs(49) && took < Duration::from_secs(55), "{took:?}");
    for stream in streams {
        is_cut(&stream.finish().await);
    }
}

fn is_cut(cut: &Transcript) {
    assert_eq!(cut.error().map(|error| error["code"].clone()), Some(json!("node_stopped")), "{}", cut.body);
    assert!(!cut.done);
}

/// Fault F1: whoever waits for a drain may leave it, which it says how to undo; undone, the node serves again.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_drain_may_leave_it_and_take_it_back() {
    let house = House::ready(slow()).await;
    let stream = begin(&house).await;
    let mut waiting = house.agent.start(&["drain", "--within", "10m"]);
    wait_until(Duration::from_secs(10), "it counts", async || {
        waiting.stdout().contains("1 request left").then_some(())
    })
    .await;
    waiting.signal("INT");
    let left = waiting.ended(Duration::from_secs(10)).await;
    assert_eq!(left.code, Some(0), "{}", left.stderr);
    assert!(left.stdout.contains("goes on without this command; undo it with: porten online"), "{}", left.stdout);
    assert_eq!(house.agent.status().await["overall"]["state"], "finishing");
    assert_eq!(house.agent.command(&["online"]).await.code, Some(0));
    let whole = stream.finish().await;
    assert!(whole.is_success(), "{}", whole.body);
    house.served_within(Duration::from_secs(20)).await;
}

/// Fault F1: a Hub that is stopped finishes what runs, turns new requests away in words, and gets its node back at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_stopped_finishes_what_runs_and_gets_its_node_back() {
    let mut house = House::with_hub(slow(), &["--drain-within", "30s"]).await;
    let stream = begin(&house).await;
    house.hub.process().signal("TERM");
    let told = |status: &serde_json::Value| status["hub"]["drains"] == "The Hub is about to stop.";
    let status = house.agent.status_until(Duration::from_secs(10), "the node is told", told).await;
    assert_eq!(status["models"][0]["standing"], "hub_drains");
    let turned_away = house.client().chat("tiny", "Hi").await;
    assert_eq!((turned_away.status, turned_away.code()), (503, Some("hub_stopping")), "{}", turned_away.text);
    let whole = stream.finish().await;
    assert!(whole.is_success(), "{}", whole.body);
    house.hub.stop().await;
    house.hub.start().await;
    let took = house.served_within(Duration::from_secs(10)).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_status_says_why_only_where_something_keeps_requests_away() {
    let house = House::ready(slow()).await;
    let quiet = house.agent.command(&["status"]).await;
    assert!(!quiet.stdout.contains("Why no requests"), "nobody asks: {}", quiet.stdout);
    assert_eq!(house.agent.status().await["models"][0]["why"]["reason"], "idle");
    drop(begin(&house).await);
    let why = |status: &serde_json::Value| status["models"][0]["why"]["asked"].is_string();
    house.agent.status_until(Duration::from_secs(45), "that somebody asked", why).await;
}
