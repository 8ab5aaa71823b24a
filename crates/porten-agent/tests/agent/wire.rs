//! How an engine's bytes may come: cut anywhere, in every engine's habits, over connections that close as they please.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::engine::{EVENTS, Engine, event, stream};
use crate::support::tunnel::{CHAT, Tunnel, chat, read};
use crate::support::{ENGINE_ID, read_request, write};

/// What the client's chunks say together.
fn content(body: &str) -> String {
    let chunks = body.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let chunks = chunks.filter_map(|data| serde_json::from_str::<serde_json::Value>(data).ok());
    chunks.filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str().map(str::to_owned)).collect()
}

/// Fault D13: a stream that comes byte by byte, with CRLF, without spaces, with characters cut in two and no last blank line, arrives whole.
#[tokio::test]
async fn a_stream_cut_at_every_byte_arrives_as_it_was_said() {
    let chunk = |text: &str, finish: &str| {
        format!(
            "data:{{\"id\":\"x\",\"model\":\"{ENGINE_ID}\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":{finish}}}]}}\r\n\r\n"
        )
    };
    let said = [
        EVENTS.to_owned(),
        ":\r\n\r\n".into(),
        chunk("grüße ", "null"),
        chunk("日本\\u0000", "null"),
        chunk("😀\\ud83d", "null"),
        chunk("\\ude00", "\"stop\""),
        "data:[DONE]".into(),
    ];
    let said = Arc::new(said.concat());
    let engine = Engine::start(move |_, _, mut socket| {
        let said = Arc::clone(&said);
        async move {
            socket.set_nodelay(true).unwrap();
            for byte in said.as_bytes() {
                if socket.write_all(&[*byte]).await.is_err() {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }
    })
    .await;
    let tunnel = Tunnel::to(&engine).await;
    let got = tunnel.ask(CHAT, &chat(true)).await;
    assert_eq!((got.status, got.end()), (200, "complete"), "{}", got.body);
    assert!(got.body.contains("😀\\ud83d"), "what the model said keeps its bytes: {}", got.body);
    assert!(got.body.contains("grüße ") && got.body.contains("日本\\u0000") && got.body.ends_with("data: [DONE]\n\n"));
    let whole = tunnel.ask(CHAT, &chat(false)).await;
    let document: serde_json::Value = serde_json::from_str(&whole.body).unwrap();
    assert_eq!(document["choices"][0]["message"]["content"], "grüße 日本\u{0}😀😀");
}

/// Fault D13: an event of several megabytes passes whole, and one beyond 8 MiB is a typed error, never a part of it.
#[tokio::test]
async fn an_event_of_megabytes_passes_whole_or_is_an_error() {
    for (size, end) in [(6 << 20, "complete"), (9 << 20, "error")] {
        let text = "x".repeat(size);
        let engine = Engine::saying(stream(&["a", &text])).await;
        let tunnel = Tunnel::to(&engine).await;
        let got = tunnel.ask(CHAT, &chat(true)).await;
        assert_eq!((got.status, got.end()), (200, end), "{size}");
        match end {
            "complete" => assert_eq!(content(&got.body).len(), size + 1),
            _ => assert!(got.body.contains("engine_answer_too_large") && got.body.len() < 10_000, "{}", got.body.len()),
        }
    }
}

/// A whole answer, after which the connection stays open.
async fn answer_and_keep(socket: &mut TcpStream) {
    let events = stream(&["Hello"]);
    let body = events.trim_start_matches(EVENTS);
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    write(socket, &format!("{head}{:x}\r\n{body}\r\n0\r\n\r\n", body.len())).await;
}

/// Answers one request after another over one connection, as long as `keeps` says so after each.
async fn keep_alive(mut socket: TcpStream, number: usize, keeps: impl Fn(usize) -> Then) {
    let mut nth = number;
    loop {
        match keeps(nth) {
            Then::Vanish => return,
            then => {
                answer_and_keep(&mut socket).await;
                if then == Then::Close {
                    return;
                }
            }
        }
        if read_request(&mut socket).await.is_none() {
            return;
        }
        nth += 100;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It answers, and keeps the connection.
    Keep,
    /// It answers, and closes the connection.
    Close,
    /// It closes the connection without a byte.
    Vanish,
}

#[tokio::test]
async fn connections_that_the_engine_closes_at_any_time_fail_no_request_and_double_no_answer() {
    let answered = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&answered);
    let engine = Engine::start(move |number, _, socket| {
        let answered = Arc::clone(&counted);
        async move {
            let keeps = |nth: usize| {
                // A connection that was kept is as likely as not to be gone when it is used again.
                let then = match (nth >= 100, (nth.wrapping_mul(2_654_435_761) >> 7) % 4) {
                    (true, 0 | 1) => Then::Vanish,
                    (_, 2) => Then::Close,
                    _ => Then::Keep,
                };
                answered.fetch_add(usize::from(then != Then::Vanish), Ordering::SeqCst);
                then
            };
            keep_alive(socket, number, keeps).await;
        }
    })
    .await;
    let tunnel = Tunnel::to(&engine).await;
    for n in 0..100 {
        let got = read(tunnel.post_as(&format!("r{n}"), CHAT, &chat(true)).await).await;
        assert_eq!((got.status, got.end(), content(&got.body).as_str()), (200, "complete", "Hello"), "{}", got.body);
        // Some connections have been idle for a while.
        if n % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(answered.load(Ordering::SeqCst), 100, "each was answered once");
    assert!(engine.seen().len() > 20, "many connections were closed: {}", engine.seen().len());
    assert_eq!(tunnel.ledger.read().traffic.completed, 100);
}

#[tokio::test]
async fn what_an_engine_began_to_answer_over_a_kept_connection_is_not_asked_for_again() {
    let engine = Engine::start(|_, _, mut socket| async move {
        answer_and_keep(&mut socket).await;
        let Some(_) = read_request(&mut socket).await else { return };
        write(&mut socket, &format!("{EVENTS}{}", event("Hel", None))).await;
    })
    .await;
    let tunnel = Tunnel::to(&engine).await;
    let first = read(tunnel.post_as("a", CHAT, &chat(true)).await).await;
    assert_eq!(first.end(), "complete");
    let second = read(tunnel.post_as("b", CHAT, &chat(true)).await).await;
    assert_eq!((second.status, second.end()), (200, "error"), "{}", second.body);
    assert!(second.body.contains("upstream_truncated"), "{}", second.body);
    assert_eq!(engine.seen().len(), 1, "no connection was opened to repeat it");
}
