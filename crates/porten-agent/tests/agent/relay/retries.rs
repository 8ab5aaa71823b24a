//! What is asked once more, and what is not.

use std::time::{Duration, Instant};

use crate::support::engine::{EVENTS, Engine, event, stream};
use crate::support::tunnel::{CHAT, Tunnel, chat};
use crate::support::write;

#[tokio::test]
async fn a_connection_that_closes_before_a_byte_is_tried_once_more() {
    let engine = Engine::start(|number, _, mut socket| async move {
        if number > 1 {
            write(&mut socket, &stream(&["a"])).await;
        }
    })
    .await;
    let tunnel = Tunnel::to(&engine).await;
    assert_eq!(tunnel.ask(CHAT, &chat(true)).await.status, 200);
    assert_eq!(engine.seen().len(), 2);
    assert_eq!(engine.seen()[0].body, engine.seen()[1].body);
}

#[tokio::test]
async fn an_engine_that_never_answers_a_byte_is_asked_twice_and_no_more() {
    let engine = Engine::start(|_, _, _| async {}).await;
    let tunnel = Tunnel::to(&engine).await;
    let got = tunnel.ask(CHAT, &chat(true)).await;
    assert_eq!(
        (got.status, got.code().as_str(), got.refusal()),
        (503, "engine_unreachable", Some("engine_unreachable"))
    );
    assert_eq!((got.end(), engine.seen().len()), ("complete", 2));
    assert!(got.headers.contains_key("retry-after"));
    assert_eq!(tunnel.ledger.read().failed.len(), 1, "the loop looks at the engine at once");
}

/// Fault D1: an engine that refuses connections is a typed 503 within 100 ms, and another node may be asked.
#[tokio::test]
async fn an_engine_that_is_gone_is_a_503_within_100_ms() {
    let engine = Engine::saying("").await;
    let tunnel = Tunnel::to(&engine).await;
    drop(engine);
    tokio::task::yield_now().await;
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        let got = tunnel.ask(CHAT, &chat(true)).await;
        assert_eq!((got.status, got.refusal()), (503, Some("engine_unreachable")));
        fastest = fastest.min(begun.elapsed());
    }
    assert!(fastest < Duration::from_millis(100), "{fastest:?}");
}

#[tokio::test]
async fn nothing_is_tried_again_once_a_byte_was_answered() {
    let begun = format!("{EVENTS}{}", event("a", None));
    let broken = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nda";
    for (said, status) in [(begun.as_str(), 200), (broken, 502), ("SSH-2.0-OpenSSH_9.9\r\n\r\n", 502)] {
        let engine = Engine::saying(said).await;
        let tunnel = Tunnel::to(&engine).await;
        let got = tunnel.ask(CHAT, &chat(true)).await;
        assert_eq!((got.status, engine.seen().len()), (status, 1), "{said}");
    }
}
