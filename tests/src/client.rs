//! An OpenAI client of the plainest kind, for a Hub or for an engine directly.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::{Response, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::transcript::{End, Transcript};

/// Nothing in a test takes longer than this.
const LIMIT: Duration = Duration::from_secs(120);
/// Somebody on this machine who is there answers in this time.
const A_MOMENT: Duration = Duration::from_secs(2);
/// The receive buffer of a reader that stalls: small, so that the sender feels it soon (bytes).
const STALLED_BUFFER: u32 = 4096;

/// A client with one key.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

/// An answer in one piece.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: http::HeaderMap,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; `null` if it is none.
    pub json: Value,
}

impl Client {
    /// A client of the server at `base` (`http://127.0.0.1:PORT`). Without a key none is sent.
    ///
    /// # Panics
    /// An HTTP client cannot be made.
    #[must_use]
    pub fn new(base: &str, key: &str) -> Self {
        Self { http: http(), base: base.trim_end_matches('/').to_owned(), key: key.to_owned() }
    }

    /// Asks for something.
    ///
    /// # Panics
    /// No answer came.
    pub async fn get(&self, path: &str) -> Answer {
        let request = self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.key);
        Answer::read(request.send().await.expect("an answer")).await
    }

    /// Whether anybody answers this with a 200, within a moment.
    pub async fn try_get(&self, path: &str) -> bool {
        let request = self.http.get(format!("{}{path}", self.base)).timeout(A_MOMENT);
        request.send().await.is_ok_and(|answer| answer.status() == 200)
    }

    /// Posts JSON, and waits for the whole answer.
    ///
    /// # Panics
    /// No whole answer came.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::read(self.send(path, body).await.expect("an answer")).await
    }

    /// A chat of one message, not streamed.
    ///
    /// # Panics
    /// No whole answer came.
    pub async fn chat(&self, model: &str, prompt: &str) -> Answer {
        self.post("/v1/chat/completions", &chat(model, prompt)).await
    }

    /// A chat of one message, streamed, from its beginning to its end, whatever that is.
    ///
    /// # Panics
    /// Not even a head came.
    pub async fn stream_chat(&self, model: &str, prompt: &str) -> Transcript {
        self.stream("/v1/chat/completions", &streamed_chat(model, prompt)).await.finish().await
    }

    /// Posts JSON, and returns when the head of the answer is there.
    ///
    /// # Panics
    /// No head came.
    pub async fn stream(&self, path: &str, body: &Value) -> Streaming {
        let response = self.send(path, body).await.expect("the head of an answer");
        let request_id = response.headers().get("x-request-id").and_then(|id| id.to_str().ok()).map(str::to_owned);
        Streaming { transcript: Transcript::new(response.status().as_u16(), request_id), response, unread: Vec::new() }
    }

    /// Posts JSON and says how that went, for tests in which nobody may be there.
    ///
    /// # Errors
    /// No head of an answer came.
    pub async fn send(&self, path: &str, body: &Value) -> Result<Response, reqwest::Error> {
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.key);
        request.header("content-type", "application/json").body(body.to_string()).send().await
    }

    /// Asks for a stream over a connection of its own, reads its head, and then not one byte more.
    ///
    /// # Panics
    /// The server is not there, or sends no head.
    pub async fn stall(&self, path: &str, body: &Value) -> Stalled {
        let address: SocketAddr = self.base.trim_start_matches("http://").parse().expect("a base of IP and port");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(STALLED_BUFFER).expect("a small buffer");
        let mut stream = socket.connect(address).await.expect("the server listens");
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.key,
            body.len()
        );
        stream.write_all((head + &body).as_bytes()).await.expect("the server takes a request");
        let mut last = VecDeque::new();
        let mut head = Vec::new();
        while last != *b"\r\n\r\n" {
            let byte = tokio::time::timeout(LIMIT, stream.read_u8()).await.expect("a head in time").expect("a head");
            head.push(byte);
            last.push_back(byte);
            if last.len() > 4 {
                last.pop_front();
            }
        }
        Stalled { head: String::from_utf8_lossy(&head).into_owned(), stream }
    }
}

/// A stream that nobody reads; the connection ends when dropped.
#[derive(Debug)]
pub struct Stalled {
    /// The head of the answer.
    pub head: String,
    stream: TcpStream,
}

impl Stalled {
    /// Reads after all, to the end: how many bytes of the body came, and how it ended.
    pub async fn drain(mut self) -> (usize, End) {
        let mut body = Vec::new();
        let read = tokio::time::timeout(LIMIT, self.stream.read_to_end(&mut body)).await;
        let is_whole = body.ends_with(b"0\r\n\r\n") && matches!(read, Ok(Ok(_)));
        (body.len(), if is_whole { End::Clean } else { End::Cut })
    }
}

/// A stream that is being read; the connection ends when dropped.
#[derive(Debug)]
pub struct Streaming {
    /// What came until now.
    pub transcript: Transcript,
    response: Response,
    unread: Vec<u8>,
}

impl Streaming {
    /// Reads until `count` events have come (or all). Returns whether there may be more.
    pub async fn read(&mut self, count: usize) -> bool {
        while self.transcript.events.len() < count {
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.transcript.take(&bytes, &mut self.unread),
                Ok(None) => {
                    self.transcript.end = End::Clean;
                    return false;
                }
                Err(_) => return false,
            }
        }
        true
    }

    /// Reads to the end.
    pub async fn finish(mut self) -> Transcript {
        self.read(usize::MAX).await;
        self.transcript
    }
}

impl Answer {
    async fn read(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a whole body");
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, json }
    }

    /// The `code` of an OpenAI error.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.json["error"]["code"].as_str()
    }

    /// The content of a chat's answer, or of a text completion's.
    #[must_use]
    pub fn content(&self) -> Option<&str> {
        let choice = &self.json["choices"][0];
        choice["message"]["content"].as_str().or_else(|| choice["text"].as_str())
    }
}

/// The body of a chat with one message.
#[must_use]
pub fn chat(model: &str, prompt: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": prompt}]})
}

/// The same, for an answer that is streamed.
#[must_use]
pub fn streamed_chat(model: &str, prompt: &str) -> Value {
    let mut body = chat(model, prompt);
    body["stream"] = true.into();
    body
}

/// A client for loopback: follows nothing, asks no proxy, and trusts nobody (there is no TLS in these tests).
pub(crate) fn http() -> reqwest::Client {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring knows the protocol's versions")
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let client = reqwest::Client::builder().tls_backend_preconfigured(tls);
    client.no_proxy().redirect(redirect::Policy::none()).timeout(LIMIT).build().expect("an HTTP client")
}
