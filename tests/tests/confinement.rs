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

/// Fault C1: refused, and the engine sees none of them.
/// Fault C2: refused, and the engine sees none of them.
/// Fault C3: refused, and the engine sees none of them.
/// Fault C4: refused, and the engine sees none of them.
/// Fault C5: the authority is nobody's business: a good request goes to the one engine, whatever it names.
/// Fault C6: a query of up to 8 KiB is dropped, a longer one refused.
/// Fault C9: refused, whatever its spelling; an engine is never asked for what it does not serve.
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
///
/// Fault B11: targets with control characters, spaces and nothing at all never reach the engine.
/// Fault C3: a backslash, a zero byte and an absolute target never reach the engine.
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

/// What the agent holds (KiB), where the system tells.
fn memory(agent: &mut Agent) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.process().id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

/// A hundred thousand requests, each reset at once.
fn rapid_resets() -> Vec<u8> {
    let head = head(b"POST", b"/v1/chat/completions");
    let ids = (0..100_000).map(|n| 2 * n + 1);
    ids.flat_map(|id| [frame(1, 0x4, id, &head), frame(3, 0, id, &8_u32.to_be_bytes())].concat()).collect()
}

/// A header block that never ends: 64 MB of it.
fn endless_headers() -> Vec<u8> {
    let piece = vec![0; 16 * 1024];
    let first = frame(1, 0, 1, &head(b"POST", b"/v1/chat/completions"));
    std::iter::once(first).chain((0..4000).map(|_| frame(9, 0, 1, &piece))).flatten().collect()
}

/// One field of 60 KB, well-formed.
fn long_header() -> Vec<u8> {
    let mut block = head(b"POST", b"/v1/chat/completions");
    block.extend([0, 1, b'x']);
    // 60,000 as an integer with a prefix of seven bits (RFC 7541, 5.1).
    block.extend([0x7f, 0xe1, 0xd3, 0x03]);
    block.extend(vec![b'y'; 60_000]);
    let mut parts = block.chunks(16 * 1024).peekable();
    let mut octets = frame(1, 0x1, 1, parts.next().unwrap_or_default());
    while let Some(part) = parts.next() {
        octets.extend(frame(9, if parts.peek().is_none() { 0x4 } else { 0 }, 1, part));
    }
    octets
}

/// What a Hub may do to wear the agent out: nothing of it reaches the engine, what the agent holds stays as it was, and good
/// requests go through afterwards.
///
/// Fault B5: a hundred thousand requests that are reset at once end the link, none reaches the engine, and the agent comes back.
/// Fault B6: header blocks that are too long or never end cost one stream or the link, and no memory.
/// Fault B7: floods of settings, pings and window updates cost at most the link, and no memory.
#[tokio::test(flavor = "multi_thread")]
async fn floods_in_raw_frames_cost_the_link_at_most_and_neither_memory_nor_the_engine() {
    let (mut scene, requests, _control) = scene().await;
    drop(requests);
    let before = memory(&mut scene.agent);
    let window = frame(8, 0, 0, &(i32::MAX as u32).to_be_bytes());
    let floods = [
        ("rapid resets", rapid_resets()),
        ("endless headers", endless_headers()),
        ("a long header", long_header()),
        ("settings", frame(4, 0, 0, &[]).repeat(100_000)),
        ("pings", frame(6, 0, 0, &[7; 8]).repeat(100_000)),
        ("windows over the limit", window.repeat(3)),
    ];
    for (what, flood) in floods {
        let (mut bytes, _control) = scene.hub.welcome().await;
        let mut octets = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        octets.extend(frame(4, 0, 0, &[]));
        octets.extend(flood);
        // The agent ends the link, or takes no more: both are an answer.
        let written = tokio::time::timeout(Duration::from_secs(5), async {
            bytes.write_all(&octets).await?;
            bytes.flush().await
        })
        .await;
        let now = memory(&mut scene.agent);
        let grown = now.zip(before).map_or(0, |(now, before)| now.saturating_sub(before));
        eprintln!(
            "{what}: {} MB, {:?}, the agent grew by {} MiB",
            octets.len() / 1_000_000,
            written.map(|done| done.is_ok()),
            grown / 1024
        );
        assert!(grown < 32 * 1024, "{what}: the agent grew by {grown} KiB");
    }
    assert_only_probes(&scene.engine);
    let (requests, _control) = scene.hub.requests().await;
    wait_until(Duration::from_secs(20), "good requests go through again", async || {
        let (status, _) = ask(&requests, request("POST", "http://h/v1/chat/completions"), chat()).await;
        (status == 200).then_some(())
    })
    .await;
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
