//! Whatever a Hub sends through the tunnel, the engine sees the two routes of a served model and nothing else.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Method, Request, StatusCode};
use porten_tests::engine::Manner;
use porten_tests::{Agent, Engine, ScriptedHub, wait_until};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;

const PATH_SHAPED: &str = "/Users/anna/models/tiny";

struct Scene {
    engine: Engine,
    hub: ScriptedHub,
    agent: Agent,
}

/// An agent that serves `tiny`, which its engine calls by a path of this machine, to a Hub that does as it likes.
async fn scene() -> (Scene, SendRequest<Bytes>, porten_link::Control) {
    let engine = Engine::start(Manner { models: vec![PATH_SHAPED.into()], ..Manner::mlx("tiny") }).await;
    let hub = ScriptedHub::start().await;
    let mut agent = Agent::bare();
    agent.set("PORTEN_HUB_URL", &hub.ws_url());
    agent.set("PORTEN_ENGINE_URL", &engine.url());
    agent.set("PORTEN_ENGINE_MODELS", "tiny");
    hub.sign_in(&agent);
    agent.run();
    let (requests, mut control) = hub.requests().await;
    wait_until(Duration::from_secs(20), "the model is advertised", async || {
        let said = control.incoming.recv().await.expect("the link lives");
        assert!(!said.contains("/Users/"), "a path left the machine: {said}");
        said.contains(r#""id":"tiny""#).then_some(())
    })
    .await;
    engine.forget();
    (Scene { engine, hub, agent }, requests, control)
}

async fn ask(requests: &SendRequest<Bytes>, request: Request<()>, body: Bytes) -> (StatusCode, String) {
    let mut requests = requests.clone().ready().await.expect("the link lives");
    let (answer, mut stream) = requests.send_request(request, body.is_empty()).expect("a request");
    if !body.is_empty() {
        // A refusal may be there before the body is on its way: the answer is then all that counts.
        let _ = stream.send_data(body, true);
    }
    let answer = answer.await.expect("an answer");
    let (head, mut body) = answer.into_parts();
    let mut text = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        body.flow_control().release_capacity(data.len()).expect("the link lives");
        text.extend_from_slice(&data);
    }
    (head.status, String::from_utf8_lossy(&text).into_owned())
}

fn request(method: &str, uri: &str) -> Request<()> {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    Request::builder().method(method).uri(uri).header("content-type", "application/json").body(()).expect("a request")
}

fn chat() -> Bytes {
    json!({ "model": "tiny", "messages": [{ "role": "user", "content": "Hi" }] }).to_string().into()
}

/// Fault C1: the engine's own routes are a 404, and it sees none of them.
/// Fault C2: so are the routes beside and below the allowed ones.
/// Fault C3: so is each other spelling of an allowed path.
/// Fault C4: another method, `CONNECT` too, is refused.
/// Fault C9: a model that is not served, the engine's own id of one too, is refused, and the engine is not asked.
#[tokio::test(flavor = "multi_thread")]
async fn every_other_path_and_method_is_refused_and_the_engine_sees_none_of_them() {
    let (scene, requests, _control) = scene().await;
    let others = [
        ("GET", "http://h/"),
        ("GET", "http://h/state"),
        ("GET", "http://h/events"),
        ("GET", "http://h/node_id"),
        ("GET", "http://h/v1/models"),
        ("POST", "http://h/instance"),
        ("POST", "http://h/place_instance"),
        ("DELETE", "http://h/instance/x"),
        ("POST", "http://h/download/start"),
        ("POST", "http://h/models/add"),
        ("POST", "http://h/v1/cancel/1"),
        ("DELETE", "http://h/v1/instance-links/1"),
        ("POST", "http://h/v1/traces/delete"),
        ("POST", "http://h/bench/chat/completions"),
        ("POST", "http://h/ollama/api/chat"),
        ("POST", "http://h/v1/../instance"),
        ("POST", "http://h/v1/%2e%2e/instance"),
        ("POST", "http://h/v1/chat/completions/..%2f..%2finstance"),
        ("POST", "http://h/v1/chat/completions/"),
        ("POST", "http://h/v1/chat/completions;x"),
        ("POST", "http://h/v1/chat/completions%00"),
        ("POST", "http://h//v1/chat/completions"),
        ("POST", "http://h//instance"),
        ("POST", "http://h/V1/chat/completions"),
        ("POST", "http://h/v1/%63hat/completions"),
        ("PUT", "http://h/v1/chat/completions"),
        ("GET", "http://h/v1/chat/completions"),
        ("DELETE", "http://h/v1/chat/completions"),
        ("TRACE", "http://h/v1/chat/completions"),
        ("OPTIONS", "http://h/v1/chat/completions"),
    ];
    for (method, uri) in others {
        let (status, body) = ask(&requests, request(method, uri), chat()).await;
        assert!(matches!(status.as_u16(), 404 | 405), "{method} {uri}: {status} {body}");
    }
    for (method, target) in [("CONNECT", "127.0.0.1:22"), ("CONNECT", "169.254.169.254:80")] {
        let (status, _) = ask(&requests, request(method, target), Bytes::new()).await;
        assert!(status.is_client_error(), "{method} {target}: {status}");
    }
    let long = format!("http://h/v1/chat/completions?x={}", "a".repeat(9000));
    let (status, _) = ask(&requests, request("POST", &long), chat()).await;
    assert!(status.is_client_error(), "an endless query: {status}");
    let unknown = json!({ "model": "org/other", "messages": [] }).to_string();
    for model in [unknown, chat_for(PATH_SHAPED), chat_for("Tiny"), chat_for("")] {
        let (status, body) = ask(&requests, request("POST", "http://h/v1/chat/completions"), model.into()).await;
        assert!(status.is_client_error(), "{status} {body}");
    }
    assert_only_probes(&scene.engine);
    // The tunnel took no harm: a good request still goes through, and its authority is nobody's business.
    for uri in ["http://h/v1/chat/completions", "http://169.254.169.254/v1/chat/completions?x=/instance"] {
        let (status, body) = ask(&requests, request("POST", uri), chat()).await;
        assert_eq!(status, 200, "{body}");
        assert!(!body.contains("/Users/"), "a path left the machine: {body}");
        assert!(body.contains(r#""model":"tiny""#), "{body}");
    }
    let seen = scene.engine.asked();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| seen.target == "/v1/chat/completions"), "{seen:?}");
    drop(scene.agent);
}

fn chat_for(model: &str) -> String {
    json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }] }).to_string()
}

/// Lists and proofs of the agent itself, and nothing that a request caused.
fn assert_only_probes(engine: &Engine) {
    assert!(engine.asked().is_empty(), "{:?}", engine.asked());
    for seen in engine.seen() {
        let probe = seen.target == "/v1/models" || seen.max_tokens() == Some(1);
        assert!(probe, "the engine saw {} {}", seen.method, seen.target);
    }
}

/// What no well-behaved HTTP/2 library would send: written as raw frames.
/// Fault B11: line breaks, NUL, blanks and backslashes in a path never reach the engine, and the next link serves.
/// Fault C3: nor does a backslash, an absolute target or an empty one.
/// Fault C4: nor does `OPTIONS *`.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_targets_in_raw_frames_never_reach_the_engine() {
    let (scene, requests, _control) = scene().await;
    drop(requests);
    let raw: [(&[u8], &[u8]); 7] = [
        (b"POST", b"\\instance"),
        (b"POST", b"/v1/chat/completions\r\nx: y"),
        (b"POST", b"/v1/chat/completions HTTP/1.1"),
        (b"POST", b"http://127.0.0.1/instance"),
        (b"POST", b"/instance\0"),
        (b"OPTIONS", b"*"),
        (b"POST", b""),
    ];
    for (method, path) in raw {
        // Each gets a connection of its own: the agent may end it, and must come back.
        let (mut bytes, _control) = scene.hub.welcome().await;
        let mut octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        octets.extend(frame(4, 0, 0, &[]));
        octets.extend(frame(1, 0x5, 1, &head(method, path)));
        bytes.write_all(&octets).await.expect("the agent reads");
        bytes.flush().await.expect("the agent reads");
        tokio::time::sleep(Duration::from_millis(300)).await;
        drop(bytes);
    }
    assert_only_probes(&scene.engine);
    let (requests, _control) = scene.hub.requests().await;
    wait_until(Duration::from_secs(20), "good requests go through again", async || {
        let (status, _) = ask(&requests, request("POST", "http://h/v1/chat/completions"), chat()).await;
        (status == 200).then_some(())
    })
    .await;
    drop(scene.agent);
}

/// An HTTP/2 frame (RFC 9113, 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A header block of literal fields that are not indexed (RFC 7541, 6.2.2).
fn head(method: &[u8], path: &[u8]) -> Vec<u8> {
    let fields: [(&[u8], &[u8]); 4] =
        [(b":method", method), (b":scheme", b"http"), (b":authority", b"h"), (b":path", path)];
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).expect("a short field"));
            block.extend(text);
        }
    }
    block
}
