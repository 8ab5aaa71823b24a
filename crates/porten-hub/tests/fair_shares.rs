//! What one account may take of the Hub, and what its nodes may say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what tests share fails like a test")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use common::node::{self, says};
use common::{hub, hub_with, send, until};
use porten_core::route::Route;
use porten_core::wire::{Advert, AdvertModel, FromAgent, Hello, MAX_ADVERT_MODELS, MAX_MODEL_ID, Standing};
use porten_hub::{Store, Timing, commands};
use porten_link::{End, Outgoing};

fn advert(ids: impl Iterator<Item = String>) -> Advert {
    let models = ids.map(|id| AdvertModel { id, routes: Route::ALL.to_vec(), proven_s: None }).collect();
    Advert { seq: 2, memory_mib: 1000, models, max_streams: 8, engine_up: true, cold: vec![] }
}

async fn code_after(message: Outgoing) -> (u16, String) {
    let hub = hub().await;
    let mut node = node::serving(&hub, "a", 8, says("a")).await;
    node.outgoing.send(message).await.unwrap();
    match node.ended().await {
        End::Closed { code, reason } => (code, reason),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_advert_beyond_the_limits_ends_the_link_and_says_why() {
    let say = |advert| Outgoing::Text(porten_core::wire::write(&FromAgent::Advert(advert)));
    let many = code_after(say(advert((0..=MAX_ADVERT_MODELS).map(|n| format!("m{n}"))))).await;
    assert!(many.0 == 1008 && many.1.contains("256"), "{many:?}");
    let cold = Advert { cold: vec!["c".into()], ..advert((0..MAX_ADVERT_MODELS).map(|n| format!("m{n}"))) };
    assert_eq!(code_after(say(cold)).await.0, 1008, "those at rest count");
    let long = code_after(say(advert(std::iter::once("é".repeat(MAX_MODEL_ID + 1))))).await;
    assert!(long.0 == 1008 && long.1.contains("200"), "{long:?}");
    let large = code_after(Outgoing::Text(format!(r#"{{"type":"confetti","x":"{}"}}"#, "y".repeat(200_000)))).await;
    assert_eq!(large.0, 1009, "{large:?}");
}

#[tokio::test]
async fn the_largest_legal_advert_is_answered() {
    let hub = hub().await;
    let mut node = node::serving(&hub, "a", 8, says("a")).await;
    let ids = (0..MAX_ADVERT_MODELS - 1).map(|n| format!("{n:0>MAX_MODEL_ID$}")).chain(["tiny".to_owned()]);
    node.say(&FromAgent::Advert(advert(ids))).await;
    let models = node.traffic().await.models;
    assert_eq!((models.len(), models[MAX_ADVERT_MODELS - 1].standing), (MAX_ADVERT_MODELS, Standing::Eligible));
    assert_eq!(hub.chat("tiny").await.body, "data: a\n\n");
}

#[tokio::test]
async fn a_hello_that_is_too_long_is_turned_away() {
    let hub = hub().await;
    let access = hub.sign_in("a").await["access_token"].as_str().unwrap().to_owned();
    let mut opened = node::dial(&hub, &access).await.unwrap();
    let name = "A".repeat(300_000);
    let hello = Hello { node: "a".into(), name, agent: "0".into(), platform: "x".into() };
    opened.send(porten_core::wire::write(&FromAgent::Hello(hello))).await.unwrap();
    assert!(opened.receive().await.unwrap().contains("too long"));
}

#[tokio::test]
async fn a_node_that_connects_again_and_again_is_told_to_wait() {
    let hub = hub().await;
    let access = hub.sign_in("a").await["access_token"].as_str().unwrap().to_owned();
    let mut refused = None;
    for _ in 0..140 {
        let request = Request::get("/v1/node/tunnel").header("authorization", format!("Bearer {access}"));
        let answer = send(hub.address, request.body(Body::empty()).unwrap()).await;
        if answer.status != 426 {
            refused = Some((answer.status.as_u16(), answer.error(), answer.headers["retry-after"].clone()));
            break;
        }
    }
    assert_eq!(refused, Some((429, "too_many_connections".into(), "10".parse().unwrap())));
}

/// A Hub on a file, and another process's hold on it.
async fn shared() -> (tempfile::TempDir, common::Hub, Store) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hub.sqlite");
    let hub = hub_with(Timing::dev(), Store::open(&path).unwrap()).await;
    let other = Store::open(&path).unwrap();
    // The Hub has looked once, so that it notices what changes from here on.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    (folder, hub, other)
}

/// An engine that begins with this, if with anything, and then says nothing.
fn falls_silent(kind: &'static str, first: &'static str) -> node::Engine {
    Arc::new(move |_, mut respond| {
        tokio::spawn(async move {
            if first.is_empty() {
                std::future::poll_fn(|cx| respond.poll_reset(cx)).await.unwrap();
                return;
            }
            let head = http::Response::builder().header("content-type", kind).body(()).unwrap();
            let mut stream = respond.send_response(head, false).unwrap();
            stream.send_data(bytes::Bytes::from(first), false).unwrap();
            std::future::poll_fn(|cx| stream.poll_reset(cx)).await.unwrap();
        });
    })
}

#[tokio::test]
async fn a_revoked_key_ends_its_running_stream_with_an_error_event() {
    use http_body_util::BodyExt as _;
    let (_folder, hub, other) = shared().await;
    let _node = node::serving(&hub, "a", 8, falls_silent("text/event-stream", "data: 1\n\n")).await;
    let mut answer = common::open(hub.address, hub.ask("/v1/completions", r#"{"model":"tiny","stream":true}"#)).await;
    let first = answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "data: 1\n\n");
    let begun = std::time::Instant::now();
    commands::revoke_key(&other, 1).await.unwrap();
    let rest = answer.into_body().collect().await.unwrap().to_bytes();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.starts_with("data: {") && rest.contains("key_revoked") && rest.ends_with("\n\n"), "{rest}");
    assert!(!rest.contains("[DONE]"));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    until("the key is refused", async || hub.chat("tiny").await.status == 401).await;
}

#[tokio::test]
async fn a_revoked_key_breaks_a_document_off_and_ends_a_wait() {
    use http_body_util::BodyExt as _;
    let (_folder, hub, other) = shared().await;
    let _node = node::serving(&hub, "a", 8, falls_silent("application/json", "{\"choices\":")).await;
    let answer = common::open(hub.address, hub.ask("/v1/completions", r#"{"model":"tiny"}"#)).await;
    commands::revoke_key(&other, 1).await.unwrap();
    let whole = tokio::time::timeout(Duration::from_secs(3), answer.into_body().collect()).await.unwrap();
    assert!(whole.is_err(), "a client must not take it for the whole");

    let (_folder, hub, other) = shared().await;
    let _node = node::serving(&hub, "a", 8, falls_silent("", "")).await;
    let waits = hub.chat("tiny");
    let (answer, _) = tokio::join!(tokio::time::timeout(Duration::from_secs(4), waits), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        commands::revoke_key(&other, 1).await.unwrap();
    });
    let answer = answer.expect("it still waits");
    assert_eq!((answer.status.as_u16(), answer.error().as_str()), (401, "key_revoked"));
}

#[tokio::test]
async fn another_accounts_key_leaves_a_stream_alone() {
    let (_folder, hub, other) = shared().await;
    let (_, _) = commands::add_key(&other, "dev", "second").await.unwrap();
    let _node = node::serving(&hub, "a", 8, falls_silent("text/event-stream", "data: 1\n\n")).await;
    let answer = common::open(hub.address, hub.ask("/v1/completions", r#"{"model":"tiny","stream":true}"#)).await;
    commands::revoke_key(&other, 2).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_millis(2500), http_body_util::BodyExt::collect(answer.into_body()));
    assert!(ended.await.is_err(), "it goes on");
}
