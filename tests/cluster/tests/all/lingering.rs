//! An exo that computes on after its client has left, as its runners tell.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::time::{Duration, Instant};

use porten_cluster_tests::{LOADED, SOON, Scene, has_notice, row};
use porten_tests::client::{Client, streamed_chat};
use porten_tests::house::is_ready;

/// From the outside, who goes on computing for nobody and who computes for somebody else look the same. So somebody who asks exo
/// directly stands for both, and the words say so.
#[tokio::test]
async fn an_exo_that_computes_after_its_client_left_is_noticed_until_it_rests() {
    let scene = Scene::start(&[]).await;
    let ours = scene.long_answer().await;
    // A prompt that takes exo more than a minute to read.
    let body = streamed_chat(LOADED.1, &"many words ".repeat(70_000));
    let other = Client::new(&scene.sim.url(), "").stream("/v1/chat/completions", &body).await;
    let begun = Instant::now();
    drop(ours);
    let busy = |status: &serde_json::Value| has_notice(status, "still_busy");
    let status = scene.until(Duration::from_secs(60), "exo is said to be busy still", busy).await;
    row("client leaves, exo computes on", "still busy (patience 10 s)", begun, 15);
    assert!(begun.elapsed() >= Duration::from_secs(10), "not before its patience: {:?}", begun.elapsed());
    let notice = status["notices"].as_array().unwrap().iter().find(|one| one["code"] == "still_busy").unwrap();
    assert_eq!(notice["subject"], LOADED.0);
    assert!(notice["text"].as_str().unwrap().contains("or for somebody who asks exo directly"), "{notice}");
    assert!(is_ready(&status), "it serves all the same: {status}");
    assert!(scene.sim.get("/state/runners").await.to_string().contains("RunnerRunning"), "it does compute");
    drop(other);
    scene.until(SOON, "it rests, and nothing is said any more", |status| !busy(status)).await;
}
