//! A node opens its tunnel, or is told why not; and the Hub ends it in order.

mod common;

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use common::{hub, hub_with, node, send};
use porten_core::wire::{
    Advert, Drain, Drained, Draining, FromAgent, FromHub, Goodbye, GoodbyeReason, MAX_BODY, MAX_STREAMS, Standing,
};
use porten_hub::{Catalog, Store, Timing};
use porten_link::{Beat, End, Outgoing};
use tokio::io::AsyncWriteExt as _;

fn closed_with(end: &End) -> Option<u16> {
    match end {
        End::Closed { code, .. } => Some(*code),
        _ => None,
    }
}

#[tokio::test]
async fn what_is_no_upgrade_of_a_node_gets_a_plain_answer() {
    let hub = hub().await;
    let access = hub.sign_in("a").await["access_token"].as_str().unwrap().to_owned();
    let upgrade = |token: &str, left_out: &str, protocol: &str| {
        let mut request = Request::get("/v1/node/tunnel").header("authorization", format!("Bearer {token}"));
        let headers = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-protocol", protocol),
        ];
        for (name, value) in headers.into_iter().filter(|(name, _)| *name != left_out) {
            request = request.header(name, value);
        }
        request.body(Body::empty()).unwrap()
    };
    let answer = async |request| {
        let answer = send(hub.address, request).await;
        (answer.status.as_u16(), answer.error())
    };
    assert_eq!(answer(upgrade("porten_at_0", "", "porten.v1")).await, (401, "invalid_token".into()));
    assert_eq!(answer(Request::get("/v1/node/tunnel").body(Body::empty()).unwrap()).await.0, 401);
    assert_eq!(answer(upgrade(&access, "upgrade", "porten.v1")).await, (426, "upgrade_required".into()));
    assert_eq!(answer(upgrade(&access, "sec-websocket-version", "porten.v1")).await, (426, "websocket_version".into()));
    assert_eq!(answer(upgrade(&access, "", "porten.v0")).await, (400, "subprotocol".into()));
    assert_eq!(answer(upgrade(&access, "sec-websocket-protocol", "")).await, (400, "subprotocol".into()));
}

#[tokio::test]
async fn a_node_is_welcomed_and_told_where_it_stands() {
    let hub = hub().await;
    let tokens = hub.sign_in("a").await;
    let mut node = node::connect(&hub, "a", tokens["access_token"].as_str().unwrap(), node::says("a")).await;
    assert_eq!((node.welcome.node.as_str(), node.welcome.account.as_str()), ("a", "dev"));
    assert_eq!((node.welcome.limits.max_streams, node.welcome.limits.max_body_bytes), (MAX_STREAMS, MAX_BODY as u64));
    assert_eq!(node.welcome.catalog.len(), 3);
    let standing: Vec<(String, Standing)> =
        node.advertise(&["tiny", "big", "other"], 8).await.models.into_iter().map(|m| (m.id, m.standing)).collect();
    let expected = [("tiny", Standing::Eligible), ("big", Standing::NeedsMemory), ("other", Standing::NotOffered)];
    assert_eq!(standing, expected.map(|(id, standing)| (id.to_owned(), standing)));

    hub.running.set_catalog(Catalog::read("[[model]]\nid = \"other\"\nmemory_mib = 1").unwrap());
    let FromHub::Catalog(catalog) = node.hear().await else { panic!("no catalog") };
    assert_eq!(catalog.models.len(), 1);
    let standing: Vec<Standing> = node.traffic().await.models.into_iter().map(|model| model.standing).collect();
    assert_eq!(standing, [Standing::NotOffered, Standing::NotOffered, Standing::Eligible]);

    node.say(&FromAgent::Draining(Draining { in_flight: 0 })).await;
    assert_eq!(node.traffic().await.models[2].standing, Standing::Draining);
    assert_eq!(node.hear().await, FromHub::Drained(Drained { in_flight: 0 }), "no more is on its way");
}

#[tokio::test]
async fn the_newest_connection_of_a_node_wins() {
    let hub = hub().await;
    let access = hub.sign_in("a").await["access_token"].as_str().unwrap().to_owned();
    let mut older = node::connect(&hub, "a", &access, node::says("older")).await;
    older.advertise(&["tiny"], 8).await;
    let mut newer = node::connect(&hub, "a", &access, node::says("newer")).await;
    let said = older.hear().await;
    assert!(matches!(said, FromHub::Goodbye(Goodbye { reason: GoodbyeReason::Replaced, .. })), "{said:?}");
    assert_eq!(closed_with(&older.ended().await), Some(4409));
    newer.advertise(&["tiny"], 8).await;
    assert_eq!(hub.chat("tiny").await.body, "data: newer\n\n");
    assert!(newer.end.borrow().is_none());
}

#[tokio::test]
async fn who_breaks_the_protocol_before_the_welcome_is_closed() {
    let hub = hub().await;
    let access = hub.sign_in("a").await["access_token"].as_str().unwrap().to_owned();
    for (first, code) in [
        (node::hello("b"), 1002),
        ("{\"type\":\"hello\"}".to_owned(), 1002),
        ("[]".to_owned(), 1002),
        ("{\"type\":\"draining\",\"in_flight\":0}".to_owned(), 1002),
    ] {
        let mut opened = node::dial(&hub, &access).await.unwrap();
        opened.send(first.clone()).await.unwrap();
        let end = loop {
            match opened.receive().await {
                Ok(said) => assert!(said.contains("goodbye") && said.contains("protocol"), "{said}"),
                Err(end) => break end,
            }
        };
        assert_eq!(closed_with(&end), Some(code), "{first}");
    }
}

/// Fault B2: the Hub too closes with 1002 when a node sends data before its hello.
#[tokio::test]
async fn binary_before_the_hello_is_a_violation() {
    let hub = hub().await;
    let access = hub.sign_in("a").await["access_token"].as_str().unwrap().to_owned();
    // Going over to HTTP/2 at once sends binary first.
    let (mut bytes, mut control) = node::dial(&hub, &access).await.unwrap().into_link(Beat::default());
    bytes.write_all(b"PRI").await.unwrap();
    bytes.flush().await.unwrap();
    tokio::spawn(async move { tokio::io::copy(&mut bytes, &mut tokio::io::sink()).await });
    let end = tokio::time::timeout(Duration::from_secs(10), control.end.wait_for(Option::is_some)).await.unwrap();
    assert_eq!(closed_with(end.unwrap().as_ref().unwrap()), Some(1002));
}

#[tokio::test]
async fn a_node_that_says_no_hello_is_closed() {
    let timing = Timing { hello_patience: Duration::from_millis(100), ..Timing::dev() };
    let hub = hub_with(timing, Store::in_memory().unwrap()).await;
    let access = hub.sign_in("a").await["access_token"].as_str().unwrap().to_owned();
    let mut opened = node::dial(&hub, &access).await.unwrap();
    assert_eq!(closed_with(&opened.receive().await.unwrap_err()), Some(4408));
}

#[tokio::test]
async fn a_control_message_that_does_not_read_ends_the_tunnel_and_an_unknown_one_does_not() {
    let hub = hub().await;
    let mut node = node::serving(&hub, "a", 8, node::says("a")).await;
    node.outgoing.send(Outgoing::Text("{\"type\":\"confetti\"}".into())).await.unwrap();
    node.advertise(&["tiny"], 8).await;
    node.outgoing.send(Outgoing::Text("{\"type\":\"advert\"}".into())).await.unwrap();
    assert_eq!(closed_with(&node.ended().await), Some(1002));
    assert_eq!(hub.chat("tiny").await.error(), "no_node");
}

#[tokio::test]
async fn a_flood_of_control_messages_ends_the_tunnel() {
    let hub = hub().await;
    let mut node = node::serving(&hub, "a", 8, node::says("a")).await;
    let advert = Advert { seq: 2, memory_mib: 1, models: vec![], max_streams: 1, engine_up: false, cold: vec![] };
    let flood = porten_core::wire::write(&FromAgent::Advert(advert));
    while node.outgoing.send(Outgoing::Text(flood.clone())).await.is_ok() {
        while node.said.try_recv().is_ok() {}
    }
    assert_eq!(closed_with(&node.ended().await), Some(1008));
}

#[tokio::test]
async fn a_hub_that_stops_says_goodbye_to_its_nodes() {
    let hub = hub().await;
    let mut node = node::serving(&hub, "a", 8, node::says("a")).await;
    let started = std::time::Instant::now();
    hub.running.stop().await;
    assert!(matches!(node.hear().await, FromHub::Drain(Drain { stay: true, .. })));
    assert_eq!(node.traffic().await.models[0].standing, Standing::HubDrains);
    let said = node.hear().await;
    assert!(matches!(said, FromHub::Goodbye(Goodbye { reason: GoodbyeReason::Restart, .. })), "{said:?}");
    assert_eq!(closed_with(&node.ended().await), Some(1012));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}
