//! A peer that breaks the WebSocket's rules is told so and cut off, and costs no memory.

use std::time::Duration;

use porten_core::wire::{MAX_MESSAGE_TAKEN, close};
use porten_link::{Beat, Control, End, Io, accept};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::task::JoinHandle;

use crate::support::{dialled, end_of, frame, frame_head, head, read_close, read_frame, soon, tcp};

const MALFORMED: End = End::Protocol("a malformed WebSocket frame");

/// A Hub's end with a reader on it, and the other end raw.
async fn raw_agent(pipe: usize) -> (DuplexStream, Control, JoinHandle<std::io::Result<usize>>) {
    let (near, far) = duplex(pipe);
    let (bytes, control) = accept(near).await.into_link(Beat::default());
    (far, control, drain(bytes))
}

fn drain<S: Io>(mut bytes: porten_link::WsBytes<S>) -> JoinHandle<std::io::Result<usize>> {
    tokio::spawn(async move {
        let mut buffer = vec![0; 16 * 1024];
        let mut whole = 0;
        loop {
            match bytes.read(&mut buffer).await? {
                0 => return Ok(whole),
                got => whole += got,
            }
        }
    })
}

/// Fault B2: binary data before the welcome closes the link with 1002.
#[tokio::test]
async fn binary_data_before_the_welcome_is_a_violation_and_the_peer_hears_1002() {
    let (mut raw, hub) = tcp().await;
    let mut hub = accept(hub).await;
    let receiving = tokio::spawn(async move { hub.receive().await });
    raw.write_all(&frame(head::FIN | head::BINARY, true, b"PRI * HTTP/2.0")).await.unwrap();
    let told = read_close(&mut raw).await.unwrap();
    assert_eq!(told.0, close::PROTOCOL);
    assert!(told.1.contains("before the welcome"), "{told:?}");
    raw.write_all(&frame(head::FIN | head::CLOSE, true, &close::PROTOCOL.to_be_bytes())).await.unwrap();
    assert_eq!(soon(receiving).await.unwrap(), Err(End::Protocol("binary data before the welcome")));
}

/// Fault B3: each forbidden frame closes the link with 1002, and nothing of it is handed on.
/// Fault B14: a frame with the bit that compression would set closes the link with 1002.
#[tokio::test]
async fn frames_that_break_the_rules_end_the_link_and_the_peer_hears_1002() {
    let flag = |bit: u8| head::FIN | bit | head::TEXT;
    for (what, octets) in [
        ("a reserved bit, as compression would set", frame(flag(0x40), true, b"x")),
        ("another reserved bit", frame(flag(0x20), true, b"x")),
        ("the last reserved bit", frame(flag(0x10), true, b"x")),
        ("no mask", frame(flag(0), false, b"hello")),
        ("a ping in pieces", frame(head::PING, true, b"x")),
        ("a ping over 125 bytes", frame(head::FIN | head::PING, true, &[0; 126])),
        ("a close of one byte", frame(head::FIN | head::CLOSE, true, b"x")),
        ("a continuation of nothing", frame(head::FIN, true, b"x")),
        ("an unknown data frame", frame(head::FIN | 0x3, true, b"x")),
        ("an unknown control frame", frame(head::FIN | 0xB, true, b"x")),
        ("a message inside another", [frame(head::TEXT, true, b"x"), frame(flag(0), true, b"y")].concat()),
    ] {
        let (mut raw, mut control, reader) = raw_agent(64 * 1024).await;
        raw.write_all(&octets).await.unwrap();
        assert_eq!(end_of(&mut control.end).await, MALFORMED, "{what}");
        assert_eq!(read_close(&mut raw).await.unwrap().0, close::PROTOCOL, "{what}");
        assert!(soon(reader).await.unwrap().is_err(), "{what}");
        assert!(control.incoming.try_recv().is_err(), "{what}");
    }
}

/// Fault B1: text that is no UTF-8 ends the link.
#[tokio::test]
async fn text_that_is_not_utf8_ends_the_link() {
    let (mut raw, mut control, _reader) = raw_agent(64 * 1024).await;
    raw.write_all(&frame(head::FIN | head::TEXT, true, &[0xFF, 0xFE])).await.unwrap();
    assert_eq!(end_of(&mut control.end).await, End::Protocol("text that is not UTF-8"));
    assert_eq!(read_close(&mut raw).await.unwrap().0, close::PROTOCOL);
}

/// Fault B3: a frame masked the wrong way round closes the link with 1002.
#[tokio::test]
async fn a_masked_frame_from_a_hub_is_a_violation_too() {
    let (near, far) = duplex(64 * 1024);
    let (agent, mut raw) = dialled(near, far).await;
    let (bytes, mut control) = agent.into_link(Beat::default());
    let _reader = drain(bytes);
    raw.write_all(&frame(head::FIN | head::TEXT, true, b"hello")).await.unwrap();
    assert_eq!(end_of(&mut control.end).await, MALFORMED);
    assert_eq!(read_close(&mut raw).await.unwrap().0, close::PROTOCOL);
}

#[tokio::test]
async fn pieces_of_a_data_message_are_put_together() {
    let (mut raw, control, reader) = raw_agent(64 * 1024).await;
    for (first, piece) in [(head::BINARY, "a"), (0, "bc"), (head::FIN, "def")] {
        raw.write_all(&frame(first, true, piece.as_bytes())).await.unwrap();
        raw.write_all(&frame(head::FIN | head::PING, true, b"between")).await.unwrap();
    }
    raw.write_all(&frame(head::FIN | head::CLOSE, true, &1000_u16.to_be_bytes())).await.unwrap();
    assert_eq!(soon(reader).await.unwrap().unwrap(), 6);
    assert_eq!(*control.end.borrow(), Some(End::Closed { code: 1000, reason: String::new() }));
}

/// The refusal comes on the announcement, before there is anything to keep.
/// Fault B3: a length of 2^63 is refused by the head of its frame alone.
/// Fault B4: a message over 1 MiB is refused with 1009 before a byte of it is kept.
#[tokio::test]
async fn a_message_over_the_limit_is_refused_by_its_head_alone() {
    for length in [MAX_MESSAGE_TAKEN as u64 + 1, 64 << 20, (1 << 63) - 1, u64::MAX] {
        let (mut raw, mut control, _reader) = raw_agent(64 * 1024).await;
        raw.write_all(&frame_head(head::FIN | head::BINARY, true, length)).await.unwrap();
        assert_eq!(end_of(&mut control.end).await, End::TooBig, "{length}");
        assert_eq!(read_close(&mut raw).await.unwrap().0, close::TOO_BIG, "{length}");
    }
}

/// Fault B4: one that comes in pieces is refused with 1009 where they pass 1 MiB.
#[tokio::test]
async fn a_message_over_the_limit_in_pieces_is_refused_when_they_pass_it() {
    let (mut raw, mut control, reader) = raw_agent(64 * 1024).await;
    let piece = vec![0; 256 * 1024];
    for n in 0..4 {
        raw.write_all(&frame(if n == 0 { head::BINARY } else { 0 }, true, &piece)).await.unwrap();
    }
    assert!(control.end.borrow().is_none(), "exactly the limit is taken");
    raw.write_all(&frame(0, true, b"x")).await.unwrap();
    assert_eq!(end_of(&mut control.end).await, End::TooBig);
    assert_eq!(read_close(&mut raw).await.unwrap().0, close::TOO_BIG);
    assert!(soon(reader).await.unwrap().is_err());
}

/// Fault B4: the limit holds before the welcome too.
#[tokio::test]
async fn before_the_welcome_the_limit_is_the_same() {
    let (mut raw, hub) = tcp().await;
    let mut hub = accept(hub).await;
    let receiving = tokio::spawn(async move { hub.receive().await });
    raw.write_all(&frame_head(head::FIN | head::TEXT, true, 10 << 20)).await.unwrap();
    assert_eq!(read_close(&mut raw).await.unwrap().0, close::TOO_BIG);
    drop(raw);
    assert_eq!(soon(receiving).await.unwrap(), Err(End::TooBig));
}

/// Fault B1: control messages that nobody takes end the link with 1008 once 64 wait.
#[tokio::test]
async fn a_flood_of_control_messages_that_nobody_takes_ends_the_link() {
    let (mut raw, mut control, _reader) = raw_agent(64 * 1024).await;
    for _ in 0..65 {
        raw.write_all(&frame(head::FIN | head::TEXT, true, b"{}")).await.unwrap();
    }
    assert_eq!(end_of(&mut control.end).await, End::Flood);
    assert_eq!(read_close(&mut raw).await.unwrap().0, close::POLICY);
}

/// 26 MB of pongs would be due; the pipe and one write buffer hold all that is kept.
/// Fault B3: 200,000 pings whose pongs nobody reads cost one write buffer, and the link lives.
#[tokio::test]
async fn a_ping_flood_that_reads_no_pongs_costs_no_memory_and_the_link_lives() {
    const PIPE: usize = 16 * 1024;
    let (raw, mut control, reader) = raw_agent(PIPE).await;
    let (mut answers, mut raw) = tokio::io::split(raw);
    let ping = frame(head::FIN | head::PING, true, &[7; 125]);
    let flood = ping.repeat(1000);
    for _ in 0..200 {
        soon(raw.write_all(&flood)).await.unwrap();
    }
    raw.write_all(&frame(head::FIN | head::TEXT, true, b"still here")).await.unwrap();
    assert_eq!(soon(control.incoming.recv()).await.unwrap(), "still here");
    let mut kept = 0;
    while let Ok(Some((_, pong))) = tokio::time::timeout(Duration::from_millis(300), read_frame(&mut answers)).await {
        kept += pong.len() + 2;
    }
    assert!(kept > 0 && kept < PIPE + 1024 * 1024 + 256 * 1024, "{kept} bytes of pongs were kept");
    assert!(control.end.borrow().is_none() && !reader.is_finished());
}

/// Fault B7: bytes that are no HTTP/2 end the link with a close.
#[tokio::test]
async fn what_is_not_http2_ends_the_connection_and_tells_the_peer() {
    let (near, far) = duplex(64 * 1024);
    let (agent, mut raw) = dialled(near, far).await;
    let (bytes, control) = agent.into_link(Beat::default());
    let served = tokio::spawn(async { porten_link::http2::serve(bytes).await.map(drop) });
    raw.write_all(&frame(head::FIN | head::BINARY, false, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")).await.unwrap();
    assert!(soon(served).await.unwrap().is_err());
    assert_eq!(*control.end.borrow(), Some(End::Ours));
}
