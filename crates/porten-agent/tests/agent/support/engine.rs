//! An engine that does what its script says: one request a connection, seen and answered byte for byte.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use porten_core::config::EngineUrl;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Seen, answer, read_request, write};

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

pub(crate) struct Engine {
    pub(crate) url: EngineUrl,
    seen: Arc<Mutex<Vec<Seen>>>,
    closed: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Engine {
    /// `script` gets the connection's number from 1, its request, and the socket.
    pub(crate) async fn start<F>(script: impl Fn(usize, Seen, TcpStream) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = EngineUrl::read(&format!("http://{}", listener.local_addr().unwrap()), false).unwrap();
        let (seen, closed) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let script = Arc::new(move |number, seen, socket| -> Running { Box::pin(script(number, seen, socket)) });
        let mut serving = JoinSet::new();
        let (seen_by, closed_by) = (Arc::clone(&seen), Arc::clone(&closed));
        serving.spawn(async move {
            let mut running = JoinSet::new();
            loop {
                let Ok((mut socket, _)) = listener.accept().await else { return };
                let (seen, closed, script) = (Arc::clone(&seen_by), Arc::clone(&closed_by), Arc::clone(&script));
                running.spawn(async move {
                    let Some(request) = read_request(&mut socket).await else { return };
                    let number = {
                        let mut seen = seen.lock().unwrap();
                        seen.push(request.clone());
                        seen.len()
                    };
                    script(number, request, socket).await;
                    closed.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        Self { url, seen, closed, _serving: serving }
    }

    /// One that answers every request alike and closes.
    pub(crate) async fn saying(text: impl Into<String>) -> Self {
        let text: Arc<str> = Arc::from(text.into());
        Self::start(move |_, _, mut socket| {
            let text = Arc::clone(&text);
            async move { write(&mut socket, &text).await }
        })
        .await
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Scripts that came to their end.
    pub(crate) fn closed(&self) -> usize {
        self.closed.load(Ordering::SeqCst)
    }
}

/// Rests until the other side closes the connection.
pub(crate) async fn until_closed(socket: &mut TcpStream) {
    let mut rest = [0; 1024];
    while socket.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}

pub(crate) const EVENTS: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/event-stream\r\n\r\n";

/// One event of a chat, or its last with a reason to finish.
pub(crate) fn event(text: &str, finish: Option<&str>) -> String {
    let chunk = serde_json::json!({ "id": "chatcmpl-7", "created": 7, "model": super::ENGINE_ID,
        "choices": [{ "index": 0, "delta": { "content": text }, "finish_reason": finish }] });
    format!("data: {chunk}\n\n")
}

/// A whole streamed answer.
pub(crate) fn stream(texts: &[&str]) -> String {
    let events: String = texts.iter().map(|text| event(text, None)).collect();
    format!("{EVENTS}{events}{}data: [DONE]\n\n", event("", Some("stop")))
}

/// An engine as the loop needs it: lists this one model, proves and answers chats with `texts`.
pub(crate) fn healthy(request: &Seen, texts: &[&str]) -> String {
    if request.is("GET /v1/models") {
        let list = serde_json::json!({ "object": "list", "data": [{ "id": super::ENGINE_ID }] }).to_string();
        answer(200, "content-type: application/json\r\n", &list)
    } else if request.is("POST /v1/chat/completions") {
        stream(texts)
    } else {
        answer(404, "content-type: text/plain\r\n", "Not Found")
    }
}
