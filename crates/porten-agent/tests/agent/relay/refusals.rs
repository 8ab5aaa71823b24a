//! What does not reach the engine, and what the engine refuses or sends elsewhere.

use std::sync::Arc;

use http::Method;
use porten_agent::relay::RelayFacts;

use super::{JSON, lowered};
use crate::support::engine::{Engine, stream, until_closed};
use crate::support::tunnel::{CHAT, Tunnel, chat, facts, read};
use crate::support::{ENGINE_ID, answer, write};

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
