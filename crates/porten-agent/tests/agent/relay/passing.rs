//! What goes through, both ways, and what does not.

use bytes::Bytes;
use http::Method;

use super::JSON;
use crate::support::engine::{EVENTS, Engine, event, stream, until_closed};
use crate::support::tunnel::{CHAT, Tunnel, chat, next, read};
use crate::support::{ENGINE_ID, answer, write};

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

#[tokio::test]
async fn what_follows_a_token_at_once_is_sent_also_if_the_engine_says_no_more() {
    let engine = Engine::start(|_, _, mut socket| async move {
        socket.set_nodelay(true).unwrap();
        for piece in [EVENTS.to_owned() + &event("one", None), event("two", None), event("three", None)] {
            write(&mut socket, &piece).await;
            tokio::task::yield_now().await;
        }
        until_closed(&mut socket).await;
    })
    .await;
    let tunnel = Tunnel::to(&engine).await;
    let mut stream = tunnel.post(CHAT, &chat(true)).await.await.unwrap().into_body();
    let mut body = String::new();
    while !body.contains("three") {
        body += std::str::from_utf8(&next(&mut stream).await.unwrap()).unwrap();
    }
    assert!(body.contains("one") && body.contains("two"), "{body}");
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
