//! Nodes that drain, a Hub that stops, and what nodes are told about the requests that they do not get.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share fails like a test")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::node::{self, Engine, Node, end, events, refuses, says, serving};
use common::{Hub, hub, hub_that_drains, open};
use http_body_util::BodyExt as _;
use porten_core::wire::{
    Advert, AdvertModel, Drain, Drained, Draining, END_COMPLETE, FromAgent, FromHub, ModelTraffic, Standing,
};
use porten_hub::{Store, Timing, commands};
use tokio::sync::Notify;

const TINY: &str = r#"{"model":"tiny","messages":[],"stream":true}"#;

/// An engine that begins, and ends when it is told to.
fn waits() -> (Engine, Arc<Notify>) {
    let word = Arc::new(Notify::new());
    let given = Arc::clone(&word);
    let engine: Engine = Arc::new(move |_, respond| {
        let given = Arc::clone(&given);
        tokio::spawn(async move {
            let mut stream = events(respond);
            stream.send_data(Bytes::from_static(b"data: begun\n\n"), false).unwrap();
            given.notified().await;
            end(stream, END_COMPLETE);
        });
    });
    (engine, word)
}

async fn asked(hub: &Hub) -> hyper::Response<hyper::body::Incoming> {
    let mut answer = open(hub.address, hub.ask("/v1/chat/completions", TINY)).await;
    let first = answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "data: begun\n\n");
    answer
}

/// What the Hub says of `tiny` once it says this.
async fn told(node: &mut Node, is_it: impl Fn(&ModelTraffic) -> bool) -> ModelTraffic {
    loop {
        let traffic = node.traffic().await;
        if let Some(tiny) = traffic.models.into_iter().find(|model| model.id == "tiny" && is_it(model)) {
            return tiny;
        }
    }
}

#[tokio::test]
async fn a_node_that_drains_is_told_that_no_more_comes_and_how_many_are_left() {
    let hub = hub().await;
    let (engine, word) = waits();
    let mut node = serving(&hub, "a", 8, engine).await;
    let running = asked(&hub).await;
    node.say(&FromAgent::Draining(Draining { in_flight: 1 })).await;
    assert_eq!(node.traffic().await.models[0].standing, Standing::Draining);
    assert_eq!(node.hear().await, FromHub::Drained(Drained { in_flight: 1 }));
    assert_eq!(hub.chat("tiny").await.error(), "no_node");
    word.notify_one();
    assert!(running.into_body().collect().await.unwrap().to_bytes().is_empty(), "it ended in order");
}

#[tokio::test]
async fn a_hub_that_stops_turns_new_requests_away_in_words_and_finishes_what_runs() {
    let hub = hub_that_drains(Timing::dev(), Store::in_memory().unwrap(), Duration::from_secs(30)).await;
    let (engine, word) = waits();
    let mut node = serving(&hub, "a", 8, engine).await;
    let running = asked(&hub).await;
    let Hub { site, running: hub, .. } = hub;
    let stopped = tokio::spawn(hub.stop());
    let said = node.hear().await;
    assert!(matches!(said, FromHub::Drain(Drain { stay: true, .. })), "{said:?}");
    assert_eq!(node.traffic().await.models[0].standing, Standing::HubDrains);
    let turned_away = site.chat("tiny").await;
    assert_eq!((turned_away.status.as_u16(), turned_away.error().as_str()), (503, "hub_stopping"));
    assert_eq!(turned_away.headers["retry-after"], "5");
    word.notify_one();
    assert!(running.into_body().collect().await.unwrap().to_bytes().is_empty(), "it ended in order");
    assert!(matches!(node.hear().await, FromHub::Goodbye(_)));
    stopped.await.unwrap();
}

#[tokio::test]
async fn what_outlasts_the_time_of_a_hub_that_stops_is_cut_with_a_typed_error() {
    for hurried in [false, true] {
        let within = Duration::from_secs(if hurried { 600 } else { 1 });
        let hub = hub_that_drains(Timing::dev(), Store::in_memory().unwrap(), within).await;
        let (engine, _word) = waits();
        let _node = serving(&hub, "a", 8, engine).await;
        let running = asked(&hub).await;
        let (begun, now) = (Instant::now(), hub.running.hurry());
        let stopped = tokio::spawn(hub.running.stop());
        if hurried {
            now.cancel();
        }
        let rest = running.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&rest).contains("upstream_cut"), "{rest:?}");
        stopped.await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
    }
}

#[tokio::test]
async fn whoever_runs_the_hub_drains_a_node_and_lets_it_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sqlite");
    let hub = hub_that_drains(Timing::dev(), Store::open(&path).unwrap(), Duration::from_secs(2)).await;
    // Another process's hold on the same file.
    let other = Store::open(&path).unwrap();
    let (engine, word) = waits();
    let mut node = serving(&hub, "a", 8, engine).await;
    let running = asked(&hub).await;
    commands::drain_node(&other, 1, true).await.unwrap();
    let said = node.hear().await;
    let asked_to = "Whoever runs the Hub asked this node to finish.".to_owned();
    assert_eq!(said, FromHub::Drain(Drain { reason: asked_to, stay: true }));
    told(&mut node, |tiny| tiny.standing == Standing::HubDrains).await;
    assert_eq!(hub.chat("tiny").await.error(), "no_node");
    word.notify_one();
    assert!(running.into_body().collect().await.unwrap().to_bytes().is_empty(), "it ended in order");
    assert!(commands::list_nodes(&other).await.unwrap()[0].ends_with("\tdrained"));

    // A node that connects again is still drained.
    let access = hub.sign_in("b").await["access_token"].as_str().unwrap().to_owned();
    commands::drain_node(&other, 2, true).await.unwrap();
    let mut late = node::connect(&hub, "b", &access, says("b")).await;
    assert!(matches!(late.hear().await, FromHub::Drain(_)));
    late.advertise(&["tiny"], 8).await;
    assert_eq!(hub.chat("tiny").await.error(), "no_node");
    commands::drain_node(&other, 2, false).await.unwrap();
    told(&mut late, |tiny| tiny.standing == Standing::Eligible).await;
    assert_eq!(hub.chat("tiny").await.body, "data: b\n\n");
    assert!(matches!(commands::drain_node(&other, 9, true).await, Err(commands::CommandError::NoGrant(9))));
}

#[tokio::test]
async fn a_node_that_fails_again_and_again_rests_as_long_as_another_can_answer() {
    let hub = hub().await;
    let mut failing = serving(&hub, "failing", 8, refuses(502, "engine_answer_unreadable")).await;
    for _ in 0..4 {
        assert_eq!(hub.chat("tiny").await.status, 502, "it is the only one, and asked each time");
    }
    let _other = serving(&hub, "other", 8, says("other")).await;
    failing.advertise(&["tiny"], 8).await;
    let resting = told(&mut failing, |tiny| tiny.standing == Standing::Resting).await;
    assert!(resting.failures.is_some_and(|failures| failures >= 3), "{resting:?}");
    assert!(resting.retry_s.is_some_and(|seconds| seconds <= 10) && resting.nodes == Some(1), "{resting:?}");
    for _ in 0..4 {
        assert_eq!(hub.chat("tiny").await.body, "data: other\n\n");
    }
    failing.advertise(&["chat-only"], 8).await;
    let proven_anew = failing.advertise(&["tiny"], 8).await.models.remove(0);
    assert_eq!((proven_anew.standing, proven_anew.nodes), (Standing::Eligible, Some(2)));
}

#[tokio::test]
async fn a_node_is_told_whether_anybody_asks_and_how_many_could_answer() {
    let hub = hub().await;
    let mut node = serving(&hub, "a", 1, says("a")).await;
    let quiet = node.advertise(&["tiny", "tiny-1"], 1).await.models;
    assert_eq!((quiet[0].asked_s, quiet[0].nodes, quiet[0].at_cap), (None, Some(1), false));
    assert!(quiet[0].counted_s.is_some());
    assert_eq!((quiet[1].standing, quiet[1].nearest.as_deref()), (Standing::NotOffered, None));
    hub.chat("tiny").await;
    let tiny = node.advertise(&["tiny"], 1).await.models.remove(0);
    assert!(tiny.asked_s.is_some_and(|seconds| seconds < 10), "{tiny:?}");
    let (engine, _word) = waits();
    let mut full = serving(&hub, "b", 1, engine).await;
    let _running = asked(&hub).await;
    let full = full.advertise(&["tiny"], 1).await.models.remove(0);
    assert_eq!((full.standing, full.at_cap), (Standing::Eligible, true));
}

#[tokio::test]
async fn a_model_that_was_proven_too_long_ago_gets_nothing_until_it_is_proven_again() {
    let hub = hub().await;
    let mut node = serving(&hub, "a", 8, says("a")).await;
    let mut advertise = async |proven_s| {
        let model = AdvertModel { id: "tiny".into(), routes: porten_core::route::Route::ALL.to_vec(), proven_s };
        let advert =
            Advert { seq: 2, memory_mib: 1000, models: vec![model], max_streams: 8, engine_up: true, cold: vec![] };
        node.say(&FromAgent::Advert(advert)).await;
        node.traffic().await.models.remove(0).standing
    };
    // An older proof than the one that was told before makes nothing older.
    assert_eq!(advertise(Some(7200)).await, Standing::StaleProof);
    assert_eq!(hub.chat("tiny").await.error(), "no_node");
    assert_eq!(advertise(Some(900)).await, Standing::Eligible);
    assert_eq!(hub.chat("tiny").await.status, 200);
    assert_eq!(advertise(Some(7200)).await, Standing::Eligible, "it has just answered");
}
