//! Connections to the engine, each driven by the task that uses it: an answer's bytes wake one task, not two, and a
//! connection that is dropped is closed at once.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use porten_core::config::EngineUrl;
use porten_core::http1;
use porten_core::route::Route;
use porten_core::tunnel::{Failure, Lost};
use porten_link::dial::{Connect, reach};
use tokio::time::Instant;

use super::connection::{Broken, Connection};

/// A local engine that takes longer to accept a connection is as good as down.
pub(super) const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// llama.cpp closes idle connections after 5 s; one that was used a moment ago is still there.
pub(super) const IDLE: Duration = Duration::from_secs(3);

/// Why there is no head of an answer.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Nothing listens there, or not in time.
    #[error("no connection")]
    Connect(Failure),
    /// The connection ended, or what came is no HTTP.
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl LineError {
    /// Whether something came that is no HTTP; else nothing came at all.
    pub(super) fn is_garbage(&self) -> bool {
        matches!(self, Self::Broken(Broken::Unreadable(_)))
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
    lines: Vec<(Connection, Instant)>,
    /// A task closes those that wait too long.
    is_watched: bool,
}

/// The engine's answer, on its way. Dropping it closes the connection, unless all of the answer has come by then.
pub struct EngineAnswer {
    status: StatusCode,
    headers: HeaderMap,
    line: Option<Connection>,
    engine: EngineUrl,
    lines: Lines,
}

impl std::fmt::Debug for EngineAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineAnswer").field("status", &self.status).finish_non_exhaustive()
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
        // The authority of a URL is always a header value; without one the engine refuses the request.
        let mut headers = headers;
        headers.extend(HeaderValue::try_from(engine.authority()).map(|host| (header::HOST, host)));
        let head = http1::request(&route.method(), route.path(), &headers, body.len());
        let head = line.ask(head, body).await?;
        let (status, headers) = (head.status, head.headers);
        Ok(EngineAnswer { status, headers, line: Some(line), engine: engine.clone(), lines: self.clone() })
    }

    /// A connection that was used a moment ago and is still open.
    fn take(&self, engine: &EngineUrl) -> Option<Connection> {
        let mut idle = self.idle();
        if idle.engine.as_ref() != Some(engine) {
            idle.lines.clear();
            return None;
        }
        idle.take()
    }

    fn give_back(&self, engine: &EngineUrl, mut line: Connection) {
        if !line.lets_go() {
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

    async fn open(&self, engine: &EngineUrl) -> Result<Connection, LineError> {
        let url = engine.at("/");
        let reached = tokio::time::timeout(CONNECT_DEADLINE, reach(&url, &self.tls, &self.connect)).await;
        let socket = reached.unwrap_or(Err(Failure::Lost(Lost::TimedOut))).map_err(LineError::Connect)?;
        Ok(Connection::new(socket))
    }

    /// Each change is one push, pop or assignment: a panic elsewhere leaves nothing half done.
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Idle {
    /// One that was used a moment ago and is still open.
    fn take(&mut self) -> Option<Connection> {
        // The last is the youngest. What has waited too long the watch closes, not a request that comes after a rest: that
        // would wait for hundreds of closes.
        while let Some((mut line, _)) = self.lines.pop_if(|(_, since)| since.elapsed() < IDLE) {
            if line.is_quiet() {
                return Some(line);
            }
        }
        None
    }
}

impl EngineAnswer {
    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The next bytes of the body, as many as have come; none at its end.
    ///
    /// # Errors
    /// The connection broke, or the body is malformed.
    pub async fn chunk(&mut self) -> Result<Option<&[u8]>, Broken> {
        let Some(line) = &mut self.line else { return Ok(None) };
        let at = poll_fn(|cx| line.poll_content(cx)).await?;
        Ok(Some(line.content(at)).filter(|content| !content.is_empty()))
    }
}

impl Drop for EngineAnswer {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            self.lines.give_back(&self.engine, line);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_youngest_open_connection_is_taken_and_none_is_closed_by_one_who_comes_after_a_rest() {
        let mut idle = Idle::default();
        let mut engines = Vec::new();
        for _ in 0..4 {
            let (ours, theirs) = duplex(64);
            idle.lines.push((Connection::new(Box::new(ours)), Instant::now()));
            engines.push(theirs);
            tokio::time::advance(IDLE / 4).await;
        }
        // The engine has closed the youngest; the first has waited for as long as one may.
        drop(engines.pop());
        assert!(idle.take().is_some());
        assert_eq!(idle.lines.len(), 2, "one was closed, one is in use");
        tokio::time::advance(IDLE).await;
        assert!(idle.take().is_none());
        assert_eq!(idle.lines.len(), 2, "the watch closes them");
    }
}
