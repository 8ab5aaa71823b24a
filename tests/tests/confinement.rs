//! Whatever a Hub sends through the tunnel, the engine sees the two routes of a served model and nothing else.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use porten_tests::engine::Reply;
use porten_tests::frames::{self, END_HEADERS, END_STREAM, http2, kind};
use porten_tests::scripted_house::{PATH_SHAPED, ask, chat};
use porten_tests::{ScriptedHouse, wait_until};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

const CHAT: &str = "http://h/v1/chat/completions";
/// An agent answers one request of its Hub, or ends the link over it, in this time on a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn request(method: &str, uri: &str) -> Request<()> {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    Request::builder().method(method).uri(uri).header("content-type", "application/json").body(()).expect("a request")
}

/// Sends frames over a link of their own, since the agent may end it, and waits until it has answered.
async fn raw(house: &ScriptedHouse, octets: &[u8]) -> Option<u8> {
    let (mut link, _control) = house.welcome().await;
    link.write_all(&[&frames::preface(), octets].concat()).await.expect("the agent reads");
    link.flush().await.expect("the agent reads");
    tokio::time::timeout(SOON, frames::read_answer(&mut link)).await.expect("the agent answers")
}

/// Fault C1: the engine's own routes are a 404, and it sees none of them.
/// Fault C2: so are the routes beside and below the allowed ones.
/// Fault C3: so is each other spelling of an allowed path.
/// Fault C4: another method, `CONNECT` too, is refused.
/// Fault C9: a model that is not served, the engine's own id of one too, is refused, and the engine is not asked.
#[tokio::test(flavor = "multi_thread")]
async fn every_other_path_and_method_is_refused_and_the_engine_sees_none_of_them() {
    let (house, requests, _control) = ScriptedHouse::start().await;
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
        let (status, body) = ask(&requests, request(method, uri), chat("tiny")).await;
        assert!(matches!(status.as_u16(), 404 | 405), "{method} {uri}: {status} {body}");
    }
    for (method, target) in [("CONNECT", "127.0.0.1:22"), ("CONNECT", "169.254.169.254:80")] {
        let (status, _) = ask(&requests, request(method, target), Bytes::new()).await;
        assert!(status.is_client_error(), "{method} {target}: {status}");
    }
    let unknown = json!({ "model": "org/other", "messages": [] }).to_string().into();
    for model in [unknown, chat(PATH_SHAPED), chat("Tiny"), chat("")] {
        let (status, body) = ask(&requests, request("POST", CHAT), model).await;
        assert!(status.is_client_error(), "{status} {body}");
    }
    house.assert_only_probes();
    // The tunnel took no harm: a good request still goes through, and its authority is nobody's business.
    for uri in ["http://h/v1/chat/completions", "http://169.254.169.254/v1/chat/completions?x=/instance"] {
        let (status, body) = ask(&requests, request("POST", uri), chat("tiny")).await;
        assert_eq!(status, 200, "{body}");
        assert!(!body.contains("/Users/"), "a path left the machine: {body}");
        assert!(body.contains(r#""model":"tiny""#), "{body}");
    }
    let seen = house.engine.asked();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| seen.target == "/v1/chat/completions"), "{seen:?}");
}

/// What no well-behaved HTTP/2 library would send: written as raw frames.
/// Fault B11: line breaks, NUL, blanks and backslashes in a path never reach the engine, and the next link serves.
/// Fault C3: nor does a backslash, an absolute target or an empty one.
/// Fault C4: nor does `OPTIONS *`.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_targets_in_raw_frames_never_reach_the_engine() {
    let (house, requests, _control) = ScriptedHouse::start().await;
    drop(requests);
    let targets: [(&[u8], &[u8]); 7] = [
        (b"POST", b"\\instance"),
        (b"POST", b"/v1/chat/completions\r\nx: y"),
        (b"POST", b"/v1/chat/completions HTTP/1.1"),
        (b"POST", b"http://127.0.0.1/instance"),
        (b"POST", b"/instance\0"),
        (b"OPTIONS", b"*"),
        (b"POST", b""),
    ];
    for (method, path) in targets {
        let fields: [(&[u8], &[u8]); 4] =
            [(b":method", method), (b":scheme", b"http"), (b":authority", b"h"), (b":path", path)];
        raw(&house, &http2(kind::HEADERS, END_STREAM | END_HEADERS, 1, &frames::block(&fields))).await;
    }
    house.assert_only_probes();
    house.assert_serves().await;
}

/// What may not stand in a head, or not so.
const WRONG: [(&str, &[u8], &[u8]); 11] = [
    ("another length", b"content-length", b"7"),
    ("a length that is none", b"content-length", b"0x10"),
    ("a coding of the transfer", b"transfer-encoding", b"chunked"),
    ("a line break", b"x-a", b"b\r\nx-injected: c"),
    ("a bare line feed", b"x-a", b"b\nx-injected: c"),
    ("NUL", b"x-a", b"b\0c"),
    ("a name in capitals", b"X-Injected", b"b"),
    ("a name with a blank", b"x injected", b"b"),
    ("a folded line", b"x-a", b"b\r\n folded"),
    ("an upgrade", b"upgrade", b"websocket"),
    ("headers of the connection", b"connection", b"x-injected"),
];

/// Fault B11: two lengths, a transfer coding, a line break, NUL, capitals or a folded line in a head end that request, and the
/// engine sees none of it.
/// Fault B12: `connection`, `upgrade` and their kin are no HTTP/2 and end the request.
#[tokio::test(flavor = "multi_thread")]
async fn heads_that_could_be_read_in_two_ways_never_reach_the_engine() {
    let (house, requests, _control) = ScriptedHouse::start().await;
    drop(requests);
    let body = chat("tiny");
    let length = body.len().to_string();
    for (what, name, value) in WRONG {
        let head = frames::chat_head(&[(b"content-length", length.as_bytes()), (name, value)]);
        let octets = [http2(kind::HEADERS, END_HEADERS, 1, &head), http2(kind::DATA, END_STREAM, 1, &body)].concat();
        raw(&house, &octets).await;
        assert!(house.engine.asked().is_empty(), "{what}: {:?}", house.engine.asked());
    }
    house.assert_only_probes();
    house.assert_serves().await;
}

/// Fault B12: `te`, `trailer`, `expect` and the like do not reach the engine, nor does what they announce.
/// Fault B13: nor do the Hub's `authorization`, `cookie`, `host` and `x-forwarded-*`; the engine is called by its own name.
/// Fault B14: whatever the Hub accepts, the engine is asked for `identity`.
/// Fault C5: whatever `:authority` and `:scheme` say, only the engine is dialled, and by its own name.
/// Fault C6: a short query is dropped.
#[tokio::test(flavor = "multi_thread")]
async fn of_what_a_hub_adds_to_a_good_request_the_engine_sees_nothing() {
    let (house, requests, _control) = ScriptedHouse::start().await;
    drop(requests);
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let authority = elsewhere.local_addr().expect("its address").to_string();
    let body = chat("tiny");
    for scheme in ["http", "file", "https"] {
        let head = frames::block(&[
            (b":method", b"POST"),
            (b":scheme", scheme.as_bytes()),
            (b":authority", authority.as_bytes()),
            (b":path", b"/v1/chat/completions?x=/instance&y=http://10.0.0.1/"),
            (b"content-type", b"application/json"),
            (b"host", b"evil.example"),
            (b"te", b"trailers"),
            (b"trailer", b"x-marker"),
            (b"expect", b"100-continue"),
            (b"accept-encoding", b"gzip, br"),
            (b"authorization", b"Bearer marker"),
            (b"proxy-authorization", b"Basic marker"),
            (b"cookie", b"marker=1"),
            (b"x-forwarded-for", b"marker"),
            (b"x-marker", b"marker"),
        ]);
        let octets = [http2(kind::HEADERS, END_HEADERS, 1, &head), http2(kind::DATA, END_STREAM, 1, &body)].concat();
        raw(&house, &octets).await;
    }
    let seen = house.engine.asked();
    assert!(!seen.is_empty(), "a request with odd headers is a request");
    for seen in seen {
        assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/v1/chat/completions"));
        let mut names: Vec<_> = seen.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        names.sort_unstable();
        let ours = ["accept", "accept-encoding", "content-length", "content-type", "host", "x-request-id"];
        assert_eq!(names, ours, "{}", seen.head);
        assert_eq!(seen.header("host"), [house.engine.url().trim_start_matches("http://")]);
        assert_eq!(seen.header("accept-encoding"), ["identity"]);
        assert!(!seen.head.contains("marker") && !seen.head.contains("instance"), "{}", seen.head);
    }
    let knock = tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await;
    assert!(knock.is_err(), "somebody dialled what the Hub named");
}

/// Fault C6: a query of 100 kB is refused before it is read to its end, one of 9 kB with a 414.
/// Fault C7: an engine that redirects, to its own instances or to another machine, is a 502, and nothing follows.
#[tokio::test(flavor = "multi_thread")]
async fn endless_queries_and_redirects_lead_nowhere() {
    let (house, requests, _control) = ScriptedHouse::start().await;
    let long = format!("{CHAT}?x={}", "a".repeat(9_000));
    let (status, _) = ask(&requests, request("POST", &long), chat("tiny")).await;
    assert_eq!(status, 414);
    drop(requests);
    let path = format!("/v1/chat/completions?x={}", "a".repeat(100_000));
    let fields: [(&[u8], &[u8]); 4] =
        [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", path.as_bytes())];
    let block = frames::block(&fields);
    let mut pieces = block.chunks(16_000).collect::<Vec<_>>();
    let (first, last) = (pieces.remove(0), pieces.pop().expect("several frames"));
    let mut octets = http2(kind::HEADERS, END_STREAM, 1, first);
    pieces.iter().for_each(|piece| octets.extend(http2(kind::CONTINUATION, 0, 1, piece)));
    octets.extend(http2(kind::CONTINUATION, END_HEADERS, 1, last));
    raw(&house, &octets).await;
    house.assert_only_probes();
    let (requests, _control) = house.requests().await;
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let other = format!("http://{}/v1/chat/completions", elsewhere.local_addr().expect("its address"));
    for to in ["/instance", "/v1/completions", "http://169.254.169.254/", &other] {
        // A request that failed has the engine looked at: the model may be withdrawn for a moment in between.
        let body = wait_until(SOON, "a redirect is told", async || {
            house.engine.change(|manner| manner.reply = Reply::Generate);
            if ask(&requests, request("POST", CHAT), chat("tiny")).await.0 != 200 {
                return None;
            }
            house.engine.change(|manner| manner.reply = Reply::Redirect(to.to_owned()));
            let (status, body) = ask(&requests, request("POST", CHAT), chat("tiny")).await;
            (status == 502).then_some(body)
        })
        .await;
        assert!(body.contains("engine_redirect") && !body.contains("169.254"), "{body}");
    }
    let seen = house.engine.asked();
    assert!(seen.iter().all(|seen| seen.target == "/v1/chat/completions"), "{seen:?}");
    let knock = tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await;
    assert!(knock.is_err(), "a redirect was followed");
}

/// Fault C10: of fields that reach beyond one request none is in what the engine is asked.
/// Fault C12: a link in a message, to a page or a file, is a 400, and the engine is not asked.
#[tokio::test(flavor = "multi_thread")]
async fn fields_and_links_that_reach_beyond_a_request_never_reach_the_engine() {
    let (house, requests, _control) = ScriptedHouse::start().await;
    let mut body: Value = serde_json::from_slice(&chat("tiny")).expect("JSON");
    for field in ["adapters", "draft_model", "num_draft_tokens", "chat_template", "lora", "id_slot", "slot"] {
        body[field] = "/etc/marker".into();
    }
    let (status, answer) = ask(&requests, request("POST", CHAT), body.to_string().into()).await;
    assert_eq!(status, 200, "{answer}");
    let seen = house.engine.asked();
    assert_eq!(seen.len(), 1);
    assert!(!String::from_utf8_lossy(&seen[0].body).contains("marker"), "{:?}", seen[0].json());
    house.engine.forget();
    for link in ["http://10.0.0.1/a.png", "https://example.invalid/a.png", "file:///etc/passwd", "//10.0.0.1/a.png"] {
        let part = json!({ "type": "image_url", "image_url": { "url": link } });
        let body = json!({ "model": "tiny", "messages": [{ "role": "user", "content": [part] }] }).to_string();
        let (status, answer) = ask(&requests, request("POST", CHAT), body.into()).await;
        assert_eq!(status, 400, "{answer}");
        assert!(answer.contains("remote_content"), "{answer}");
    }
    house.assert_only_probes();
}
