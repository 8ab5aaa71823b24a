//! An engine that does not say anything.

use std::time::Duration;

use super::{JSON, lowered};
use crate::support::engine::{EVENTS, Engine, event, until_closed};
use crate::support::tunnel::{CHAT, Tunnel, chat};
use crate::support::{answer, until, write};

/// Fault D6: an engine that sends no head in time is left, and is a 504 `engine_timeout` that another node may be asked after.
#[tokio::test]
async fn a_head_that_does_not_come_is_a_504() {
    let engine = Engine::start(|_, _, mut socket| async move { until_closed(&mut socket).await }).await;
    let tunnel = Tunnel::with(&engine, lowered(|limits, short| limits.head = short)).await;
    let got = tunnel.ask(CHAT, &chat(true)).await;
    assert_eq!((got.status, got.code().as_str(), got.refusal()), (504, "engine_timeout", Some("engine_timeout")));
    until("the engine is left", || engine.closed() == 1).await;
    assert_eq!(engine.seen().len(), 1, "late is not tried again");
}

#[tokio::test]
async fn an_engine_that_falls_silent_in_its_answer_is_an_error_event() {
    let engine = Engine::start(|_, _, mut socket| async move {
        write(&mut socket, &format!("{EVENTS}{}", event("a", None))).await;
        until_closed(&mut socket).await;
    })
    .await;
    let tunnel = Tunnel::with(&engine, lowered(|limits, short| limits.silence = short)).await;
    let got = tunnel.ask(CHAT, &chat(true)).await;
    assert_eq!((got.status, got.end()), (200, "error"));
    assert!(got.body.contains("engine_timeout"), "{}", got.body);
}

/// mlx_lm says nothing through a prefill of minutes (measured); what stands between cuts what is silent.
/// Fault D5: while the engine is silent a client that streams gets a keep-alive comment after each quiet time, and its answer after them.
#[tokio::test]
async fn a_client_that_streams_gets_keep_alives_while_the_engine_is_silent_and_its_answer_after_them() {
    let engine = Engine::start(|_, _, mut socket| async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        write(&mut socket, EVENTS).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        write(&mut socket, &format!("{}{}data: [DONE]\n\n", event("a", None), event("", Some("stop")))).await;
    })
    .await;
    let tunnel = Tunnel::with(&engine, lowered(|limits, short| limits.quiet = short)).await;
    let got = tunnel.ask(CHAT, &chat(true)).await;
    assert_eq!((got.status, got.end()), (200, "complete"), "{}", got.body);
    let before = got.body.split("data:").next().unwrap();
    assert!((2..=4).contains(&before.matches(": keep-alive\n\n").count()), "{}", got.body);
    assert!(got.body.ends_with("data: [DONE]\n\n"), "{}", got.body);
    let whole = tunnel.ask(CHAT, &chat(false)).await;
    assert!(whole.status == 200 && !whole.body.contains("keep-alive"), "{}", whole.body);
}

#[tokio::test]
async fn an_engine_that_refuses_late_is_an_error_event_once_keep_alives_have_begun() {
    let engine = Engine::start(|_, _, mut socket| async move {
        tokio::time::sleep(Duration::from_millis(500)).await;
        write(&mut socket, &answer(400, JSON, r#"{"error":{"message":"no","code":"x"}}"#)).await;
    })
    .await;
    let tunnel = Tunnel::with(&engine, lowered(|limits, short| limits.quiet = short)).await;
    let got = tunnel.ask(CHAT, &chat(true)).await;
    assert_eq!((got.status, got.end()), (200, "error"), "{}", got.body);
    assert!(got.body.starts_with(": keep-alive") && got.body.contains("data: {\"error\":"), "{}", got.body);
    assert_eq!(tunnel.ask(CHAT, &chat(false)).await.status, 400);
}
