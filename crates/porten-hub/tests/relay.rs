//! A client asks the Hub and a node answers: placement, second tries, cuts, and every error a client can meet.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an engine of a test fails like the test")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use bytes::Bytes;
use common::node::{Engine, end, events, refuses, says, serving};
use common::{Hub, hub, hub_with, open, send, try_open, until};
use http_body_util::BodyExt as _;
use porten_core::wire::{Advert, Draining, END_COMPLETE, END_ERROR, FromAgent, FromHub, Wake};
use porten_hub::{Store, Timing};
use tokio::sync::{Notify, mpsc};

/// An engine that begins and then waits for the word.
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

#[tokio::test]
async fn a_request_reaches_the_node_as_it_was_and_its_answer_the_client() {
    let hub = hub().await;
    let (tell, mut told) = mpsc::channel(1);
    let engine: Engine = Arc::new(move |asked, respond| {
        tell.try_send(asked).unwrap();
        let mut stream = events(respond);
        stream.send_data(Bytes::from_static(b"data: {\"a\":1}\n\n"), false).unwrap();
        stream.send_data(Bytes::from_static(b"data: [DONE]\n\n"), false).unwrap();
        end(stream, END_COMPLETE);
    });
    let _node = serving(&hub, "a", 8, engine).await;
    let body = r#"{"stream":true, "model":"tiny","messages":[{"role":"user","content":"ä"}]}"#;
    let mut request = hub.ask("/v1/chat/completions?x=/state", body);
    let headers = request.headers_mut();
    headers.insert("x-request-id", "my-id.1".parse().unwrap());
    headers.insert("cookie", "secret=1".parse().unwrap());
    headers.insert("x-forwarded-for", "10.0.0.1".parse().unwrap());
    let answer = send(hub.address, request).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "data: {\"a\":1}\n\ndata: [DONE]\n\n"));
    assert_eq!(answer.headers["x-request-id"], "my-id.1");
    assert_eq!(answer.headers["content-type"], "text/event-stream");
    let asked = told.recv().await.unwrap();
    assert_eq!(asked.body, body);
    assert_eq!(asked.head.uri.path_and_query().unwrap(), "/v1/chat/completions");
    let mut names: Vec<&str> = asked.head.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "content-type", "x-request-id"], "nothing else travels");
    assert_eq!(asked.head.headers["x-request-id"], "my-id.1");
}

#[tokio::test]
async fn a_token_reaches_the_client_before_the_next_one_is_made() {
    let hub = hub().await;
    let (engine, word) = waits();
    let _node = serving(&hub, "a", 8, engine).await;
    let mut answer = open(hub.address, hub.ask("/v1/completions", r#"{"model":"tiny"}"#)).await;
    let first = answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(first, "data: begun\n\n");
    word.notify_one();
    assert!(answer.body_mut().frame().await.is_none());
}

#[tokio::test]
async fn the_models_listed_are_those_that_can_be_answered_now() {
    let hub = hub().await;
    let key = format!("Bearer {}", hub.api_key);
    let list = || async {
        let request = Request::get("/v1/models").header("authorization", &key).body(Body::empty()).unwrap();
        let list = send(hub.address, request).await.json();
        assert_eq!(list["object"], "list");
        let ids = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap().to_owned());
        ids.collect::<Vec<_>>()
    };
    assert!(list().await.is_empty());
    let mut node = serving(&hub, "a", 8, says("a")).await;
    assert_eq!(list().await, ["tiny", "chat-only"], "`big` needs more memory than the node has");
    node.say(&FromAgent::Draining(Draining { in_flight: 0 })).await;
    node.traffic().await;
    assert!(list().await.is_empty());
}

#[tokio::test]
async fn a_request_for_a_cold_model_wakes_it_and_is_told_when_to_come_back() {
    let hub = hub().await;
    let mut node = serving(&hub, "a", 8, says("a")).await;
    let cold = vec!["tiny".to_owned(), "big".to_owned()];
    let advert = Advert { seq: 2, memory_mib: 1000, models: vec![], max_streams: 8, engine_up: true, cold };
    node.say(&FromAgent::Advert(advert)).await;
    node.traffic().await;
    let answer = hub.chat("tiny").await;
    assert_eq!((answer.status.as_u16(), answer.error().as_str()), (503, "model_cold"));
    assert_eq!(answer.headers["retry-after"], "30");
    assert_eq!(node.hear().await, FromHub::Wake(Wake { model: "tiny".into() }));
    assert_eq!(hub.chat("big").await.error(), "no_node", "it needs more memory than the node has");
    assert_eq!(hub.chat("chat-only").await.error(), "no_node");
    node.advertise(&["tiny"], 8).await;
    assert_eq!(hub.chat("tiny").await.status, 200);
}

#[tokio::test]
async fn the_least_busy_node_gets_the_request_and_full_ones_say_when_to_come_back() {
    let hub = hub().await;
    let ((one, one_word), (other, other_word)) = (waits(), waits());
    let _one = serving(&hub, "one", 2, one).await;
    let _other = serving(&hub, "other", 1, other).await;
    let ask = || open(hub.address, hub.ask("/v1/completions", r#"{"model":"tiny"}"#));
    let (first, second, third) = (ask().await, ask().await, ask().await);
    let busy = hub.chat("tiny").await;
    assert_eq!((busy.status.as_u16(), busy.error().as_str()), (429, "all_nodes_busy"));
    assert_eq!(busy.headers["retry-after"], "2");
    // Ids break ties: one, other, and one again, since `other` is full.
    one_word.notify_waiters();
    for done in [first, third] {
        done.into_body().collect().await.unwrap();
    }
    other_word.notify_waiters();
    second.into_body().collect().await.unwrap();
    let again = ask().await;
    one_word.notify_one();
    other_word.notify_one();
    assert_eq!(again.status(), 200);
}

#[tokio::test]
async fn a_node_that_refuses_or_resets_is_passed_over_for_another() {
    for first in [refuses(503, "engine_down"), refuses(404, "model_not_found"), refuses(429, "busy"), resets()] {
        let hub = hub().await;
        let _first = serving(&hub, "a", 8, first).await;
        let _second = serving(&hub, "b", 8, says("b")).await;
        let answer = hub.chat("tiny").await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "data: b\n\n"));
    }
}

fn resets() -> Engine {
    Arc::new(|_, mut respond| respond.send_reset(h2::Reason::REFUSED_STREAM))
}

#[tokio::test]
async fn the_last_refusal_is_told_in_the_hubs_terms() {
    let cases = [
        (refuses(503, "engine_down"), 503, "engine_down"),
        (refuses(404, "model_not_found"), 503, "no_node"),
        (refuses(429, "busy"), 429, "all_nodes_busy"),
        (refuses(400, "image_not_allowed"), 400, "image_not_allowed"),
        (resets(), 502, "upstream_cut"),
    ];
    for (engine, status, code) in cases {
        let hub = hub().await;
        let _node = serving(&hub, "a", 8, engine).await;
        let answer = hub.chat("tiny").await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (status, code));
        assert!(!answer.headers.contains_key("set-cookie") && !answer.headers.contains_key("porten-refusal"));
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_not_tried_elsewhere() {
    let hub = hub().await;
    let _first = serving(&hub, "a", 8, refuses(400, "bad")).await;
    let _second = serving(&hub, "b", 8, says("b")).await;
    assert_eq!(hub.chat("tiny").await.error(), "bad");
}

/// An engine that sends `part` and then ends without saying how: in order at once, or by a reset on the word.
fn cuts(kind: &'static str, part: &'static str, reset: Option<Arc<Notify>>) -> Engine {
    Arc::new(move |_, mut respond| {
        let head = http::Response::builder().header("content-type", kind).body(()).unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        stream.send_data(Bytes::from_static(part.as_bytes()), reset.is_none()).unwrap();
        if let Some(word) = reset.clone() {
            tokio::spawn(async move {
                // A reset overtakes what has not been sent: the test gives the word when it has the bytes.
                word.notified().await;
                stream.send_reset(h2::Reason::INTERNAL_ERROR);
            });
        }
    })
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_in_an_error_event_and_never_in_done() {
    for reset in [None, Some(Arc::new(Notify::new()))] {
        let hub = hub().await;
        let engine = cuts("text/event-stream; charset=utf-8", "data: 1\n\ndata: {\"ha", reset.clone());
        let _node = serving(&hub, "a", 8, engine).await;
        let mut answer = open(hub.address, hub.ask("/v1/completions", r#"{"model":"tiny","stream":true}"#)).await;
        let first = answer.body_mut().frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(first, "data: 1\n\n");
        if let Some(word) = reset {
            word.notify_one();
        }
        let rest = answer.into_body().collect().await.unwrap().to_bytes();
        let error = rest.strip_prefix(b"data: ").and_then(|rest| rest.strip_suffix(b"\n\n"));
        let error: serde_json::Value = serde_json::from_slice(error.expect("one event, and no half one")).unwrap();
        assert_eq!(error["error"]["code"], "upstream_cut");
    }
}

#[tokio::test]
async fn a_document_that_is_cut_breaks_the_connection_off() {
    let hub = hub().await;
    let word = Arc::new(Notify::new());
    let engine = cuts("application/json", "{\"choices\":", Some(Arc::clone(&word)));
    let node = serving(&hub, "a", 8, engine).await;
    let ask = || hub.ask("/v1/completions", r#"{"model":"tiny"}"#);
    let answer = open(hub.address, ask()).await;
    assert_eq!(answer.status(), 200);
    word.notify_one();
    assert!(answer.into_body().collect().await.is_err(), "a client must not take it for the whole");
    drop(node);
    // Cut together with its first bytes: the head may not even go out.
    let _node = serving(&hub, "a", 8, cuts("application/json", "{\"choices\":", None)).await;
    let whole = match try_open(hub.address, ask()).await {
        Ok(answer) => answer.into_body().collect().await.is_ok(),
        Err(_) => false,
    };
    assert!(!whole);
}

#[tokio::test]
async fn an_answer_cut_before_its_first_byte_is_a_502() {
    let now = Notify::new();
    now.notify_one();
    for engine in [cuts("text/event-stream", "", None), cuts("application/json", "", Some(Arc::new(now)))] {
        let hub = hub().await;
        let _node = serving(&hub, "a", 8, engine).await;
        let answer = hub.chat("tiny").await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (502, "upstream_cut"));
    }
}

#[tokio::test]
async fn a_node_that_does_not_begin_in_time_is_a_504() {
    let timing = Timing { stream_patience: Duration::from_millis(100), ..Timing::dev() };
    let hub = hub_with(timing, Store::in_memory().unwrap()).await;
    let engine: Engine = Arc::new(|_, respond| {
        // Kept, and never answered.
        tokio::spawn(async move {
            let _respond = respond;
            std::future::pending::<()>().await;
        });
    });
    let _node = serving(&hub, "a", 8, engine).await;
    let answer = hub.chat("tiny").await;
    assert_eq!((answer.status.as_u16(), answer.error().as_str()), (504, "upstream_timeout"));
}

#[tokio::test]
async fn an_answer_that_ends_in_the_nodes_own_error_is_passed_as_it_is() {
    let hub = hub().await;
    let engine: Engine = Arc::new(|_, respond| {
        let mut stream = events(respond);
        stream
            .send_data(Bytes::from_static(b"data: {\"error\":{\"code\":\"upstream_truncated\"}}\n\n"), false)
            .unwrap();
        end(stream, END_ERROR);
    });
    let _node = serving(&hub, "a", 8, engine).await;
    assert_eq!(hub.chat("tiny").await.body, "data: {\"error\":{\"code\":\"upstream_truncated\"}}\n\n");
}

#[tokio::test]
async fn a_client_that_leaves_stops_the_node() {
    let hub = hub().await;
    let left = Arc::new(AtomicBool::new(false));
    let engine: Engine = {
        let left = Arc::clone(&left);
        Arc::new(move |_, respond| {
            let left = Arc::clone(&left);
            tokio::spawn(async move {
                let mut stream = events(respond);
                stream.send_data(Bytes::from_static(b"data: 1\n\n"), false).unwrap();
                let reset = std::future::poll_fn(|cx| stream.poll_reset(cx)).await;
                left.store(reset.is_ok_and(|reason| reason == h2::Reason::CANCEL), Ordering::SeqCst);
            });
        })
    };
    let _node = serving(&hub, "a", 1, engine).await;
    let ask = || open(hub.address, hub.ask("/v1/completions", r#"{"model":"tiny"}"#));
    let mut answer = ask().await;
    answer.body_mut().frame().await.unwrap().unwrap();
    drop(answer);
    until("the node hears that the client left", || async { left.load(Ordering::SeqCst) }).await;
    until("the place is free again", || async { ask().await.status() == 200 }).await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_stops_the_node_too() {
    let hub = hub().await;
    let (tell, mut told) = mpsc::channel(2);
    let engine: Engine = Arc::new(move |_, mut respond| {
        let tell = tell.clone();
        tokio::spawn(async move {
            tell.send("asked").await.unwrap();
            let reset = std::future::poll_fn(|cx| respond.poll_reset(cx)).await;
            assert_eq!(reset.unwrap(), h2::Reason::CANCEL);
            tell.send("left").await.unwrap();
        });
    });
    let _node = serving(&hub, "a", 1, engine).await;
    let (address, request) = (hub.address, hub.ask("/v1/completions", r#"{"model":"tiny"}"#));
    let client = tokio::spawn(async move { open(address, request).await });
    assert_eq!(told.recv().await, Some("asked"));
    // The connection's own task holds the socket: it goes when the request's future and its sender go.
    client.abort();
    let left = tokio::time::timeout(Duration::from_secs(10), told.recv()).await;
    assert_eq!(left.expect("the node is never told"), Some("left"));
}

#[tokio::test]
async fn a_tunnel_that_is_lost_ends_its_streams_in_error_events() {
    let hub = hub().await;
    let (engine, _word) = waits();
    let node = serving(&hub, "a", 8, engine).await;
    let mut answer = open(hub.address, hub.ask("/v1/completions", r#"{"model":"tiny"}"#)).await;
    answer.body_mut().frame().await.unwrap().unwrap();
    let close = porten_link::Outgoing::Close { code: 1000, reason: String::new() };
    node.outgoing.send(close).await.unwrap();
    let rest = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&rest).contains("upstream_cut"), "{rest:?}");
    until("the node is gone", || async { hub.chat("tiny").await.error() == "no_node" }).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_fills_its_own_window_and_no_more() {
    let hub = hub().await;
    let sent = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let engine: Engine = {
        let sent = Arc::clone(&sent);
        Arc::new(move |asked, respond| {
            if asked.body.starts_with(b"{\"model\":\"chat-only\"") {
                let mut stream = events(respond);
                stream.send_data(Bytes::from_static(b"data: healthy\n\n"), false).unwrap();
                return end(stream, END_COMPLETE);
            }
            let sent = Arc::clone(&sent);
            tokio::spawn(async move {
                let mut stream = events(respond);
                let event = Bytes::from("data: 0123456789012345678901234567890123456789\n\n");
                loop {
                    stream.reserve_capacity(event.len());
                    match std::future::poll_fn(|cx| stream.poll_capacity(cx)).await {
                        Some(Ok(room)) if room >= event.len() => {
                            stream.send_data(event.clone(), false).unwrap();
                            sent.fetch_add(event.len(), Ordering::SeqCst);
                        }
                        Some(Ok(_)) => tokio::task::yield_now().await,
                        _ => return,
                    }
                }
            });
        })
    };
    let _node = serving(&hub, "a", 8, engine).await;
    let mut stalled = open(hub.address, hub.ask("/v1/completions", r#"{"model":"tiny"}"#)).await;
    stalled.body_mut().frame().await.unwrap().unwrap();
    // Grows until the sockets' buffers and the window are full, then stands.
    let stands = || async {
        let before = sent.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
        sent.load(Ordering::SeqCst) == before
    };
    until("the node is held back", stands).await;
    let healthy = hub.ask("/v1/chat/completions", r#"{"model":"chat-only"}"#);
    assert_eq!(send(hub.address, healthy).await.body, "data: healthy\n\n");
}

async fn refused(hub: &Hub, request: Request<Body>) -> (u16, String) {
    let answer = send(hub.address, request).await;
    assert!(answer.json()["error"]["message"].as_str().is_some_and(|text| !text.is_empty()), "{}", answer.body);
    (answer.status.as_u16(), answer.error())
}

#[tokio::test]
async fn every_mistake_of_a_client_is_an_openai_error() {
    let hub = hub().await;
    let chat = "/v1/chat/completions";
    let asks = |body: &'static str| hub.ask(chat, body);
    assert_eq!(refused(&hub, asks(r#"{"model":"none"}"#)).await, (404, "model_not_found".into()));
    assert_eq!(refused(&hub, asks(r#"{"model":"tiny"}"#)).await, (503, "no_node".into()));
    assert_eq!(hub.chat("tiny").await.headers["retry-after"], "10");
    assert_eq!(refused(&hub, asks("{")).await, (400, "invalid_json".into()));
    assert_eq!(refused(&hub, asks(r#"{"model":"a","model":"b"}"#)).await, (400, "invalid_json".into()));
    let wrong_route = hub.ask("/v1/completions", r#"{"model":"chat-only"}"#);
    assert_eq!(refused(&hub, wrong_route).await, (400, "route_not_offered".into()));
    for key in ["", "Bearer", "Bearer porten_key_0", "Basic x"] {
        let request = Request::post(chat).header("authorization", key).body(Body::from("{}")).unwrap();
        assert_eq!(refused(&hub, request).await, (401, "invalid_api_key".into()), "{key:?}");
    }
    let get = Request::get(chat).body(Body::empty()).unwrap();
    assert_eq!(refused(&hub, get).await, (405, "method_not_allowed".into()));
    for path in ["/", "/state", "/v1/chat/completions/", "/v1//chat/completions", "/V1/models", "/v1/%63ompletions"] {
        let request = Request::post(path).body(Body::empty()).unwrap();
        assert_eq!(refused(&hub, request).await, (404, "unknown_route".into()), "{path}");
    }
}

#[tokio::test]
async fn a_body_over_32_mib_is_refused_announced_or_not() {
    let hub = hub().await;
    let announced = Request::post("/v1/completions")
        .header("authorization", format!("Bearer {}", hub.api_key))
        .header("content-length", "1000000000000")
        .body(Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>()))
        .unwrap();
    assert_eq!(refused(&hub, announced).await, (413, "body_too_large".into()));
    let chunk = Bytes::from(vec![b' '; 1024 * 1024]);
    let chunks = futures_util::stream::iter((0..33).map(move |_| Ok::<_, std::io::Error>(chunk.clone())));
    // The Hub may answer and close while the client still sends: then the client sees its own broken pipe.
    let request = hub.ask("/v1/completions", Body::from_stream(chunks));
    let address = hub.address;
    let answer = tokio::spawn(async move { send(address, request).await }).await;
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 413));
}

#[tokio::test]
async fn a_large_body_arrives_whole() {
    let hub = hub().await;
    let engine: Engine = Arc::new(|asked, respond| {
        let mut stream = events(respond);
        stream.send_data(Bytes::from(format!("data: {}\n\n", asked.body.len())), false).unwrap();
        end(stream, END_COMPLETE);
    });
    let _node = serving(&hub, "a", 8, engine).await;
    let body = format!(r#"{{"model":"tiny","prompt":"{}"}}"#, "x".repeat(5_000_000));
    let answer = send(hub.address, hub.ask("/v1/completions", body.clone())).await;
    assert_eq!(answer.body, format!("data: {}\n\n", body.len()));
}

#[tokio::test]
async fn an_account_is_answered_by_its_own_nodes_only() {
    let hub = hub().await;
    let _node = serving(&hub, "a", 8, says("a")).await;
    porten_hub::commands::add_account(&hub.store, "other").await.unwrap();
    let (_, key) = porten_hub::commands::add_key(&hub.store, "other", "k").await.unwrap();
    let request = Request::post("/v1/completions")
        .header("authorization", format!("Bearer {}", key.expose()))
        .body(Body::from(r#"{"model":"tiny"}"#))
        .unwrap();
    assert_eq!(refused(&hub, request).await, (503, "no_node".into()));
}
