//! What a Hub and its catalog may do to the terminal, the log, the engine and everybody else's requests: nothing.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::SendRequest;
use http::Request;
use porten_core::wire::MAX_MESSAGE_TAKEN;
use porten_link::{Beat, Control, Outgoing, http2};
use porten_tests::engine::{Engine, Manner};
use porten_tests::scripted_house::{ask, chat};
use porten_tests::scripted_hub::ScriptedHub;
use porten_tests::{Agent, wait_until};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const READY: Duration = Duration::from_secs(30);
/// A request takes some milliseconds; on a machine that compiles something else beside, more.
const USUAL: Duration = Duration::from_secs(3);
const EVIL: &str = "evil\u{1b}[2J\u{1b}]0;pwned\u{7}\r\nOnline for 3 days\r\n2026-11-30T00:00:00Z  INFO porten: signed out by \
                    anna\u{202e}gnp.exe\u{9b}31m\u{e0041}";

/// An engine with these models, a Hub with this account and catalog, and an agent between them that nobody told anything.
struct House {
    engine: Engine,
    agent: Agent,
    requests: SendRequest<Bytes>,
    control: Control,
    _hub: ScriptedHub,
}

impl House {
    async fn start(models: Vec<String>, account: &str, catalog: &[Value]) -> Self {
        let engine = Engine::start(Manner { models, ..Manner::mlx("tiny") }).await;
        let hub = ScriptedHub::start().await;
        let mut agent = Agent::bare();
        agent.set("PORTEN_HUB_URL", &hub.ws_url()).set("PORTEN_ENGINE_URL", &engine.url()).set("PORTEN_LOG", "info");
        hub.sign_in(&agent);
        agent.run();
        let mut opened = hub.hello().await;
        let limits = json!({ "max_streams": 520, "max_body_bytes": 33_554_432 });
        let welcome =
            json!({ "type": "welcome", "node": EVIL, "account": account, "limits": limits, "catalog": catalog });
        opened.send(welcome.to_string()).await.expect("the agent takes a welcome");
        let (bytes, mut control) = opened.into_link(Beat::default());
        let (requests, connection) = http2::call(bytes).await.expect("HTTP/2");
        tokio::spawn(connection);
        wait_until(READY, "the model is advertised", async || {
            let said = control.incoming.recv().await.expect("the link lives");
            said.contains(r#""id":"tiny""#).then_some(())
        })
        .await;
        Self { engine, agent, requests, control, _hub: hub }
    }

    async fn say(&self, message: Value) {
        let text = message.to_string();
        assert!(text.len() <= MAX_MESSAGE_TAKEN, "a legal message");
        self.control.outgoing.send(Outgoing::Text(text)).await.expect("the link lives");
    }

    async fn answered(&self, body: Bytes) -> Duration {
        let begun = Instant::now();
        let request = Request::post("http://h/v1/chat/completions").header("content-type", "application/json");
        let (status, body) = ask(&self.requests, request.body(()).expect("a request"), body).await;
        assert_eq!(status, 200, "{body}");
        begun.elapsed()
    }
}

fn offer(id: &str) -> Value {
    json!({ "id": id, "memory_mib": 1, "routes": ["/v1/chat/completions"] })
}

/// Nothing that a terminal obeys, and no line that begins as the Hub wishes.
fn assert_plain(text: &str) {
    let obeyed = |c: char| (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{e0041}');
    assert!(!text.contains(obeyed), "{text:?}");
    let forged = |line: &str| line.starts_with("Online for 3 days") || line.starts_with("2026-11-30T00:00:00Z");
    assert!(!text.lines().any(forged), "{text}");
}

/// Fault B15: escapes and line breaks in a Hub's words reach neither the terminal nor the beginning of a line of the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_writes_neither_on_the_terminal_nor_into_the_log() {
    let mut house = House::start(vec!["tiny".into()], EVIL, &[offer("tiny"), offer("a\u{1b}[2J")]).await;
    let traffic =
        json!([{ "id": "tiny", "standing": "not_offered", "nearest": EVIL }, { "id": EVIL, "standing": "eligible" }]);
    house.say(json!({ "type": "traffic", "models": traffic })).await;
    // What a Hub says of its models ends a drain.
    house.say(json!({ "type": "drain", "reason": EVIL, "stay": true })).await;
    let drains = |status: &Value| status["hub"]["drains"].as_str().is_some_and(|why| why.starts_with("evil"));
    let status = house.agent.status_until(READY, "the reason is shown", drains).await;
    assert_eq!(status["account"]["name"], status["hub"]["drains"], "both are cleaned in one way");
    for command in [["status"].as_slice(), &["status", "--json"], &["models"], &["models", "--json"]] {
        let ended = house.agent.command(command).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_plain(&ended.stdout);
        assert_plain(&ended.stderr);
    }
    let log = house.agent.process().stderr();
    assert!(log.contains("the Hub asks to drain") && log.contains(r#"first=Some("a\u{1b}[2J")"#), "{log}");
    assert_plain(&log);
}

/// Fault B15: what an agent of another version did not clean is cleaned before it is printed.
#[tokio::test(flavor = "multi_thread")]
async fn the_printer_takes_out_what_a_terminal_obeys() {
    let mut house = House::start(vec!["tiny".into()], "anna", &[offer("tiny")]).await;
    let mut status = house.agent.status().await;
    status["account"]["name"] = EVIL.replace(['\r', '\n'], "").into();
    house.agent.stop().await;
    let path = house.agent.home().porten().join("run/agent.sock");
    let _ = std::fs::remove_file(&path);
    let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
    let body = status.to_string();
    let length = body.len();
    let answer =
        format!("HTTP/1.1 200 OK\r\nporten-local: 1\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
    let served = tokio::spawn(async move {
        while let Ok((mut front_end, _)) = listener.accept().await {
            let mut head = [0; 4096];
            let _ = front_end.read(&mut head).await.expect("a request");
            front_end.write_all(answer.as_bytes()).await.expect("the front end");
        }
    });
    let ended = house.agent.command(&["status"]).await;
    assert!(ended.stdout.contains("evil[2J]0;pwned"), "{ended:?}");
    assert_plain(&ended.stdout);
    served.abort();
}

/// Fault B16: with the longest legal account name and catalog every command still has its answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_half_a_megabyte_keeps_nobody_from_the_agent() {
    let house = House::start(vec!["tiny".into()], &"A".repeat(600_000), &[offer("tiny")]).await;
    for (command, says) in [
        (["status"].as_slice(), "Account"),
        (&["models"], "tiny"),
        (&["offline"], "Going offline"),
        (&["drain", "--now"], "Offline"),
        (&["logout"], "Signed out"),
    ] {
        let ended = house.agent.command(command).await;
        assert!(ended.code == Some(0) && ended.stdout.contains(says), "{command:?}: {ended:?}");
    }
}

/// Fault B16: a catalog that fills a message holds up no request, and of an engine that lists 123 models three are proven.
#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_of_a_megabyte_holds_up_no_request_and_keeps_no_engine_busy() {
    let listed: Vec<String> = (0..122).map(|n| format!("mlx-community/Some-Model-{n:04}-Instruct-2507-6bit")).collect();
    let models: Vec<String> = ["tiny".to_owned()].into_iter().chain(listed.clone()).collect();
    let house = House::start(models, "anna", &[offer("tiny")]).await;
    house.answered(chat("tiny")).await;
    let served = listed.iter().map(|id| offer(&id.trim_start_matches("mlx-community/").to_lowercase()));
    let long = (0..3_700).map(|n| offer(&format!("{}{n:05}", "x".repeat(195))));
    let catalog: Vec<Value> = [offer("tiny")].into_iter().chain(served.take(60)).chain(long).collect();
    house.say(json!({ "type": "catalog", "models": catalog })).await;
    let took = house.answered(chat("tiny")).await;
    assert!(took < USUAL, "{took:?}");
    let long_catalogs = (0..20).map(
        |n| json!({ "type": "catalog", "models": [offer("tiny"), offer(&format!("some-model-{n:04}-instruct-2507"))] }),
    );
    for catalog in long_catalogs {
        house.say(catalog).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let proven = |request: &porten_tests::engine::Seen| {
        (request.max_tokens() == Some(1)).then(|| request.json()["model"].clone())
    };
    let proven: BTreeSet<String> = house.engine.seen().iter().filter_map(proven).map(|id| id.to_string()).collect();
    assert!(proven.len() <= 3 + 8, "three of each catalog, and of twenty catalogs eight: {proven:?}");
    assert!(house.answered(chat("tiny")).await < USUAL);
}

/// Fault B16: a prompt of many megabytes is read beside the thread that carries the others' tokens.
#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_of_megabytes_holds_up_no_other_request() {
    let house = House::start(vec!["tiny".into()], "anna", &[offer("tiny")]).await;
    let long = json!({ "model": "tiny", "messages": [{ "role": "user", "content": "x\n".repeat(2 * 1024 * 1024) }] });
    let long = Bytes::from(long.to_string());
    let (others, _) = tokio::join!(
        async {
            let mut longest = Duration::ZERO;
            for _ in 0..100 {
                longest = longest.max(house.answered(chat("tiny")).await);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            longest
        },
        house.answered(long)
    );
    assert!(others < USUAL, "the longest took {others:?}");
}
