//! One request from the tunnel to the engine and back: every way it can end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use porten_agent::relay::{Limits, RelayFacts};
use porten_core::snapshot::TrafficView;
use porten_core::wire::MAX_BODY;
use tokio::io::AsyncWriteExt as _;

use crate::support::engine::{EVENTS, Engine, event, stream, until_closed};
use crate::support::tunnel::{CHAT, Tunnel, chat, facts, next, read};
use crate::support::{ENGINE_ID, answer, soon, until, write};

const JSON: &str = "content-type: application/json\r\n";

/// The one limit that a test is about; the others stay out of its way.
fn lowered(lower: impl FnOnce(&mut Limits, Duration)) -> Limits {
    let mut limits = Limits::default();
    lower(&mut limits, Duration::from_millis(300));
    limits
}

#[tokio::test]
async fn a_chat_is_streamed_back_with_the_hubs_id_and_a_trailer_that_says_it_is_whole() {
    let engine = Engine::saying(stream(&["Hel", "lo"])).await;
    let tunnel = Tunnel::to(&engine).await;
    let got = tunnel.ask(CHAT, &chat(true)).await;
    assert_eq!((got.status, got.end()), (200, "complete"));
    assert_eq!(got.headers["content-type"], "text/event-stream");
    assert_eq!(got.headers["x-request-id"], "req-1");
    assert!(got.body.contains(r#""model":"tiny""#) && got.body.ends_with("data: [DONE]\n\n"), "{}", got.body);
    let whole = tunnel.ask(CHAT, &chat(false)).await;
    assert_eq!((whole.status, whole.end()), (200, "complete"));
    assert_eq!(whole.headers["content-type"], "application/json");
    let document: serde_json::Value = serde_json::from_str(&whole.body).unwrap();
    assert_eq!(document["choices"][0]["message"]["content"], "Hello");
    assert_eq!(tunnel.ledger.read().traffic.completed, 2);
}

/// Fault B12: the engine gets six headers of the agent's own, and none that was sent.
/// Fault B13: neither credentials nor cookies nor host names of the Hub reach the engine.
/// Fault B14: the engine is told to send everything uncompressed.
#[tokio::test]
async fn the_engine_gets_our_headers_and_nothing_of_the_hubs() {
    let engine = Engine::saying(stream(&["a"])).await;
    let tunnel = Tunnel::to(&engine).await;
    let headers = [
        ("content-type", "application/json"),
        ("x-request-id", "req-1"),
        ("authorization", "Bearer s3cret"),
        ("cookie", "s3cret=1"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-api-key", "s3cret"),
        ("forwarded", "for=10.0.0.1"),
    ];
    let (response, mut body) = tunnel.open(Method::POST, "/v1/chat/completions?x=s3cret", &headers, false).await;
    body.send_data(Bytes::from(chat(true)), true).unwrap();
    assert_eq!(read(response).await.status, 200);
    let seen = engine.seen().remove(0);
    assert!(seen.is("POST /v1/chat/completions"), "{}", seen.head);
    let length = seen.body.len().to_string();
    let host = engine.url.as_str().trim_start_matches("http://").to_owned();
    let expected = [
        ("accept", "text/event-stream"),
        ("accept-encoding", "identity"),
        ("content-length", &*length),
        ("content-type", "application/json"),
        ("host", &*host),
        ("x-request-id", "req-1"),
    ];
    assert_eq!(seen.headers(), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let asked: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
    assert_eq!((&asked["model"], &asked["stream"]), (&ENGINE_ID.into(), &true.into()));
}

/// Fault B12: the Hub gets three headers of the agent's own, and none of the engine's.
/// Fault B13: cookies and server names of the engine do not leave.
#[tokio::test]
async fn the_hub_gets_our_headers_and_nothing_of_the_engines() {
    let extra = "set-cookie: a=1\r\nserver: uvicorn\r\nx-powered-by: /Users/ada\r\nporten-refusal: x\r\n";
    let engine = Engine::saying(stream(&["a"]).replacen("connection", &format!("{extra}connection"), 1)).await;
    let tunnel = Tunnel::to(&engine).await;
    let got = tunnel.ask(CHAT, &chat(true)).await;
    let mut names: Vec<&str> = got.headers.keys().map(http::HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["cache-control", "content-type", "x-request-id"]);
    assert_eq!(got.trailers.unwrap().len(), 1);
}

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

/// Fault D4: an answer whose end comes before its `finish_reason` ends in an error event with the trailer `error`, never in `[DONE]`.
#[tokio::test]
async fn an_answer_that_ends_before_its_finish_is_an_error_event_and_never_done() {
    for cut in
        ["", "data: [DONE]\n\n", "data: {\"id\":\"chatc", "data: {\"error\":{\"message\":\"gone\",\"code\":500}}\n\n"]
    {
        let engine = Engine::saying(format!("{EVENTS}{}{cut}", event("Hel", None))).await;
        let tunnel = Tunnel::to(&engine).await;
        let got = tunnel.ask(CHAT, &chat(true)).await;
        assert_eq!((got.status, got.end()), (200, "error"), "{cut}");
        assert!(!got.body.contains("[DONE]") && got.body.contains(r#"data: {"error":"#), "{}", got.body);
        let reading = tunnel.ledger.read();
        assert_eq!((reading.traffic.completed, reading.traffic.failed), (0, 1));
    }
}

#[tokio::test]
async fn a_document_of_an_answer_that_was_cut_is_a_502_that_the_hub_does_not_ask_for_elsewhere() {
    let engine = Engine::saying(format!("{EVENTS}{}", event("Hel", None))).await;
    let tunnel = Tunnel::to(&engine).await;
    let got = tunnel.ask(CHAT, &chat(false)).await;
    assert_eq!((got.status, got.code().as_str(), got.end()), (502, "upstream_truncated", "complete"));
    assert_eq!(got.refusal(), None, "the engine had begun");
    let engine = Engine::saying(EVENTS).await;
    let tunnel = Tunnel::to(&engine).await;
    let nothing = tunnel.ask(CHAT, &chat(false)).await;
    assert_eq!((nothing.status, nothing.refusal()), (502, Some("upstream_truncated")), "it produced nothing");
}

/// Fault D12: whatever shape an engine gives its error, the client gets one OpenAI error with the status and the words, without paths.
#[tokio::test]
async fn an_engines_error_keeps_its_status_and_its_words_without_its_path() {
    let error = |words: &str| format!(r#"{{"error":{{"message":"{words}","type":"x"}}}}"#);
    let detail = r#"{"detail":[{"loc":["body","temperature"],"msg":"too hot","input":"s3cret"}]}"#.to_owned();
    for (said, body, status, code) in [
        (400, error(&format!("bad {ENGINE_ID}")), 400, "engine_rejected"),
        (422, detail, 422, "engine_rejected"),
        (429, error("slow down"), 429, "engine_busy"),
        (404, error("No instance found"), 503, "model_not_loaded"),
        (503, error("Loading model"), 503, "engine_unavailable"),
        (500, format!("Traceback: {ENGINE_ID}/weights"), 500, "engine_failed"),
        (401, error("key?"), 502, "engine_refused"),
    ] {
        let engine = Engine::saying(answer(said, JSON, &body)).await;
        let tunnel = Tunnel::to(&engine).await;
        let got = tunnel.ask(CHAT, &chat(true)).await;
        assert_eq!((got.status, got.code().as_str(), got.end()), (status, code, "complete"), "{}", got.body);
        assert!(!got.body.contains("/Users") && !got.body.contains("s3cret"), "{}", got.body);
        assert_eq!(engine.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_error_whose_body_never_ends_is_still_told() {
    let engine = Engine::start(|_, _, mut socket| async move {
        write(&mut socket, "HTTP/1.1 500 No\r\ncontent-type: text/plain\r\ncontent-length: 99\r\n\r\nkaput").await;
        until_closed(&mut socket).await;
    })
    .await;
    let tunnel = Tunnel::with(&engine, lowered(|limits, short| limits.silence = short)).await;
    let got = tunnel.ask(CHAT, &chat(true)).await;
    assert_eq!((got.status, got.code().as_str()), (500, "engine_failed"));
}

/// Fault C7: a redirect is a typed 502 and is never followed.
#[tokio::test]
async fn a_redirect_is_never_followed() {
    let elsewhere = Engine::saying(stream(&["a"])).await;
    let to = format!("location: {}/v1/chat/completions\r\n", elsewhere.url.as_str());
    for status in [301, 302, 307, 308] {
        let engine = Engine::saying(answer(status, &to, "")).await;
        let tunnel = Tunnel::to(&engine).await;
        let got = tunnel.ask(CHAT, &chat(true)).await;
        assert_eq!((got.status, got.code().as_str()), (502, "engine_redirect"));
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn what_an_engine_that_ignores_stream_says_whole_is_passed_on_in_the_asked_shape() {
    let document = serde_json::json!({ "id": "x", "object": "chat.completion", "model": ENGINE_ID,
        "choices": [{ "index": 0, "message": { "role": "assistant", "content": "Hello" }, "finish_reason": "stop" }] });
    let engine = Engine::saying(answer(200, JSON, &document.to_string())).await;
    let tunnel = Tunnel::to(&engine).await;
    for wants_stream in [true, false] {
        let got = tunnel.ask(CHAT, &chat(wants_stream)).await;
        assert_eq!((got.status, got.end()), (200, "complete"), "{}", got.body);
        assert!(got.body.contains("Hello") && !got.body.contains("/Users"), "{}", got.body);
        assert_eq!(got.body.ends_with("[DONE]\n\n"), wants_stream);
    }
    for broken in ["", "<html>", r#"{"choices":"#] {
        let engine = Engine::saying(answer(200, JSON, broken)).await;
        let got = Tunnel::to(&engine).await.ask(CHAT, &chat(false)).await;
        assert_eq!((got.status, got.code().as_str()), (502, "engine_answer_unreadable"), "{broken}");
    }
}

#[tokio::test]
async fn the_engines_id_is_in_no_byte_that_goes_back() {
    let noisy = format!("{EVENTS}: loading {ENGINE_ID}\n\n{}", stream(&["a"]).trim_start_matches(EVENTS));
    let error = format!("{EVENTS}{}data: {{\"error\":{{\"message\":\"{ENGINE_ID}\"}}}}\n\n", event("a", None));
    for said in [noisy, error] {
        let engine = Engine::saying(said).await;
        let tunnel = Tunnel::to(&engine).await;
        let got = tunnel.ask(CHAT, &chat(true)).await;
        assert!(!format!("{got:?}").contains("/Users"), "{got:?}");
    }
}

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

/// exo goes on with its keep-alives for 46 s after a Mac died (measured): they are no sign of life.
#[tokio::test]
async fn an_answer_whose_mac_is_lost_ends_at_once_though_the_engine_goes_on_with_comments() {
    let engine = Engine::start(|n, _, mut socket| async move {
        let begun = if n == 0 { event("a", None) } else { String::new() };
        write(&mut socket, &format!("{EVENTS}{begun}")).await;
        while socket.write_all(b": keep-alive\n\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    for (begun, status, end) in [(true, 200, "error"), (false, 502, "complete")] {
        let tunnel = Tunnel::to(&engine).await;
        let lost = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let broken = Arc::new(std::collections::BTreeSet::from([ENGINE_ID.to_owned()]));
            tunnel.facts.send_replace(Arc::new(RelayFacts { broken, ..facts(&engine) }));
        };
        let question = chat(begun);
        let (got, ()) = tokio::join!(soon("the answer ends", tunnel.ask(CHAT, &question)), lost);
        assert_eq!((got.status, got.end()), (status, end), "{}", got.body);
        assert!(got.body.contains("member_lost"), "{}", got.body);
    }
}

/// A Mac that is only late to report goes on computing.
#[tokio::test]
async fn an_answer_that_comes_on_is_not_given_up_though_its_machines_are_taken_for_lost() {
    let engine = Engine::start(|_, _, mut socket| async move {
        write(&mut socket, EVENTS).await;
        for _ in 0..45 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            write(&mut socket, &event("a", None)).await;
        }
        write(&mut socket, &format!("{}data: [DONE]\n\n", event("", Some("stop")))).await;
    })
    .await;
    let tunnel = Tunnel::to(&engine).await;
    let lost = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let broken = Arc::new(std::collections::BTreeSet::from([ENGINE_ID.to_owned()]));
        tunnel.facts.send_replace(Arc::new(RelayFacts { broken, ..facts(&engine) }));
    };
    let question = chat(true);
    let (got, ()) = tokio::join!(soon("the answer ends", tunnel.ask(CHAT, &question)), lost);
    assert_eq!((got.status, got.end()), (200, "complete"), "{}", got.body);
}

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

#[tokio::test]
async fn a_node_that_drains_or_serves_something_else_says_so_and_may_be_passed_over() {
    let engine = Engine::saying(stream(&["a"])).await;
    let tunnel = Tunnel::to(&engine).await;
    let unknown = tunnel.ask(CHAT, &chat(true).replace("tiny", "huge")).await;
    assert_eq!((unknown.status, unknown.refusal(), unknown.end()), (404, Some("model_not_found"), "complete"));
    let path = tunnel.ask(CHAT, &chat(true).replace("tiny", ENGINE_ID)).await;
    assert_eq!(path.status, 404, "the engine's own id is none of the Hub's");
    for (method, path, status) in [
        (Method::POST, "/instance/x", 404),
        (Method::POST, "/v1/../state", 404),
        (Method::GET, CHAT, 405),
        (Method::GET, "/v1/models", 404),
    ] {
        let (response, _) = tunnel.open(method, path, &[("content-type", "application/json")], true).await;
        let got = read(response).await;
        assert_eq!((got.status, got.refusal(), got.end()), (status, None, "complete"), "{path}");
    }
    let malformed = tunnel.ask(CHAT, "{").await;
    assert_eq!((malformed.status, malformed.refusal(), malformed.end()), (400, None, "complete"));
    tunnel.facts.send_replace(Arc::new(RelayFacts { draining: true, ..facts(&engine) }));
    let draining = tunnel.ask(CHAT, &chat(true)).await;
    assert_eq!((draining.status, draining.refusal(), draining.end()), (503, Some("draining"), "complete"));
    tunnel.facts.send_replace(Arc::new(RelayFacts { engine: None, ..facts(&engine) }));
    let away = tunnel.ask(CHAT, &chat(true)).await;
    assert_eq!((away.status, away.refusal()), (503, Some("engine_unreachable")));
    assert!(engine.seen().is_empty(), "none of these reached the engine");
    assert_eq!(tunnel.ledger.read().traffic.refused, 9);
}
