//! A node for tests: the agent's side of a tunnel, on the real link, with a scripted engine.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use porten_core::route::Route;
use porten_core::secret::Secret;
use porten_core::tunnel::Failure;
use porten_core::wire::{self, Advert, AdvertModel, FromAgent, FromHub, Hello, Traffic, Welcome};
use porten_link::dial::{self, DialRequest, Transport};
use porten_link::{Beat, End, Opened, Outgoing, http2};
use tokio::sync::{mpsc, watch};

use super::Site;

/// What the node does with a request; it gets the request's head and whole body.
pub(crate) type Engine = Arc<dyn Fn(Asked, SendResponse<Bytes>) + Send + Sync>;

/// One request as it came out of the tunnel.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) head: Arc<http::request::Parts>,
    pub(crate) body: Bytes,
}

/// A connected node.
pub(crate) struct Node {
    pub(crate) welcome: Welcome,
    pub(crate) outgoing: mpsc::Sender<Outgoing>,
    pub(crate) said: mpsc::Receiver<FromHub>,
    pub(crate) end: watch::Receiver<Option<End>>,
}

pub(crate) async fn dial(hub: &Site, token: &str) -> Result<Opened<Transport>, Failure> {
    porten_link::tls::install();
    let request = DialRequest {
        url: format!("ws://{}/v1/node/tunnel", hub.address).parse().unwrap(),
        token: Secret::new(token.to_owned()),
        tls: porten_link::tls::client().unwrap(),
        connect: dial::tcp(),
    };
    dial::dial(request).await
}

pub(crate) fn hello(node: &str) -> String {
    let (name, agent, platform) = ("Anna’s Mac".to_owned(), "0.0.0".to_owned(), "test".to_owned());
    wire::write(&FromAgent::Hello(Hello { node: node.to_owned(), name, agent, platform }))
}

/// Connects a node that was signed in before.
pub(crate) async fn connect(hub: &Site, node: &str, token: &str, engine: Engine) -> Node {
    let mut opened = dial(hub, token).await.unwrap();
    opened.send(hello(node)).await.unwrap();
    let welcome = match wire::read_from_hub(&opened.receive().await.unwrap()).unwrap() {
        Some(FromHub::Welcome(welcome)) => welcome,
        other => panic!("no welcome but {other:?}"),
    };
    let (bytes, control) = opened.into_link(Beat::default());
    let porten_link::Control { outgoing, mut incoming, end, .. } = control;
    tokio::spawn(async move {
        let Ok(mut requests) = http2::serve(bytes).await else { return };
        while let Some(Ok((request, respond))) = requests.accept().await {
            let engine = Arc::clone(&engine);
            tokio::spawn(async move {
                if let Some(asked) = take(request).await {
                    engine(asked, respond);
                }
            });
        }
    });
    let (say, said) = mpsc::channel(64);
    tokio::spawn(async move {
        while let Some(text) = incoming.recv().await {
            if let Some(message) = wire::read_from_hub(&text).unwrap() {
                let _ = say.send(message).await;
            }
        }
    });
    Node { welcome, outgoing, said, end }
}

/// Signs a node in, connects it, and advertises `tiny`, `chat-only` and `big` with 1,000 MiB.
pub(crate) async fn serving(hub: &Site, name: &str, max_streams: u32, engine: Engine) -> Node {
    let tokens = hub.sign_in(name).await;
    let mut node = connect(hub, name, tokens["access_token"].as_str().unwrap(), engine).await;
    node.advertise(&["tiny", "chat-only", "big"], max_streams).await;
    node
}

impl Node {
    pub(crate) async fn say(&self, message: &FromAgent) {
        self.outgoing.send(Outgoing::Text(wire::write(message))).await.unwrap();
    }

    /// Advertises, and waits for what the Hub says to it.
    pub(crate) async fn advertise(&mut self, models: &[&str], max_streams: u32) -> Traffic {
        let models = models
            .iter()
            .map(|id| AdvertModel { id: (*id).to_owned(), routes: Route::ALL.to_vec(), proven_s: None })
            .collect();
        self.say(&FromAgent::Advert(Advert {
            seq: 1,
            memory_mib: 1000,
            models,
            max_streams,
            engine_up: true,
            cold: vec![],
        }))
        .await;
        self.traffic().await
    }

    pub(crate) async fn traffic(&mut self) -> Traffic {
        loop {
            if let FromHub::Traffic(traffic) = self.hear().await {
                return traffic;
            }
        }
    }

    pub(crate) async fn hear(&mut self) -> FromHub {
        let heard = tokio::time::timeout(Duration::from_secs(10), self.said.recv()).await;
        heard.expect("the Hub says nothing").expect("the tunnel has ended")
    }

    /// How the tunnel ends.
    pub(crate) async fn ended(&mut self) -> End {
        let ended = tokio::time::timeout(Duration::from_secs(10), self.end.wait_for(Option::is_some)).await;
        ended.expect("the tunnel does not end").unwrap().clone().unwrap()
    }
}

async fn take(request: Request<RecvStream>) -> Option<Asked> {
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(part) = stream.data().await {
        let part = part.ok()?;
        stream.flow_control().release_capacity(part.len()).ok()?;
        body.extend_from_slice(&part);
    }
    Some(Asked { head: Arc::new(head), body: body.into() })
}

/// Begins an event stream.
pub(crate) fn events(mut respond: SendResponse<Bytes>) -> SendStream<Bytes> {
    let head = Response::builder().header("content-type", "text/event-stream").body(()).unwrap();
    respond.send_response(head, false).unwrap()
}

/// Ends an answer in order.
pub(crate) fn end(mut stream: SendStream<Bytes>, how: &'static str) {
    let trailers =
        HeaderMap::from_iter([(http::HeaderName::from_static(wire::END_TRAILER), http::HeaderValue::from_static(how))]);
    stream.send_trailers(trailers).unwrap();
}

/// An engine that says its name and is done.
pub(crate) fn says(name: &'static str) -> Engine {
    Arc::new(move |_, respond| {
        let mut stream = events(respond);
        stream.send_data(Bytes::from(format!("data: {name}\n\n")), false).unwrap();
        end(stream, wire::END_COMPLETE);
    })
}

/// An engine that refuses as an agent does.
pub(crate) fn refuses(status: u16, code: &'static str) -> Engine {
    Arc::new(move |_, mut respond| {
        let head = Response::builder()
            .status(status)
            .header(wire::REFUSAL, code)
            .header("content-type", "application/json")
            .header("set-cookie", "secret=1")
            .body(())
            .unwrap();
        let mut stream = respond.send_response(head, false).unwrap();
        stream.send_data(Bytes::from(format!(r#"{{"error":{{"code":"{code}"}}}}"#)), false).unwrap();
        end(stream, wire::END_ERROR);
    })
}
