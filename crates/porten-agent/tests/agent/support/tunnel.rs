//! A relay at one end of a real tunnel, and what a Hub does at the other.

use std::sync::Arc;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{ResponseFuture, SendRequest};
use http::{HeaderMap, Method, Request};
use porten_agent::engine::EngineClient;
use porten_agent::ledger::Ledger;
use porten_agent::relay::{self, Limits, Relay, RelayFacts};
use porten_core::relay::{Served, Serving};
use porten_core::route::Route;
use porten_core::secret::Secret;
use porten_link::dial::{DialRequest, dial, tcp};
use porten_link::{Beat, Control, http2};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::engine::Engine;
use super::{ENGINE_ID, hub, read_request, soon};

pub(crate) const CHAT: &str = "/v1/chat/completions";

pub(crate) struct Tunnel {
    pub(crate) ledger: Ledger,
    pub(crate) facts: watch::Sender<Arc<RelayFacts>>,
    call: SendRequest<Bytes>,
    _running: JoinSet<()>,
    _controls: (Control, Control),
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Got {
    pub(crate) fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_str(&self.body).expect(&self.body);
        body["error"]["code"].as_str().expect(&self.body).to_owned()
    }

    pub(crate) fn refusal(&self) -> Option<&str> {
        self.headers.get("porten-refusal").map(|code| code.to_str().unwrap())
    }

    /// The trailer, without which an answer was cut.
    pub(crate) fn end(&self) -> &str {
        self.trailers.as_ref().expect("trailers")["porten-end"].to_str().unwrap()
    }
}

pub(crate) fn chat(stream: bool) -> String {
    format!(r#"{{"model":"tiny","stream":{stream},"messages":[{{"role":"user","content":"hi"}}]}}"#)
}

pub(crate) fn facts(engine: &Engine) -> RelayFacts {
    let served = Served { engine_id: ENGINE_ID.into(), routes: Route::ALL.to_vec() };
    let serving: Serving = [("tiny".to_owned(), served)].into_iter().collect();
    RelayFacts { serving: Arc::new(serving), engine: Some(engine.url.clone()), ..RelayFacts::default() }
}

impl Tunnel {
    pub(crate) async fn to(engine: &Engine) -> Self {
        Self::with(engine, Limits::default()).await
    }

    pub(crate) async fn with(engine: &Engine, limits: Limits) -> Self {
        porten_agent::install_crypto();
        let tls = porten_agent::tls().unwrap();
        let ledger = Ledger::default();
        let (facts, seen) = watch::channel(Arc::new(facts(engine)));
        let relay = Relay::new(EngineClient::new((*tls).clone()).unwrap(), seen, ledger.clone(), limits);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/v1/node/tunnel", listener.local_addr().unwrap()).parse().unwrap();
        let request = DialRequest { url, token: Secret::new("a".into()), tls, connect: tcp() };
        let accept = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            let request = read_request(&mut socket).await.unwrap();
            hub::upgrade(socket, &request).await
        };
        let (agent, hub) = tokio::join!(dial(request), accept);
        let (agent, agent_control) = agent.unwrap().into_link(Beat::default());
        let (hub, hub_control) = hub.into_link(Beat::default());
        let mut running = JoinSet::new();
        running.spawn(async move {
            let mut requests = http2::serve(agent).await.unwrap();
            let mut answering = JoinSet::new();
            while let Some(Ok((request, respond))) = requests.accept().await {
                answering.spawn(relay::serve(relay.clone(), request, respond));
            }
        });
        let (call, connection) = http2::call(hub).await.unwrap();
        running.spawn(async move { drop(connection.await) });
        Self { ledger, facts, call, _running: running, _controls: (agent_control, hub_control) }
    }

    /// Sends a request's head; the body is the caller's.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        ends: bool,
    ) -> (ResponseFuture, h2::SendStream<Bytes>) {
        let mut request = Request::builder().method(method).uri(format!("https://agent{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut call = self.call.clone().ready().await.unwrap();
        call.send_request(request.body(()).unwrap(), ends).unwrap()
    }

    /// Posts as the Hub does; the answer's head and body are the caller's to read.
    pub(crate) async fn post(&self, path: &str, body: &str) -> ResponseFuture {
        self.post_as("req-1", path, body).await
    }

    /// The same as the request of this id.
    pub(crate) async fn post_as(&self, id: &str, path: &str, body: &str) -> ResponseFuture {
        let length = body.len().to_string();
        let headers = [("content-type", "application/json"), ("content-length", &*length), ("x-request-id", id)];
        let (response, mut stream) = self.open(Method::POST, path, &headers, false).await;
        stream.send_data(Bytes::from(body.to_owned()), true).unwrap();
        response
    }

    pub(crate) async fn ask(&self, path: &str, body: &str) -> Got {
        read(self.post(path, body).await).await
    }
}

/// Reads an answer to its end.
pub(crate) async fn read(response: ResponseFuture) -> Got {
    let (head, mut stream) = soon("a head", response).await.unwrap().into_parts();
    let mut body = Vec::new();
    while let Some(chunk) = next(&mut stream).await {
        body.extend_from_slice(&chunk);
    }
    let trailers = stream.trailers().await.unwrap();
    Got { status: head.status.as_u16(), headers: head.headers, body: String::from_utf8(body).unwrap(), trailers }
}

/// The next piece of a body, its window given back.
pub(crate) async fn next(stream: &mut RecvStream) -> Option<Bytes> {
    let chunk = soon("a piece of the body", stream.data()).await?.unwrap();
    stream.flow_control().release_capacity(chunk.len()).unwrap();
    Some(chunk)
}
