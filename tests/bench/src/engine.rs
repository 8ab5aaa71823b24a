//! The engine of a run: speaks OpenAI's words, computes nothing, and writes the time into every token.
//!
//! It is a process of its own. What it is asked for decides what it says: `max_tokens` tokens, `seed` microseconds
//! apart (0: as fast as they go). Both are fields that a Hub and an agent leave as they are.

use std::convert::Infallible;
use std::io::{self, Write as _};
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::tokens::Tokens;

/// The one model.
pub(crate) const MODEL: &str = "tiny";
/// Connections that wait to be accepted: 512 that open at once must not be told to try again in a second.
const BACKLOG: u32 = 2048;
/// The largest request (bytes): the prompt of `prompt5mb`, and its JSON.
const MAX_REQUEST: usize = 8 * 1024 * 1024;
/// Tokens of an answer whose request names no number.
const TOKENS: u32 = 16;

/// As much of a request as decides the answer.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Ask {
    pub(crate) max_tokens: Option<u32>,
    #[serde(default)]
    pub(crate) stream: bool,
    /// Microseconds between two tokens.
    #[serde(default)]
    pub(crate) seed: u32,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

impl Ask {
    /// Tokens of the answer.
    pub(crate) fn tokens(&self) -> u32 {
        self.max_tokens.unwrap_or(TOKENS)
    }

    /// Whether the stream ends with what was counted.
    pub(crate) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }
}

type Body = Either<Full<Bytes>, Tokens>;

/// A listener on a free port of 127.0.0.1.
pub(crate) fn bind() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    socket.listen(BACKLOG)
}

/// The role: prints its address and serves until its standard input ends, as it does when the runner is gone.
pub(crate) async fn run() -> io::Result<()> {
    let listener = bind()?;
    let mut out = io::stdout();
    writeln!(out, "http://{}", listener.local_addr()?)?;
    out.flush()?;
    let mut nothing = [0];
    tokio::select! {
        () = serve(listener) => Ok(()),
        ended = async { tokio::io::stdin().read(&mut nothing).await } => ended.map(|_| ()),
    }
}

/// Serves all that connect; dropping this ends their connections.
pub(crate) async fn serve(listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // Out of descriptors: a request fails, and is counted on the load side.
                let Ok((socket, _)) = accepted else { continue };
                connections.spawn(connection(socket));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(socket: TcpStream) {
    if socket.set_nodelay(true).is_ok() {
        // An error says that the other side left.
        let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(answer)).await;
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let response = match (&head.method, head.uri.path()) {
        (&Method::GET, "/v1/models") => {
            let model = json!({"id": MODEL, "object": "model", "created": 0, "owned_by": "porten-bench"});
            document(StatusCode::OK, &json!({"object": "list", "data": [model]}))
        }
        (&Method::POST, "/v1/chat/completions") => match Limited::new(body, MAX_REQUEST).collect().await {
            Ok(body) => complete(&body.to_bytes()),
            Err(_) => error(StatusCode::PAYLOAD_TOO_LARGE, "The request is too large."),
        },
        _ => error(StatusCode::NOT_FOUND, "There is nothing here."),
    };
    Ok(response)
}

fn complete(body: &[u8]) -> Response<Body> {
    let Ok(ask) = serde_json::from_slice::<Ask>(body) else {
        return error(StatusCode::BAD_REQUEST, "The request is no JSON object of OpenAI's.");
    };
    if !ask.stream {
        return document(StatusCode::OK, &crate::tokens::document(ask.tokens()));
    }
    let mut response = Response::new(Either::Right(Tokens::new(&ask)));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}

fn error(status: StatusCode, message: &str) -> Response<Body> {
    document(status, &json!({"error": {"message": message, "type": "invalid_request_error"}}))
}

fn document(status: StatusCode, document: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::from(document.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn text(response: Response<Body>) -> String {
        String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_proof_of_one_token_is_answered_in_either_form() {
        let proof = br#"{"model":"tiny","max_tokens":1,"temperature":0,"messages":[{"role":"user","content":"Hi"}]}"#;
        let whole: serde_json::Value = serde_json::from_str(&text(complete(proof)).await).unwrap();
        assert_eq!(whole["choices"][0]["finish_reason"], "length");
        assert_eq!(whole["usage"]["completion_tokens"], 1);
        let streamed = [br#"{"stream":true,"stream_options":{"include_usage":true},"#, &proof[1..]].concat();
        let streamed = text(complete(&streamed)).await;
        assert_eq!(streamed.matches("\"content\":\"@").count(), 1, "{streamed}");
        assert!(streamed.contains("\"completion_tokens\":1") && streamed.ends_with("data: [DONE]\n\n"), "{streamed}");
    }

    #[tokio::test]
    async fn what_is_no_request_is_refused() {
        assert_eq!(complete(b"[").status(), StatusCode::BAD_REQUEST);
        assert_eq!(complete(br#"{"max_tokens":-1}"#).status(), StatusCode::BAD_REQUEST);
    }
}
