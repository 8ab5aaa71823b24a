//! How a link ends, and that both sides know why.

use std::time::{Duration, Instant};

use http::Response;
use porten_core::wire::close;
use porten_link::{Beat, End, Outgoing, http2};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use crate::support::{
    ask, dialled, end_of, frame, head, linked, opened, opened_over, read_close, send_chunk, soon, tcp,
};

/// What closing may take in all: the wait for the peer and some air.
const CLOSED_BY: Duration = Duration::from_millis(3500);

fn replaced() -> Outgoing {
    Outgoing::Close { code: close::REPLACED, reason: "connected from elsewhere".into() }
}

fn closed(code: u16, reason: &str) -> End {
    End::Closed { code, reason: reason.into() }
}

#[tokio::test]
async fn code_and_reason_arrive_and_both_sides_know_who_closed() {
    let mut ends = linked(opened().await, Beat::default(), |_, _| async {}).await;
    ends.hub.outgoing.send(Outgoing::Text("goodbye".into())).await.unwrap();
    ends.hub.outgoing.send(replaced()).await.unwrap();
    assert_eq!(end_of(&mut ends.agent.end).await, closed(4409, "connected from elsewhere"));
    assert_eq!(soon(ends.agent.incoming.recv()).await.unwrap(), "goodbye", "what was said before still counts");
    assert_eq!(end_of(&mut ends.hub.end).await, End::Ours);
    let started = Instant::now();
    let _ = soon(ends.hub_task).await.unwrap();
    let _ = soon(ends.agent_task).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "a peer that answers is not waited for");
}

#[tokio::test]
async fn the_agent_may_close_too() {
    let mut ends = linked(opened().await, Beat::default(), |_, _| async {}).await;
    ends.agent.outgoing.send(Outgoing::Close { code: 1000, reason: "going offline".into() }).await.unwrap();
    assert_eq!(end_of(&mut ends.hub.end).await, closed(1000, "going offline"));
    assert_eq!(end_of(&mut ends.agent.end).await, End::Ours);
}

#[tokio::test]
async fn the_code_arrives_through_running_answers_and_cuts_them() {
    let mut ends = linked(opened().await, Beat::default(), |_, mut respond| async move {
        let mut body = respond.send_response(Response::new(()), false).unwrap();
        while send_chunk(&mut body, &bytes::Bytes::from_static(&[b'.'; 64])).await {}
    })
    .await;
    let mut body = soon(ask(&ends.requests, "/")).await.unwrap().into_body();
    let reader = tokio::spawn(async move {
        loop {
            match body.data().await {
                Some(Ok(chunk)) => drop(body.flow_control().release_capacity(chunk.len())),
                other => break other,
            }
        }
    });
    ends.hub.outgoing.send(replaced()).await.unwrap();
    assert_eq!(end_of(&mut ends.agent.end).await, closed(4409, "connected from elsewhere"));
    assert!(matches!(soon(reader).await.unwrap(), Some(Err(_))), "an answer that was cut does not look whole");
}

/// An idle Hub that lets go of its request sender ends HTTP/2, which must not overtake the reason it is about to give.
#[tokio::test]
async fn the_last_word_is_the_owners_also_when_http2_ended_first() {
    let mut ends = linked(opened().await, Beat::default(), |_, _| async {}).await;
    drop(ends.requests);
    tokio::time::sleep(Duration::from_millis(100)).await;
    ends.hub.outgoing.send(Outgoing::Text("goodbye".into())).await.unwrap();
    ends.hub.outgoing.send(replaced()).await.unwrap();
    assert_eq!(end_of(&mut ends.agent.end).await, closed(4409, "connected from elsewhere"));
    assert_eq!(soon(ends.agent.incoming.recv()).await.unwrap(), "goodbye");
    assert_eq!(end_of(&mut ends.hub.end).await, End::Ours);
}

#[tokio::test]
async fn a_link_whose_owner_and_requests_are_gone_closes_at_once_and_politely() {
    let (agent, hub) = opened().await;
    let mut ends = linked((agent, hub), Beat::default(), |_, _| async {}).await;
    let started = Instant::now();
    drop((ends.requests, ends.hub));
    assert_eq!(end_of(&mut ends.agent.end).await, closed(1000, ""));
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn closing_ends_in_time_when_the_peer_does_not_answer_or_even_read() {
    for pipe in [64 * 1024, 64] {
        let (near, far) = duplex(pipe);
        let (agent, _mute) = dialled(near, far).await;
        let (mut bytes, mut control) = agent.into_link(Beat::default());
        let started = Instant::now();
        let driven = tokio::spawn(async move {
            // The first write fills the small pipe; the read drives the link's duties.
            bytes.write_all(&[0; 1024]).await?;
            bytes.flush().await?;
            bytes.read(&mut [0; 64]).await
        });
        control.outgoing.send(replaced()).await.unwrap();
        assert_eq!(end_of(&mut control.end).await, End::Ours);
        assert!(soon(driven).await.unwrap().is_err());
        assert!(started.elapsed() < CLOSED_BY, "{:?}", started.elapsed());
    }
}

#[tokio::test]
async fn shutting_down_ends_in_time_when_nobody_else_does_anything() {
    let (near, far) = duplex(64 * 1024);
    let (agent, _mute) = dialled(near, far).await;
    let (mut bytes, mut control) = agent.into_link(Beat::default());
    let started = Instant::now();
    soon(bytes.shutdown()).await.unwrap();
    assert!(started.elapsed() < 2 * CLOSED_BY, "{:?}", started.elapsed());
    assert_eq!(end_of(&mut control.end).await, End::Ours);
}

#[tokio::test]
async fn nothing_follows_a_close_frame() {
    let (near, far) = duplex(64 * 1024);
    let (agent, mut far) = dialled(near, far).await;
    let (mut bytes, control) = agent.into_link(Beat::default());
    control.outgoing.send(replaced()).await.unwrap();
    let driven = tokio::spawn(async move {
        bytes.flush().await.unwrap();
        (bytes.write_all(b"too late").await, bytes.read(&mut [0; 8]).await)
    });
    assert_eq!(read_close(&mut far).await, Some((4409, "connected from elsewhere".into())));
    let mut rest = Vec::new();
    soon(far.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, Vec::<u8>::new());
    assert!(soon(driven).await.unwrap().0.is_err());
}

#[tokio::test]
async fn a_cut_is_told_as_a_cut_and_answers_in_flight_fail() {
    let (near, far) = tcp().await;
    let (agent, far) = dialled(near, far).await;
    let (bytes, mut control) = agent.into_link(Beat::default());
    let served = tokio::spawn(async { http2::serve(bytes).await.map(drop) });
    drop(far);
    assert_eq!(end_of(&mut control.end).await, End::Cut);
    assert!(soon(served).await.unwrap().is_err());
}

/// The peer closed with a code and dropped the socket over unread data: the reset must not hide the code.
#[tokio::test]
async fn a_reason_that_was_given_is_read_even_if_writing_fails_first() {
    let (near, far) = tcp().await;
    let (agent, mut far) = dialled(near, far).await;
    let (mut bytes, mut control) = agent.into_link(Beat::default());
    bytes.write_all(&[1; 1000]).await.unwrap();
    bytes.flush().await.unwrap();
    let reason = [&close::REVOKED.to_be_bytes()[..], b"signed out"].concat();
    far.write_all(&frame(head::FIN | head::TEXT, false, b"goodbye")).await.unwrap();
    far.write_all(&frame(head::FIN | head::CLOSE, false, &reason)).await.unwrap();
    // The peer has not read what was sent: dropping the socket resets the connection.
    far.readable().await.unwrap();
    drop(far);
    soon(async {
        loop {
            // The runtime looks at its sockets while nothing else is to be done.
            tokio::time::sleep(Duration::from_millis(5)).await;
            if bytes.write_all(&[2; 1000]).await.is_err() || bytes.flush().await.is_err() {
                break;
            }
        }
    })
    .await;
    assert_eq!(end_of(&mut control.end).await, closed(close::REVOKED, "signed out"));
    assert_eq!(control.incoming.recv().await.unwrap(), "goodbye");
}

#[tokio::test]
async fn the_end_tells_the_first_cause() {
    let mut ends = linked(opened().await, Beat::default(), |_, _| async {}).await;
    ends.hub.outgoing.send(replaced()).await.unwrap();
    end_of(&mut ends.agent.end).await;
    let _ = soon(ends.agent_task).await;
    let _ = soon(ends.hub_task).await;
    assert_eq!(end_of(&mut ends.agent.end).await, closed(4409, "connected from elsewhere"));
    assert_eq!(end_of(&mut ends.hub.end).await, End::Ours);
}

#[tokio::test]
async fn a_link_that_is_dropped_tells_its_end_too() {
    let mut ends = linked(opened().await, Beat::default(), |_, _| async {}).await;
    ends.agent_task.abort();
    assert_eq!(end_of(&mut ends.agent.end).await, End::Ours);
    let end = end_of(&mut ends.hub.end).await;
    assert!(matches!(end, End::Cut | End::Io(_)), "{end:?}");
}

#[tokio::test]
async fn before_the_welcome_a_close_carries_its_code_and_is_answered() {
    let (near, far) = tcp().await;
    let (mut agent, hub) = opened_over(near, far).await;
    let started = Instant::now();
    let closing = tokio::spawn(hub.close(close::HELLO_TIMEOUT, "no hello in time"));
    assert_eq!(soon(agent.receive()).await, Err(closed(4408, "no hello in time")));
    drop(agent);
    soon(closing).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

#[tokio::test]
async fn before_the_welcome_closing_ends_in_time_when_the_peer_does_not_answer() {
    let (near, far) = duplex(64 * 1024);
    let (_mute, hub) = opened_over(near, far).await;
    let started = Instant::now();
    soon(hub.close(close::PROTOCOL, "no")).await;
    assert!(started.elapsed() < CLOSED_BY, "{:?}", started.elapsed());
}
