//! Pings: an idle link is kept alive, and a peer that fell silent is noticed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Response;
use porten_link::{Beat, End, http2};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, duplex};

use crate::support::{
    ask, dialled, end_of, frame, head, linked, opened, opened_in_memory, opened_over, read_frame, send_chunk, soon,
};

const FAST: Beat = Beat { interval: Duration::from_millis(100), patience: Duration::from_millis(200) };

/// Fault A3: a Hub that falls silent is noticed after one ping and its patience.
#[tokio::test]
async fn a_hub_that_falls_silent_is_noticed_after_one_beat() {
    let (near, far) = duplex(64 * 1024);
    let (agent, _silent) = dialled(near, far).await;
    let (bytes, mut control) = agent.into_link(FAST);
    let started = Instant::now();
    let served = tokio::spawn(async { http2::serve(bytes).await.map(drop) });
    assert_eq!(end_of(&mut control.end).await, End::NoPong);
    assert!(started.elapsed() >= FAST.interval + FAST.patience, "{:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(soon(served).await.unwrap().is_err());
}

#[tokio::test]
async fn an_agent_that_falls_silent_is_noticed_after_one_beat() {
    let (near, far) = duplex(64 * 1024);
    let (_silent, hub) = opened_over(near, far).await;
    let (bytes, mut control) = hub.into_link(FAST);
    let started = Instant::now();
    let (_requests, connection) = soon(http2::call(bytes)).await.unwrap();
    let driven = tokio::spawn(connection);
    assert_eq!(end_of(&mut control.end).await, End::NoPong);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(soon(driven).await.unwrap().is_err());
}

/// The buffers are full and stay so: no write completes, nothing arrives, only the timer is left to notice.
#[tokio::test]
async fn a_peer_that_stops_reading_and_talking_is_noticed_while_this_side_is_stuck_writing() {
    let (mut agent, _silent) = {
        let (near, far) = duplex(4096);
        let (agent, far) = dialled(near, far).await;
        let (bytes, control) = agent.into_link(FAST);
        ((bytes, control), far)
    };
    let stuck = tokio::spawn(async move {
        let written = agent.0.write_all(&vec![1; 4 * 1024 * 1024]).await;
        (written, agent.0)
    });
    assert_eq!(end_of(&mut agent.1.end).await, End::NoPong);
    assert!(soon(stuck).await.unwrap().0.is_err());
}

/// Only one side pings here, and HTTP/2 is silent: the other side's pongs go out by themselves or not at all.
#[tokio::test]
async fn an_idle_link_stays_and_either_side_answers_pings_without_other_traffic() {
    for agent_pings in [true, false] {
        let slow = Beat::default();
        let (agent_beat, hub_beat) = if agent_pings { (FAST, slow) } else { (slow, FAST) };
        let (agent, hub) = opened().await;
        let (agent_bytes, mut agent) = agent.into_link(agent_beat);
        let (hub_bytes, mut hub) = hub.into_link(hub_beat);
        let served = tokio::spawn(async {
            let mut connection = http2::serve(agent_bytes).await?;
            connection.accept().await.transpose().map(drop)
        });
        let (_requests, connection) = soon(http2::call(hub_bytes)).await.unwrap();
        let driven = tokio::spawn(connection);
        let pinging = if agent_pings { &mut agent } else { &mut hub };
        for _ in 0..8 {
            soon(pinging.rtt.changed()).await.unwrap();
            let rtt = *pinging.rtt.borrow_and_update();
            assert!(rtt.unwrap() < FAST.patience, "{rtt:?}");
        }
        assert!(agent.end.borrow().is_none() && hub.end.borrow().is_none());
        assert!(!served.is_finished() && !driven.is_finished());
    }
}

#[tokio::test]
async fn both_sides_may_ping_at_once_under_load() {
    let ends = linked(opened_in_memory(16 * 1024).await, FAST, |_, mut respond| async move {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        while send_chunk(&mut body, &Bytes::from_static(&[b'.'; 1024])).await {}
    })
    .await;
    let mut body = soon(ask(&ends.requests, "/")).await.unwrap().into_body();
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        let chunk = soon(body.data()).await.unwrap().unwrap();
        body.flow_control().release_capacity(chunk.len()).unwrap();
    }
    assert!(ends.hub.rtt.borrow().is_some() && ends.agent.rtt.borrow().is_some());
    assert!(ends.hub.end.borrow().is_none() && ends.agent.end.borrow().is_none());
}

/// A pong can stand behind megabytes of answers in the peer's buffers.
#[tokio::test]
async fn a_peer_whose_pongs_are_late_lives_while_its_data_flows_and_no_longer() {
    let (near, far) = duplex(64 * 1024);
    let (agent, mut far) = dialled(near, far).await;
    let (mut bytes, mut control) = agent.into_link(FAST);
    let reader = tokio::spawn(async move {
        let mut buffer = [0; 64];
        while let Ok(1..) = bytes.read(&mut buffer).await {}
    });
    let flowed = FAST.interval + 4 * FAST.patience;
    let started = Instant::now();
    while started.elapsed() < flowed {
        far.write_all(&frame(head::FIN | head::BINARY, false, b"x")).await.unwrap();
        tokio::time::sleep(FAST.patience / 4).await;
        assert!(control.end.borrow().is_none(), "ended after {:?}", started.elapsed());
    }
    assert_eq!(end_of(&mut control.end).await, End::NoPong);
    soon(reader).await.unwrap();
}

#[tokio::test]
async fn pings_are_answered_before_the_welcome_too() {
    let (near, far) = duplex(64 * 1024);
    let (mut agent, mut far) = dialled(near, far).await;
    let waiting = tokio::spawn(async move { agent.receive().await });
    far.write_all(&frame(head::FIN | head::PING, false, b"there?")).await.unwrap();
    let (first, payload) = soon(read_frame(&mut far)).await.unwrap();
    assert_eq!((first, payload.as_slice()), (head::FIN | head::PONG, b"there?".as_slice()));
    far.write_all(&frame(head::FIN | head::TEXT, false, b"welcome")).await.unwrap();
    assert_eq!(soon(waiting).await.unwrap(), Ok("welcome".into()));
}

#[tokio::test]
async fn a_beat_beyond_the_clock_is_no_beat_and_no_crash() {
    let never = Beat { interval: Duration::MAX, patience: Duration::MAX };
    let mut ends = linked(opened().await, never, |_, _| async {}).await;
    ends.hub.outgoing.send(porten_link::Outgoing::Text("hello".into())).await.unwrap();
    assert_eq!(soon(ends.agent.incoming.recv()).await.unwrap(), "hello");
    assert!(ends.agent.end.borrow().is_none());
}

/// Passes bytes on one way, and cuts what was silent for a minute, as proxies on the way do.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut buffer = [0; 4096];
    while let Ok(Ok(count @ 1..)) = tokio::time::timeout(Duration::from_secs(60), from.read(&mut buffer)).await {
        if to.write_all(&buffer[..count]).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

/// Fault A11: a proxy that cuts either direction after 60 s of silence never does, in an hour in which nothing is said: both
/// ends ping every 15 s.
#[tokio::test(start_paused = true)]
async fn an_idle_link_is_never_silent_for_a_minute_either_way() {
    let ((near, near_end), (far, far_end)) = (duplex(64 * 1024), duplex(64 * 1024));
    let ((near_reads, near_writes), (far_reads, far_writes)) = (tokio::io::split(near_end), tokio::io::split(far_end));
    let up = tokio::spawn(pass(near_reads, far_writes));
    let down = tokio::spawn(pass(far_reads, near_writes));
    let ends = linked(opened_over(near, far).await, Beat::default(), |_, _| async {}).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(!up.is_finished() && !down.is_finished());
    assert!(ends.agent.end.borrow().is_none() && ends.hub.end.borrow().is_none());
    assert!(ends.agent.rtt.borrow().is_some());
}

/// Fault A6: a peer that is asked for is given up after three seconds of silence, also while this side is stuck writing.
#[tokio::test]
async fn a_probe_of_a_silent_peer_ends_the_link_in_three_seconds() {
    let (near, far) = duplex(4096);
    let (agent, _silent) = dialled(near, far).await;
    let (mut bytes, mut control) = agent.into_link(Beat::default());
    let stuck = tokio::spawn(async move { bytes.write_all(&vec![1; 4 * 1024 * 1024]).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    let asked = Instant::now();
    control.probe.notify_one();
    assert_eq!(end_of(&mut control.end).await, End::NoPong);
    let took = asked.elapsed();
    assert!(took >= Duration::from_secs(3) && took < Duration::from_secs(6), "{took:?}");
    assert!(soon(stuck).await.unwrap().is_err());
}

/// Fault A6: a peer that answers the probe is kept.
#[tokio::test]
async fn a_probe_of_a_living_peer_measures_it_and_changes_nothing() {
    let mut ends = linked(opened().await, Beat::default(), |_, _| async {}).await;
    for _ in 0..3 {
        ends.agent.probe.notify_one();
        soon(ends.agent.rtt.changed()).await.unwrap();
    }
    assert!(ends.agent.end.borrow().is_none() && ends.hub.end.borrow().is_none());
}
