//! What the tests share: a simulator on a free port, an HTTP client, and the recorded answers.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "what tests share fails like a test")]

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use porten_sim::{Config, Running, macs};
use serde_json::Value;

pub(crate) mod shape;

/// A model of exo's list that fits on one Mac of 64 GiB.
pub(crate) const MODEL: &str = "mlx-community/Llama-3.2-1B-Instruct-4bit";
/// One that needs two Macs of 128 GiB.
pub(crate) const LARGE: &str = "mlx-community/DeepSeek-V4-Flash";

/// A simulator in this process.
pub(crate) struct Sim {
    pub(crate) running: Running,
}

/// One answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

/// A simulator that goes twenty times as fast as the real one.
pub(crate) async fn sim(cluster: &str, loaded: &[&str]) -> Sim {
    sim_at(20.0, cluster, loaded).await
}

pub(crate) async fn sim_at(speed: f64, cluster: &str, loaded: &[&str]) -> Sim {
    sim_with(speed, cluster, loaded, &[]).await
}

/// A simulator with troubles from the start.
pub(crate) async fn sim_with(speed: f64, cluster: &str, loaded: &[&str], troubles: &[&str]) -> Sim {
    let troubles = troubles.iter().map(|trouble| (*trouble).to_owned()).collect();
    let loaded = loaded.iter().map(|model| (*model).to_owned()).collect();
    let config = Config { macs: macs::read(cluster).unwrap(), api_port: 0, loaded, speed, troubles };
    Sim { running: porten_sim::start(config).await.unwrap() }
}

impl Sim {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: impl AsRef<str>) -> Answer {
        self.send(Method::POST, path, body.as_ref()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, "").await
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: &str) -> Answer {
        whole(self.open(method, path, body).await).await
    }

    /// Sends a request; the answer may still be on its way. Dropping it leaves.
    pub(crate) async fn open(&self, method: Method, path: &str, body: &str) -> hyper::Response<Incoming> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.running.address().to_string())
            .header("content-type", "application/json")
            .body(Body::from(body.to_owned()));
        open(self.running.address(), request.unwrap()).await
    }

    /// A part of the state.
    pub(crate) async fn state(&self, path: &str) -> Value {
        let answer = self.get(&format!("/state/{path}")).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.json()
    }

    /// Places a model and waits until `/state` shows it; the instance's id.
    pub(crate) async fn place(&self, model: &str) -> String {
        let answer = self.post("/place_instance", format!(r#"{{"model_id":"{model}"}}"#)).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let told = self.get(&format!("/instance/await?model_id={model}")).await;
        let (_, json) = told.body.split_once("data: ").unwrap();
        let event: Value = serde_json::from_str(json).unwrap();
        let (_, instance) = event["instance"].as_object().unwrap().iter().next().unwrap();
        instance["instance_id"].as_str().unwrap().to_owned()
    }

    /// Waits until all runners are in this state.
    pub(crate) async fn runners_are(&self, tag: &str) {
        until(tag, || async {
            let runners = self.state("runners").await;
            let runners = runners.as_object().unwrap();
            !runners.is_empty() && runners.values().all(|runner| runner.get(tag).is_some())
        })
        .await;
    }
}

/// A request for text, as the recorded ones were.
pub(crate) fn chat(model: &str, stream: bool, max_tokens: u32) -> String {
    serde_json::json!({
        "model": model,
        "messages": [{"role": "system", "content": "You are terse."}, {"role": "user", "content": "hello there"}],
        "stream": stream, "max_tokens": max_tokens, "temperature": 0.7, "seed": 1,
    })
    .to_string()
}

async fn open(address: SocketAddr, request: Request<Body>) -> hyper::Response<Incoming> {
    let socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}

pub(crate) async fn whole(response: hyper::Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: head.status, headers: head.headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

/// Reads a stream until it has said this; all that it said.
pub(crate) async fn heard(response: &mut hyper::Response<Incoming>, word: &str) -> String {
    let mut said = String::new();
    while !said.contains(word) {
        let frame = response.body_mut().frame().await.unwrap_or_else(|| panic!("no {word} in {said}")).unwrap();
        said += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
    }
    said
}

/// Waits until something holds; the test fails if it never does.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let patience = tokio::time::timeout(Duration::from_secs(10), async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    });
    patience.await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// A recorded answer.
pub(crate) fn recorded(name: &str) -> String {
    let path = format!("{}/../../tests/recorded/exo-0.3.70/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn recorded_json(name: &str) -> Value {
    serde_json::from_str(&recorded(name)).unwrap()
}

/// The lines of a recorded sequence.
pub(crate) fn recorded_lines(name: &str) -> Vec<Value> {
    recorded(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Fails unless both documents have the same shape.
#[track_caller]
pub(crate) fn assert_same<'a>(
    what: &str,
    recorded: impl IntoIterator<Item = &'a Value>,
    simulated: impl IntoIterator<Item = &'a Value>,
) {
    let (recorded, simulated) = (shape::Shape::of(recorded), shape::Shape::of(simulated));
    let (strange, missing) = (simulated.beyond(&recorded), recorded.beyond(&simulated));
    assert!(strange.is_empty(), "{what}: in exo's answers\n  {}", strange.join("\n  "));
    assert!(missing.is_empty(), "{what}: in the simulator's answers\n  {}", missing.join("\n  "));
}
