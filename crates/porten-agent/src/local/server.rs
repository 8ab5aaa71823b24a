//! Serves the local socket to this account's own processes.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use porten_core::command::{Command, Declined, DeclinedCode};
use serde::Serialize;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{COMMAND, LOOK, MAX_COMMAND, PROTOCOL, PROTOCOL_HEADER, SNAPSHOT, VERSION_HEADER, WATCH};
use crate::client::{Client, Look};

/// Front ends at a time; a handful is normal.
const MAX_CONNECTIONS: usize = 64;
/// For the head of a request, and again for its body.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// For the last answers when the agent stops.
const LAST_WORDS: Duration = Duration::from_millis(500);

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// The socket cannot be served.
#[derive(Debug, thiserror::Error)]
#[error("{path} cannot be listened on: {source}")]
pub struct ServeError {
    path: String,
    #[source]
    source: io::Error,
}

/// Listens at `path` and serves until cancelled; the caller holds the seat, so a socket that lies there is dead.
///
/// # Errors
/// The socket cannot be bound.
pub fn serve(
    path: &Path,
    client: Client,
    stop: CancellationToken,
) -> Result<impl Future<Output = ()> + use<>, ServeError> {
    let fail = |source| ServeError { path: path.display().to_string(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(fail(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(fail)?;
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(fail)?;
    let path = path.to_owned();
    Ok(async move {
        accept(&listener, client, &stop).await;
        // Nobody may be served by a socket whose seat is free.
        let _ = std::fs::remove_file(path);
    })
}

async fn accept(listener: &UnixListener, client: Client, stop: &CancellationToken) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let socket = tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => match accepted {
                Ok((socket, _)) => socket,
                Err(error) => {
                    tracing::warn!(%error, "local socket");
                    // Out of descriptors, most likely: others must end first.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        if !is_ours(&socket) {
            tracing::warn!("another account tried the local socket");
            continue;
        }
        let (client, stop) = (client.clone(), stop.clone());
        connections.spawn(async move {
            hold(socket, client, &stop).await;
            drop(place);
        });
    }
    while connections.join_next().await.is_some() {}
}

/// One front end, until it leaves or the agent stops; then it hears the answer to what it asked last.
async fn hold(socket: UnixStream, client: Client, stop: &CancellationToken) {
    let service = service_fn(move |request| answer(client.clone(), request));
    let mut http = pin!(
        hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(REQUEST_DEADLINE)
            .serve_connection(TokioIo::new(socket), service)
    );
    tokio::select! {
        // A front end that goes away is nobody's error.
        _ = &mut http => return,
        () = stop.cancelled() => {}
    }
    http.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(LAST_WORDS, http).await;
}

/// The folder and the socket are closed to others already; this is the second lock.
fn is_ours(socket: &UnixStream) -> bool {
    socket.peer_cred().is_ok_and(|peer| peer.uid() == rustix::process::geteuid().as_raw())
}

async fn answer(client: Client, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    Ok(match (request.method(), request.uri().path()) {
        (&Method::GET, SNAPSHOT) => json(StatusCode::OK, &*client.snapshot()),
        (&Method::GET, WATCH) => watch(&client, None),
        (&Method::GET, LOOK) => watch(&client, Some(client.look())),
        (&Method::POST, COMMAND) => command(&client, request.into_body()).await,
        (_, SNAPSHOT | WATCH | LOOK | COMMAND) => text(StatusCode::METHOD_NOT_ALLOWED),
        _ => text(StatusCode::NOT_FOUND),
    })
}

/// One picture a line, the first at once, the others when they change; `look` lasts as long as the front end reads.
fn watch(client: &Client, look: Option<Look>) -> Response<Body> {
    let lines = client.watch().map(move |snapshot| {
        let _look = &look;
        let mut line = serde_json::to_vec(&*snapshot).unwrap_or_default();
        line.push(b'\n');
        Ok(Frame::data(Bytes::from(line)))
    });
    respond(StatusCode::OK, "application/x-ndjson", BodyExt::boxed_unsync(StreamBody::new(lines)))
}

async fn command(client: &Client, body: Incoming) -> Response<Body> {
    let declined = |text: &str| Declined { code: DeclinedCode::NotACommand, text: text.into() };
    let whole = tokio::time::timeout(REQUEST_DEADLINE, Limited::new(body, MAX_COMMAND).collect()).await;
    let Ok(Ok(body)) = whole else {
        return json(StatusCode::BAD_REQUEST, &declined("The command is too long or was cut."));
    };
    let Ok(command) = serde_json::from_slice::<Command>(&body.to_bytes()) else {
        return json(StatusCode::BAD_REQUEST, &declined("This agent does not know that command."));
    };
    match client.ask(command).await {
        Ok(answered) => json(StatusCode::OK, &answered),
        Err(declined) => json(StatusCode::CONFLICT, &declined),
    }
}

fn json(status: StatusCode, body: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(body).unwrap_or_default();
    respond(status, "application/json", Full::from(body).boxed_unsync())
}

fn text(status: StatusCode) -> Response<Body> {
    respond(status, "text/plain", Full::from(status.canonical_reason().unwrap_or_default()).boxed_unsync())
}

fn respond(status: StatusCode, kind: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    headers.insert(PROTOCOL_HEADER, http::HeaderValue::from_static(PROTOCOL));
    headers.insert(VERSION_HEADER, http::HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    response
}
