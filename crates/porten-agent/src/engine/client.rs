//! The HTTP client for the engine: exact routes of one base address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use http::{HeaderMap, Method};
use porten_core::config::EngineUrl;
use porten_core::reply::Reply;
use porten_core::route::Route;
use porten_link::dial::Connect;
use reqwest::{Client, RequestBuilder, redirect};
use url::Url;

use super::line::{CONNECT_DEADLINE, EngineAnswer, IDLE, LineError, Lines};

/// The engine's side of the relay.
#[derive(Debug, Clone)]
pub struct EngineClient {
    /// For requests that are relayed, and proofs.
    lines: Lines,
    /// For documents.
    client: Client,
}

/// The engine did not answer at all.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Nothing listens there, or the connection ended before the head of an answer.
    #[error("the engine cannot be reached")]
    Unreachable(#[source] LineError),
    /// What came back is no HTTP.
    #[error("the engine's answer cannot be read")]
    Unreadable(#[source] LineError),
    /// It took the connection, but sent no head of an answer in time.
    #[error("the engine did not begin to answer in {} s", .0.as_secs())]
    Late(Duration),
}

impl EngineClient {
    /// The client.
    ///
    /// # Errors
    /// The system's TLS store cannot be used (for an engine on `https`).
    pub fn new(tls: rustls::ClientConfig) -> Result<Self, reqwest::Error> {
        Self::over(tls, porten_link::dial::tcp())
    }

    /// The same, with this way to the engine for what is relayed. Injected, so that a test can stand in for the network.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn over(tls: rustls::ClientConfig, connect: Connect) -> Result<Self, reqwest::Error> {
        let lines = Lines::new(tls.clone(), connect);
        // `localhost` is both loopbacks, whatever the system's name look-up thinks of it.
        let loopbacks = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(redirect::Policy::none())
            .http1_only()
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_DEADLINE)
            .pool_idle_timeout(IDLE)
            .resolve_to_addrs("localhost", &loopbacks.map(|ip| SocketAddr::new(ip, 0)))
            .build()?;
        Ok(Self { lines, client })
    }

    /// Posts one request and answers with the head of the engine's answer.
    ///
    /// # Errors
    /// No head came.
    pub async fn post(
        &self,
        at: &EngineUrl,
        route: Route,
        headers: HeaderMap,
        body: bytes::Bytes,
        deadline: Duration,
    ) -> Result<EngineAnswer, EngineError> {
        // Pinned where it was made: it is large, and would be copied into the timeout.
        let answer = pin!(self.lines.post(at, route, headers, body));
        match tokio::time::timeout(deadline, answer).await {
            Ok(answer) => answer.map_err(|error| {
                if error.is_garbage() { EngineError::Unreadable(error) } else { EngineError::Unreachable(error) }
            }),
            Err(_) => Err(EngineError::Late(deadline)),
        }
    }

    /// Gets one of the engine's documents, bounded in time and size.
    pub async fn get(&self, at: &EngineUrl, path: &'static str, deadline: Duration, limit: usize) -> Reply {
        bounded(self.client.get(at.at(path)), deadline, limit).await
    }

    /// Any other question of this agent's own, bounded in time and size. What a Hub sends never comes here.
    pub(super) async fn ask(
        &self,
        method: Method,
        url: Url,
        body: Option<&serde_json::Value>,
        deadline: Duration,
        limit: usize,
    ) -> Reply {
        let request = self.client.request(method, url);
        let request = match body {
            Some(body) => request.json(body),
            None => request,
        };
        bounded(request, deadline, limit).await
    }
}

async fn bounded(request: RequestBuilder, deadline: Duration, limit: usize) -> Reply {
    let fetch = async {
        let mut response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.ok()? {
            if body.len() + chunk.len() > limit {
                return None;
            }
            body.extend_from_slice(&chunk);
        }
        Some(Reply::answer(status, body))
    };
    tokio::time::timeout(deadline, fetch).await.ok().flatten().unwrap_or(Reply::Lost)
}
