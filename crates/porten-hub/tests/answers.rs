//! What of a node's answer reaches a client, and the headers that each answer of the Hub has.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what tests share fails like a test")]

mod common;

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use common::node::{self, Engine, end};
use common::{hub, open, send};
use porten_core::wire::END_COMPLETE;
use porten_hub::{Capacity, Catalog, Config, Origin, Store, Timing, TrustedProxies};

/// An engine that answers with this head.
fn heads(status: u16, headers: &'static [(&'static str, &'static str)]) -> Engine {
    Arc::new(move |_, mut respond| {
        let mut head = http::Response::builder().status(status);
        for (name, value) in headers {
            head = head.header(*name, *value);
        }
        let mut stream = respond.send_response(head.body(()).unwrap(), false).unwrap();
        stream.send_data(Bytes::from_static(b"{\"x\":1}"), false).unwrap();
        end(stream, END_COMPLETE);
    })
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn only_documented_answers_of_a_node_reach_a_client() {
    let refused: [(u16, &'static [(&str, &str)]); 9] = [
        (204, &[JSON]),
        (206, &[JSON]),
        (302, &[JSON, ("location", "http://evil.example/")]),
        (304, &[JSON]),
        (401, &[JSON]),
        (407, &[JSON]),
        (426, &[JSON]),
        (999, &[JSON]),
        (200, &[("content-type", "text/html")]),
    ];
    for (status, headers) in refused {
        let hub = hub().await;
        let _node = node::serving(&hub, "a", 8, heads(status, headers)).await;
        let answer = hub.chat("tiny").await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (502, "upstream_unusable"), "{status}");
    }
    let hub = hub().await;
    let _node = node::serving(&hub, "a", 8, heads(422, &[JSON, ("retry-after", "7"), ("set-cookie", "a=b")])).await;
    let answer = hub.chat("tiny").await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (422, "{\"x\":1}"));
    assert_eq!(answer.headers["retry-after"], "7");
    assert!(!answer.headers.contains_key("set-cookie"));
}

#[tokio::test]
async fn every_answer_says_that_it_is_what_it_says() {
    let hub = hub().await;
    let _node = node::serving(&hub, "a", 8, node::says("a")).await;
    for path in ["/", "/v1/models", "/device", "/v1/node/tunnel", "/v1/chat/completions"] {
        let answer = hub.get(path).await;
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert!(!answer.headers.contains_key("strict-transport-security"), "it is no https");
    }
    let answer = open(hub.address, hub.ask("/v1/chat/completions", r#"{"model":"tiny","stream":true}"#)).await;
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn a_hub_behind_https_keeps_browsers_there() {
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        public: Some(Origin::read("https://hub.example.net").unwrap()),
        trusted_proxies: TrustedProxies::default(),
        store: Store::in_memory().unwrap(),
        catalog: Catalog::built_in().unwrap(),
        capacity: Capacity::default(),
        timing: Timing::dev(),
        drain_within: std::time::Duration::from_secs(1),
    };
    let running = porten_hub::start(config).await.unwrap();
    let answer = send(running.address(), Request::get("/").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers["strict-transport-security"], "max-age=31536000");
}
