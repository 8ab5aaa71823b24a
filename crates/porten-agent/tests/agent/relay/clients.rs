//! Clients that leave, or do not read.

use std::time::{Duration, Instant};

use porten_core::snapshot::TrafficView;
use tokio::io::AsyncWriteExt as _;

use super::lowered;
use crate::support::engine::{EVENTS, Engine, event, stream, until_closed};
use crate::support::tunnel::{CHAT, Tunnel, chat, next};
use crate::support::{soon, until, write};

/// Fault D9: a client that leaves while the engine reads its prompt has the connection to the engine closed within a second.
#[tokio::test]
async fn a_client_that_leaves_before_the_head_leaves_the_engine_too() {
    let engine = Engine::start(|_, _, mut socket| async move { until_closed(&mut socket).await }).await;
    let tunnel = Tunnel::to(&engine).await;
    for stream in [true, false] {
        let response = tunnel.post(CHAT, &chat(stream)).await;
        until("the engine is asked", || engine.seen().len() == usize::from(!stream) + 1).await;
        drop(response);
        left_within_a_second(&engine, engine.seen().len()).await;
    }
    assert_eq!(tunnel.ledger.read().traffic.cancelled, 2);
}

/// Fault D7: a client that leaves its stream has the connection to the engine closed within a second.
#[tokio::test]
async fn a_client_that_leaves_in_the_answer_leaves_the_engine_too_also_when_nothing_was_sent_to_it_yet() {
    let engine = Engine::start(|_, _, mut socket| async move {
        write(&mut socket, &format!("{EVENTS}{}", event("a", None))).await;
        until_closed(&mut socket).await;
    })
    .await;
    let tunnel = Tunnel::to(&engine).await;
    let mut streaming = soon("a head", tunnel.post(CHAT, &chat(true)).await).await.unwrap().into_body();
    assert!(next(&mut streaming).await.is_some());
    drop(streaming);
    left_within_a_second(&engine, 1).await;
    let assembling = tunnel.post(CHAT, &chat(false)).await;
    until("the engine is asked", || engine.seen().len() == 2).await;
    drop(assembling);
    left_within_a_second(&engine, 2).await;
    let traffic = tunnel.ledger.read().traffic;
    assert_eq!(traffic, TrafficView { cancelled: 2, ..TrafficView::default() });
}

async fn left_within_a_second(engine: &Engine, connections: usize) {
    let begun = Instant::now();
    until("the engine is left", || engine.closed() == connections).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

/// Fault B9: a client that takes nothing is given up after its time, the engine is left, and others are answered.
#[tokio::test]
async fn a_client_that_stops_reading_is_cut_off_and_the_engine_left_and_others_do_not_notice() {
    let engine = Engine::start(|number, _, mut socket| async move {
        if number > 1 {
            return write(&mut socket, &stream(&["a"])).await;
        }
        let chunk = event(&"x".repeat(1000), None);
        write(&mut socket, EVENTS).await;
        while socket.write_all(chunk.as_bytes()).await.is_ok() {}
    })
    .await;
    let tunnel = Tunnel::with(&engine, lowered(|limits, short| limits.stall = short)).await;
    let mut stalled = soon("a head", tunnel.post(CHAT, &chat(true)).await).await.unwrap().into_body();
    until("the engine is left", || engine.closed() == 1).await;
    let broken = soon("a reset", async {
        loop {
            match stalled.data().await {
                Some(Ok(_)) => {}
                other => return other,
            }
        }
    })
    .await;
    assert!(matches!(broken, Some(Err(error)) if error.reason() == Some(h2::Reason::CANCEL)));
    assert_eq!(tunnel.ask(CHAT, &chat(true)).await.end(), "complete");
    assert_eq!(tunnel.ledger.read().traffic.cancelled, 1);
}
