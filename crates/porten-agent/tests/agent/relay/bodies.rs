//! Requests that come slowly, or are too long.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use porten_core::wire::MAX_BODY;

use super::lowered;
use crate::support::engine::{Engine, stream};
use crate::support::tunnel::{CHAT, Tunnel, chat, read};

/// Fault C11: a body that stops coming is a 408, and the engine is not asked.
#[tokio::test]
async fn a_body_that_stops_coming_is_a_408_and_the_engine_is_not_asked() {
    let engine = Engine::saying(stream(&["a"])).await;
    let tunnel = Tunnel::with(&engine, lowered(|limits, short| limits.body = short)).await;
    let (response, mut body) = tunnel.open(Method::POST, CHAT, &[("content-type", "application/json")], false).await;
    body.send_data(Bytes::from_static(b"{\"model\":"), false).unwrap();
    let got = read(response).await;
    assert_eq!((got.status, got.code().as_str(), got.refusal()), (408, "request_timeout", None));
    assert!(engine.seen().is_empty());
}

/// Fault C11: a body that trickles is a 408 as well, and other requests are answered meanwhile.
#[tokio::test]
async fn a_body_that_trickles_is_a_408_and_others_do_not_notice() {
    let engine = Engine::saying(stream(&["a"])).await;
    let tunnel = Tunnel::with(&engine, lowered(|limits, short| limits.body = 3 * short)).await;
    let (response, mut body) = tunnel.open(Method::POST, CHAT, &[("content-type", "application/json")], false).await;
    let begun = Instant::now();
    let trickle = async move {
        while body.send_data(Bytes::from_static(b" "), false).is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let beside = async {
        assert_eq!(tunnel.ask(CHAT, &chat(true)).await.status, 200);
    };
    let (got, (), ()) = tokio::join!(read(response), trickle, beside);
    assert_eq!((got.status, got.code().as_str(), got.refusal()), (408, "request_timeout", None));
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
    assert_eq!(engine.seen().len(), 1, "the one beside it");
}

/// Fault C11: a body that announces too much is refused before a byte of it.
#[tokio::test]
async fn a_body_that_is_announced_too_long_is_refused_before_a_byte_of_it() {
    let engine = Engine::saying("").await;
    let tunnel = Tunnel::to(&engine).await;
    let length = (MAX_BODY + 1).to_string();
    let headers = [("content-type", "application/json"), ("content-length", &*length)];
    let (response, _body) = tunnel.open(Method::POST, CHAT, &headers, false).await;
    let got = read(response).await;
    assert_eq!((got.status, got.code().as_str(), got.end()), (413, "request_too_large", "complete"));
}

/// Fault C11: a body that turns out too long is refused where the limit is.
#[tokio::test]
async fn a_body_that_turns_out_too_long_is_refused_where_the_limit_is() {
    let engine = Engine::saying("").await;
    let tunnel = Tunnel::to(&engine).await;
    let (response, mut body) = tunnel.open(Method::POST, CHAT, &[("content-type", "application/json")], false).await;
    let sending = async {
        let mut sent = 0;
        loop {
            body.reserve_capacity(1 << 20);
            let room = std::future::poll_fn(|cx| body.poll_capacity(cx)).await;
            let Some(Ok(room)) = room else { return sent };
            if body.send_data(Bytes::from(vec![b' '; room]), false).is_err() {
                return sent;
            }
            sent += room;
        }
    };
    let (got, sent) = tokio::join!(read(response), sending);
    assert_eq!((got.status, got.code().as_str(), got.end()), (413, "request_too_large", "complete"));
    assert!(sent <= MAX_BODY + 4 * (1 << 20), "only the window was sent beyond it: {sent}");
}
