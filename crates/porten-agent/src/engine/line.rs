//! Connections to the engine, each driven by the task that uses it: an answer's bytes wake one task, not two, and a
//! connection that is dropped is closed at once.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use porten_core::config::EngineUrl;
use porten_core::route::Route;
use porten_core::tunnel::{Failure, Lost};
use porten_link::dial::{Connect, Transport, reach};
use tokio::time::Instant;

/// A local engine that takes longer to accept a connection is as good as down.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// llama.cpp closes idle connections after 5 s; one that was used a moment ago is still there.
pub(super) const IDLE: Duration = Duration::from_secs(3);
/// What is read from a socket at once, and the longest head of an answer (bytes). 520 answers that flood hold 4 MiB.
const READ: usize = 8 * 1024;

/// Why there is no head of an answer.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Nothing listens there, or not in time.
    #[error("no connection")]
    Connect(Failure),
    /// The connection ended, or what came is no HTTP.
    #[error("the connection broke")]
    Http(#[from] hyper::Error),
}

impl LineError {
    /// Whether something came that is no HTTP; else nothing came at all.
    pub(super) fn is_garbage(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_parse())
    }
}

/// The engine's connections; clones share them.
#[derive(Clone)]
pub(super) struct Lines {
    tls: Arc<rustls::ClientConfig>,
    connect: Connect,
    idle: Arc<Mutex<Idle>>,
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

/// Connections that wait for a request, the last used at the end.
#[derive(Default)]
struct Idle {
    /// Whose they are.
    engine: Option<EngineUrl>,
    lines: Vec<(Line, Instant)>,
    /// A task closes those that wait too long.
    is_watched: bool,
}

/// One connection.
struct Line {
    sender: SendRequest<Full<Bytes>>,
    connection: Pin<Box<Connection<TokioIo<Transport>, Full<Bytes>>>>,
    /// The connection has ended and may not be polled again.
    is_over: bool,
}

/// The engine's answer, on its way. Dropping it closes the connection, unless all of the answer has come by then.
pub struct EngineAnswer {
    head: Parts,
    body: Option<Incoming>,
    line: Option<Line>,
    engine: EngineUrl,
    lines: Lines,
}

impl std::fmt::Debug for EngineAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineAnswer").field("status", &self.head.status).finish_non_exhaustive()
    }
}

impl Lines {
    pub(super) fn new(tls: rustls::ClientConfig, connect: Connect) -> Self {
        Self { tls: Arc::new(tls), connect, idle: Arc::default() }
    }

    /// Posts one request and answers with the head of the engine's answer.
    pub(super) async fn post(
        &self,
        engine: &EngineUrl,
        route: Route,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<EngineAnswer, LineError> {
        let mut line = match self.take(engine) {
            Some(line) => line,
            // Rare, and large: on the heap it is no part of every request's task.
            None => Box::pin(self.open(engine)).await?,
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = route.method();
        *request.uri_mut() = http::Uri::from_static(route.path());
        *request.headers_mut() = headers;
        // The authority of a URL is always a header value; without one the engine refuses the request.
        request.headers_mut().extend(HeaderValue::try_from(engine.authority()).map(|host| (header::HOST, host)));
        let (head, body) = line.send(request).await?.into_parts();
        Ok(EngineAnswer { head, body: Some(body), line: Some(line), engine: engine.clone(), lines: self.clone() })
    }

    /// A connection that was used a moment ago and is still open.
    fn take(&self, engine: &EngineUrl) -> Option<Line> {
        let mut idle = self.idle();
        if idle.engine.as_ref() != Some(engine) {
            idle.lines.clear();
            return None;
        }
        loop {
            let (mut line, since) = idle.lines.pop()?;
            if since.elapsed() < IDLE && line.is_free() {
                return Some(line);
            }
        }
    }

    fn give_back(&self, engine: &EngineUrl, mut line: Line) {
        if !line.is_free() {
            return;
        }
        let mut idle = self.idle();
        if idle.engine.as_ref() != Some(engine) {
            idle.lines.clear();
            idle.engine = Some(engine.clone());
        }
        idle.lines.push((line, Instant::now()));
        if !std::mem::replace(&mut idle.is_watched, true) {
            drop(idle);
            self.watch();
        }
    }

    /// Closes connections that have waited too long, for as long as there are any: an engine may keep a thread for each.
    fn watch(&self) {
        let lines = Arc::downgrade(&self.idle);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(IDLE).await;
                let Some(idle) = lines.upgrade() else { return };
                let mut idle = idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.lines.retain(|(_, since)| since.elapsed() < IDLE);
                if idle.lines.is_empty() {
                    // Also what the vector holds goes back.
                    *idle = Idle { engine: idle.engine.take(), ..Idle::default() };
                    return;
                }
            }
        });
    }

    async fn open(&self, engine: &EngineUrl) -> Result<Line, LineError> {
        let url = engine.at("/");
        let reached = tokio::time::timeout(CONNECT_DEADLINE, reach(&url, &self.tls, &self.connect)).await;
        let socket = reached.unwrap_or(Err(Failure::Lost(Lost::TimedOut))).map_err(LineError::Connect)?;
        let (sender, connection) = http1::Builder::new().max_buf_size(READ).handshake(TokioIo::new(socket)).await?;
        Ok(Line { sender, connection: Box::pin(connection), is_over: false })
    }

    /// Each change is one push, pop or assignment: a panic elsewhere leaves nothing half done.
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Lets the connection do what it can now.
    fn drive(&mut self, cx: &mut Context<'_>) {
        // How it ended, the request or the answer on it says.
        self.is_over = self.is_over || self.connection.as_mut().poll(cx).is_ready();
    }

    /// Whether another request can be sent on it: it is open, and the last answer was read to its end.
    fn is_free(&mut self) -> bool {
        self.drive(&mut Context::from_waker(std::task::Waker::noop()));
        !self.is_over && self.sender.is_ready()
    }

    async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, hyper::Error> {
        let Self { sender, connection, is_over } = self;
        let mut answer = std::pin::pin!(sender.send_request(request));
        poll_fn(|cx| {
            *is_over = *is_over || connection.as_mut().poll(cx).is_ready();
            answer.as_mut().poll(cx)
        })
        .await
    }
}

impl EngineAnswer {
    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.head.status
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The next bytes of the body; none at its end.
    ///
    /// # Errors
    /// The connection broke, or the body is malformed.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        poll_fn(|cx| self.poll_chunk(cx)).await
    }

    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, hyper::Error>> {
        let (Some(body), Some(line)) = (&mut self.body, &mut self.line) else { return Poll::Ready(Ok(None)) };
        loop {
            // First what the connection has read already; then it may read on.
            let mut frame = Pin::new(&mut *body).poll_frame(cx);
            if frame.is_pending() {
                line.drive(cx);
                frame = Pin::new(&mut *body).poll_frame(cx);
            }
            return match ready!(frame) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => Poll::Ready(Ok(Some(data))),
                    // Trailers of the engine mean nothing here.
                    Ok(_) | Err(_) => continue,
                },
                Some(Err(error)) => Poll::Ready(Err(error)),
                None => Poll::Ready(Ok(None)),
            };
        }
    }
}

impl Drop for EngineAnswer {
    fn drop(&mut self) {
        // Without its body the connection reads what is there already, and is free if that was the end: most often an
        // answer is over for us with its last event, and the engine's own end stands right behind it.
        self.body = None;
        if let Some(line) = self.line.take() {
            self.lines.give_back(&self.engine, line);
        }
    }
}
