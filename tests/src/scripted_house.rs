//! A recording engine, an agent that serves it, and a Hub that does as the test says.

use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Request, StatusCode};
use porten_core::command::Command;
use porten_link::{Control, WsBytes};
use serde_json::json;
use tokio::net::TcpStream;

use crate::agent::Agent;
use crate::engine::{Engine, Manner};
use crate::scripted_hub::ScriptedHub;
use crate::wait::wait_until;

/// What the engine calls the model `tiny`: a path of this machine.
pub const PATH_SHAPED: &str = "/Users/anna/models/tiny";
/// From the start to the advert, on a machine that compiles something else beside.
const READY: Duration = Duration::from_secs(30);

/// Everything ends when it is dropped.
#[derive(Debug)]
pub struct ScriptedHouse {
    /// The engine; it serves [`PATH_SHAPED`].
    pub engine: Engine,
    /// The Hub.
    pub hub: ScriptedHub,
    /// The agent; it serves `tiny`.
    pub agent: Agent,
}

impl ScriptedHouse {
    /// The house and the first link, once `tiny` is advertised on it. The engine has forgotten what it was asked before.
    ///
    /// # Panics
    /// It does not come about.
    pub async fn start() -> (Self, SendRequest<Bytes>, Control) {
        Self::start_with(|_| {}).await
    }

    /// The same with other settings.
    ///
    /// # Panics
    /// It does not come about.
    pub async fn start_with(settings: impl FnOnce(&mut Agent)) -> (Self, SendRequest<Bytes>, Control) {
        let engine = Engine::start(Manner { models: vec![PATH_SHAPED.into()], ..Manner::mlx("tiny") }).await;
        let hub = ScriptedHub::start().await;
        let mut agent = Agent::bare();
        agent.set("PORTEN_HUB_URL", &hub.ws_url());
        agent.set("PORTEN_ENGINE_URL", &engine.url());
        agent.set("PORTEN_ENGINE_MODELS", "tiny");
        settings(&mut agent);
        hub.sign_in(&agent);
        agent.run();
        let (requests, mut control) = hub.requests().await;
        wait_until(READY, "the model is advertised", async || {
            let said = control.incoming.recv().await.expect("the link lives");
            assert!(!said.contains("/Users/"), "a path left the machine: {said}");
            said.contains(r#""id":"tiny""#).then_some(())
        })
        .await;
        engine.forget();
        (Self { engine, hub, agent }, requests, control)
    }

    /// The next link after its welcome, without the wait that follows a lost one: that is tested elsewhere.
    ///
    /// # Panics
    /// The agent does not come.
    pub async fn welcome(&self) -> (WsBytes<TcpStream>, Control) {
        self.at_once(self.hub.welcome()).await
    }

    /// The next link as a bare WebSocket, the same way.
    ///
    /// # Panics
    /// The agent does not come.
    pub async fn upgraded(&self) -> TcpStream {
        self.at_once(self.hub.upgraded()).await
    }

    /// The next link that carries requests, the same way.
    ///
    /// # Panics
    /// The agent does not come.
    pub async fn requests(&self) -> (SendRequest<Bytes>, Control) {
        self.at_once(self.hub.requests()).await
    }

    async fn at_once<T>(&self, coming: impl Future<Output = T>) -> T {
        let local = self.agent.local();
        let nudging = async {
            loop {
                tokio::time::sleep(Duration::from_millis(30)).await;
                // Until it has noticed that its link is gone, a nudge only makes it look.
                let _ = local.send(&Command::Nudge).await;
            }
        };
        tokio::select! {
            biased;
            come = coming => come,
            () = nudging => panic!("nudging never ends"),
        }
    }

    /// Lists and proofs of the agent itself were all that reached the engine, and nothing that a request caused.
    ///
    /// # Panics
    /// It is not so.
    pub fn assert_only_probes(&self) {
        assert!(self.engine.asked().is_empty(), "{:?}", self.engine.asked());
        for seen in self.engine.seen() {
            let probe = seen.target == "/v1/models" || seen.max_tokens() == Some(1);
            assert!(probe, "the engine saw {} {}", seen.method, seen.target);
        }
    }

    /// A new link serves a good request.
    ///
    /// # Panics
    /// None does in time.
    pub async fn assert_serves(&self) {
        let (requests, _control) = self.requests().await;
        wait_until(READY, "good requests go through again", async || {
            let request = Request::post("http://h/v1/chat/completions").header("content-type", "application/json");
            let (status, _) = ask(&requests, request.body(()).expect("a request"), chat("tiny")).await;
            (status == 200).then_some(())
        })
        .await;
    }
}

/// The body of a chat with this model.
#[must_use]
pub fn chat(model: &str) -> Bytes {
    json!({ "model": model, "messages": [{ "role": "user", "content": "Hi" }] }).to_string().into()
}

/// Asks over a link; status and body.
///
/// # Panics
/// The link ended.
pub async fn ask(requests: &SendRequest<Bytes>, request: Request<()>, body: Bytes) -> (StatusCode, String) {
    let mut requests = requests.clone().ready().await.expect("the link lives");
    let (answer, mut stream) = requests.send_request(request, body.is_empty()).expect("a request");
    if !body.is_empty() {
        // A refusal may be there before the body is on its way: the answer is then all that counts.
        let _ = stream.send_data(body, true);
    }
    let (head, mut body) = answer.await.expect("an answer").into_parts();
    let mut text = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        body.flow_control().release_capacity(data.len()).expect("the link lives");
        text.extend_from_slice(&data);
    }
    (head.status, String::from_utf8_lossy(&text).into_owned())
}
