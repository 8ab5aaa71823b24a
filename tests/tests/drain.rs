//! `porten drain`: what runs is finished, what takes too long is cut and says so, and the node is offline until it is told otherwise.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::time::Duration;

use porten_tests::engine::Manner;
use porten_tests::{House, client};
use serde_json::json;

/// Two seconds of an answer.
fn slow() -> Manner {
    Manner { chunks: Some(40), delay: Duration::from_millis(50), ..Manner::llama("tiny") }
}

async fn begin(house: &House) -> client::Streaming {
    let mut body = client::chat("tiny", "Hi");
    body["stream"] = true.into();
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
    assert_eq!(told.first(), Some(&json!({"state": "draining", "in_flight": 1})), "{}", ended.stdout);
    let over = json!({"state": "offline", "in_flight": 0, "cut_or_failed": 1});
    assert_eq!(told.last(), Some(&over), "{}", ended.stdout);
    let cut = endless.finish().await;
    assert_eq!(cut.error().map(|error| error["code"].clone()), Some(json!("node_stopped")), "{}", cut.body);
    assert!(!cut.done);

    let wrong = house.agent.command(&["drain", "--within", "soon"]).await;
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("write it like 90s, 10m or 1h30m"), "{}", wrong.stderr);
}
