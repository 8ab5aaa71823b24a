//! What the answers to a dial mean.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use porten_core::tunnel::{Failure, Lost, Refused};
use porten_core::wire::{SUBPROTOCOL, TUNNEL_PATH};
use porten_link::dial::{self, Connect, Transport};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::TcpListener;

use crate::support::{dialled, header, read_head, ready_made, request, soon, switching, tcp};

const URL: &str = "ws://127.0.0.1:8000/v1/node/tunnel";

/// Dials a Hub that answers so and then closes.
async fn dial_at<F: Future<Output = ()>>(url: &str, hub: impl FnOnce(DuplexStream) -> F) -> Result<(), Failure> {
    let (near, far) = duplex(64 * 1024);
    let (answer, ()) = soon(async { tokio::join!(dial::dial(request(url, ready_made(near))), hub(far)) }).await;
    answer.map(drop)
}

async fn answered(answer: &str) -> Failure {
    dial_at(URL, |mut far| async move {
        read_head(&mut far).await;
        far.write_all(answer.as_bytes()).await.unwrap();
    })
    .await
    .unwrap_err()
}

fn not_porten(why: &str) -> Failure {
    Failure::Refused(Refused::NotPorten(why.into()))
}

fn captive_portal(host: Option<&str>) -> Failure {
    Failure::Refused(Refused::CaptivePortal(host.map(str::to_owned)))
}

fn busy(status: u16, retry_after: Option<u64>) -> Failure {
    Failure::Lost(Lost::Busy { status, retry_after: retry_after.map(Duration::from_secs) })
}

/// Fault B14: no compression of the WebSocket is offered.
#[tokio::test]
async fn an_upgrade_asks_for_our_protocol_with_the_token_and_for_no_compression() {
    let (near, mut far) = duplex(64 * 1024);
    let dialling = tokio::spawn(dial::dial(request(URL, ready_made(near))));
    let head = read_head(&mut far).await;
    assert!(head.starts_with(&format!("GET {TUNNEL_PATH} HTTP/1.1\r\n")), "{head}");
    assert_eq!(header(&head, "host"), Some("127.0.0.1:8000"));
    assert_eq!(header(&head, "authorization"), Some("Bearer swordfish"));
    assert_eq!(header(&head, "sec-websocket-protocol"), Some(SUBPROTOCOL));
    assert_eq!(header(&head, "sec-websocket-extensions"), None);
    far.write_all(switching(&head, Some(SUBPROTOCOL), "").as_bytes()).await.unwrap();
    soon(dialling).await.unwrap().unwrap();
}

/// Fault E1: a redirect of the upgrade, to another host, to http or with any status, is refused and not followed.
#[tokio::test]
async fn a_redirect_is_refused_and_nobody_knocks_at_its_target() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = elsewhere.local_addr().unwrap();
    for status in [301, 302, 303, 307, 308] {
        for scheme in ["ws", "wss", "http", "https"] {
            let location = format!("{scheme}://{target}/v1/node/tunnel");
            let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n");
            assert_eq!(answered(&answer).await, not_porten(&format!("HTTP {status}")), "{location}");
        }
    }
    let knock = tokio::time::timeout(Duration::from_millis(300), elsewhere.accept()).await;
    assert!(knock.is_err(), "somebody followed a redirect");
}

/// Fault E4: 429 and 503 are read with their `Retry-After`, which the next dial honours.
#[tokio::test]
async fn each_status_is_read_for_what_it_means() {
    for (status, more, meaning) in [
        ("401 Unauthorized", "", Failure::Refused(Refused::SignIn)),
        ("403 Forbidden", "", Failure::Refused(Refused::Forbidden("HTTP 403".into()))),
        ("404 Not Found", "", not_porten("HTTP 404")),
        ("302 Found", "location: ws://127.0.0.1:1/\r\n", not_porten("HTTP 302")),
        ("302 Found", "location: http://login.hotel.test/?from=x\r\n", captive_portal(Some("login.hotel.test"))),
        ("302 Found", "location: /login\r\n", not_porten("HTTP 302")),
        ("511 Network Authentication Required", "", captive_portal(None)),
        ("426 Upgrade Required", "", not_porten("HTTP 426")),
        ("200 OK", "", not_porten("HTTP 200")),
        ("429 Too Many Requests", "retry-after: 7\r\n", busy(429, Some(7))),
        ("429 Too Many Requests", "", busy(429, None)),
        ("503 Service Unavailable", "retry-after: 30\r\n", busy(503, Some(30))),
        ("503 Service Unavailable", "retry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\n", busy(503, None)),
        ("502 Bad Gateway", "retry-after: -1\r\n", busy(502, None)),
        ("408 Request Timeout", "", busy(408, None)),
    ] {
        let answer = format!("HTTP/1.1 {status}\r\n{more}content-length: 2\r\n\r\n{{}}");
        assert_eq!(answered(&answer).await, meaning, "{status} {more}");
    }
}

/// Fault B14: a Hub that turns on an extension nobody offered is refused.
#[tokio::test]
async fn an_upgrade_to_something_else_is_refused_in_words() {
    for (subprotocol, more, why) in [
        (None, "", "it accepted a WebSocket, but not porten.v1"),
        (Some("chat"), "", "it accepted a WebSocket, but not porten.v1"),
        (
            Some(SUBPROTOCOL),
            "sec-websocket-extensions: permessage-deflate\r\n",
            "it turned on a WebSocket extension that was not offered",
        ),
    ] {
        let refused = dial_at(URL, |mut far| async move {
            let head = read_head(&mut far).await;
            far.write_all(switching(&head, subprotocol, more).as_bytes()).await.unwrap();
        })
        .await;
        assert_eq!(refused, Err(not_porten(why)));
    }
}

#[tokio::test]
async fn a_peer_that_speaks_no_http_is_not_a_hub() {
    for garbage in ["SSH-2.0-OpenSSH_9.9\r\n\r\n", "\0\u{1}\u{2}\r\n\r\n", "HTTP/1.1 1000 Odd\r\n\r\n"] {
        assert_eq!(answered(garbage).await, not_porten("its answer is no WebSocket upgrade"), "{garbage:?}");
    }
    let wrong_proof = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                       sec-websocket-accept: bm90IHRoZSBhbnN3ZXI=\r\nsec-websocket-protocol: porten.v1\r\n\r\n";
    assert_eq!(answered(wrong_proof).await, not_porten("its answer is no WebSocket upgrade"));
}

#[tokio::test]
async fn an_endless_head_is_not_read_to_its_end() {
    let refused = dial_at(URL, |mut far| async move {
        read_head(&mut far).await;
        far.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        let line = format!("x-filler: {}\r\n", "x".repeat(1000));
        while far.write_all(line.as_bytes()).await.is_ok() {}
    })
    .await;
    assert_eq!(refused, Err(not_porten("its answer is no WebSocket upgrade")));
}

#[tokio::test]
async fn a_connection_that_closes_instead_of_answering_is_worth_another_try() {
    assert_eq!(dial_at(URL, |far| async move { drop(far) }).await, Err(Failure::Lost(Lost::Cut)));
    assert_eq!(answered("HTTP/1.1 101 Swi").await, Failure::Lost(Lost::Cut));
    // Over TCP, with the request unread: a reset.
    let (near, far) = tcp().await;
    let hub = async {
        far.readable().await.unwrap();
        drop(far);
    };
    let (answer, ()) = soon(async { tokio::join!(dial::dial(request(URL, ready_made(near))), hub) }).await;
    assert_eq!(answer.map(drop), Err(Failure::Lost(Lost::Cut)));
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_told_in_plain_words() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refused = soon(dial::dial(request(&format!("ws://{gone}/"), dial::tcp()))).await.map(drop);
    assert_eq!(refused, Err(Failure::Lost(Lost::Unreachable("nothing is listening there".into()))));
    for (kind, words) in [
        (ErrorKind::TimedOut, "no answer"),
        (ErrorKind::HostUnreachable, "no route to it"),
        (ErrorKind::NetworkUnreachable, "no route to it"),
    ] {
        let connect: Connect = Arc::new(move |_, _| Box::pin(async move { Err::<Transport, _>(kind.into()) }));
        let lost = soon(dial::dial(request(URL, connect))).await.map(drop);
        assert_eq!(lost, Err(Failure::Lost(Lost::Unreachable(words.into()))));
    }
}

/// Fault F12: a name that is announced in both families is reached where only one of them listens.
#[tokio::test]
#[expect(clippy::print_stderr, reason = "a family that this machine does not have is said to be left out")]
async fn a_hub_in_one_family_alone_is_reached_by_its_name() {
    for loopback in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(loopback).await else {
            eprintln!("not tried: this machine has no {loopback}");
            continue;
        };
        let url = format!("ws://localhost:{}/v1/node/tunnel", listener.local_addr().unwrap().port());
        let hub = tokio::spawn(async move { crate::support::upgrade(&mut listener.accept().await.unwrap().0).await });
        soon(dial::dial(request(&url, dial::tcp()))).await.unwrap();
        soon(hub).await.unwrap();
    }
}

#[tokio::test]
async fn the_hosts_brackets_and_the_default_port_do_not_reach_the_socket() {
    for (url, host, port) in [
        ("ws://[::1]:8080/", "::1", 8080),
        ("ws://localhost/", "localhost", 80),
        ("wss://hub.example/", "hub.example", 443),
    ] {
        let connect: Connect = Arc::new(move |got_host, got_port| {
            assert_eq!((got_host.as_str(), got_port), (host, port));
            Box::pin(async { Err::<Transport, _>(ErrorKind::TimedOut.into()) })
        });
        soon(dial::dial(request(url, connect))).await.map(drop).unwrap_err();
    }
}

#[tokio::test]
async fn what_follows_the_upgrade_at_once_is_not_lost() {
    let (near, mut far) = duplex(64 * 1024);
    let dialling = tokio::spawn(dial::dial(request(URL, ready_made(near))));
    let head = read_head(&mut far).await;
    let mut answer = switching(&head, Some(SUBPROTOCOL), "").into_bytes();
    answer.extend_from_slice(&crate::support::frame(0x81, false, b"early"));
    far.write_all(&answer).await.unwrap();
    let mut opened = soon(dialling).await.unwrap().unwrap();
    assert_eq!(soon(opened.receive()).await.unwrap(), "early");
}

/// Fault E13: a dial's token is in nobody's debug text.
#[tokio::test]
async fn the_token_and_what_was_said_are_in_nobodys_debug_text() {
    let (near, far) = duplex(64 * 1024);
    let asked = request(URL, ready_made(duplex(1).0));
    assert!(format!("{asked:?}").contains(TUNNEL_PATH));
    let (opened, mut far) = dialled(near, far).await;
    far.write_all(&crate::support::frame(0x82, false, b"a secret prompt")).await.unwrap();
    let mut texts = vec![format!("{asked:?}"), format!("{asked:#?}"), format!("{opened:?}")];
    let (mut bytes, control) = opened.into_link(porten_link::Beat::default());
    soon(bytes.read_u8()).await.unwrap();
    texts.extend([format!("{bytes:?}"), format!("{bytes:#?}"), format!("{control:?}")]);
    for text in texts {
        for hidden in ["swordfish", "prompt", "112, 114, 111, 109, 112, 116"] {
            assert!(!text.contains(hidden), "{hidden} in {text}");
        }
    }
}
