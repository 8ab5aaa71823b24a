//! Connections that show no key: they have little room and little time, and nobody who shows one notices them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what tests share fails like a test")]

mod common;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use common::{hub, hub_with, open, send};
use http_body_util::BodyExt as _;
use porten_hub::{Store, Timing};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A Hub whose process may have so few files open.
struct Small {
    child: Child,
    address: SocketAddr,
    key: String,
}

impl Small {
    fn start(files: u32) -> Self {
        let limited = format!("ulimit -n {files} && exec \"$0\" serve --dev --json --listen 127.0.0.1:0");
        let mut child = Command::new("sh")
            .args(["-c", &limited, env!("CARGO_BIN_EXE_porten-hub")])
            .env("PORTEN_LOG", "off")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| line[name].as_str().unwrap().to_owned();
        let address = text("url").strip_prefix("http://").unwrap().parse().unwrap();
        Self { child, address, key: text("api_key") }
    }

    /// How long a client with a key waits for the list of models.
    async fn answers_in(&self) -> Duration {
        let begun = Instant::now();
        let request = Request::get("/v1/models").header("authorization", format!("Bearer {}", self.key));
        let answer =
            tokio::time::timeout(Duration::from_secs(5), send(self.address, request.body(Body::empty()).unwrap()));
        assert_eq!(answer.await.expect("it does not answer").status, 200);
        begun.elapsed()
    }

    /// So many connections that say only this.
    async fn crowd(&self, size: usize, say: &[u8]) -> Vec<TcpStream> {
        let mut crowd = Vec::with_capacity(size);
        for _ in 0..size {
            let mut socket = TcpStream::connect(self.address).await.unwrap();
            // Those before it may have been sent away by now.
            let _ = socket.write_all(say).await;
            crowd.push(socket);
        }
        crowd
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn silent_connections_do_not_keep_the_hub_from_answering() {
    let hub = Small::start(256);
    let _crowd = hub.crowd(400, b"").await;
    for _ in 0..5 {
        assert!(hub.answers_in().await < Duration::from_secs(2));
    }
}

#[tokio::test]
async fn half_heads_do_not_keep_the_hub_from_answering() {
    let hub = Small::start(256);
    let half = [b"GET / HTTP/1.1\r\nx: ", &[b'y'; 8 * 1024][..]].concat();
    let _crowd = hub.crowd(400, &half).await;
    assert!(hub.answers_in().await < Duration::from_secs(2));
}

#[tokio::test]
async fn who_says_nothing_in_time_is_let_go() {
    let timing = Timing { first_head: Duration::from_millis(300), ..Timing::dev() };
    let hub = hub_with(timing, Store::in_memory().unwrap()).await;
    for said in [&b""[..], b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\n"] {
        let mut socket = TcpStream::connect(hub.address).await.unwrap();
        socket.write_all(said).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(5), socket.read(&mut [0; 64])).await;
        assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
    }
    // Who has asked may wait before it asks again.
    let mut socket = TcpStream::connect(hub.address).await.unwrap();
    for _ in 0..2 {
        socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert!(socket.read(&mut [0; 4096]).await.unwrap() > 0);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test]
async fn a_crowd_with_keys_is_let_in_at_once() {
    let hub = hub().await;
    let asks = (0..200).map(|_| async {
        let request = hub.ask("/v1/chat/completions", r#"{"model":"tiny"}"#);
        open(hub.address, request).await.into_body().collect().await.unwrap()
    });
    let begun = Instant::now();
    futures_util::future::join_all(asks).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
