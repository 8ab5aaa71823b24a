//! What is wrong is said in one clear sentence with its remedy, the right exit code, and nothing is lost.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::time::Duration;

use porten_core::wire::close;
use porten_tests::engine::{List, Manner};
use porten_tests::{Agent, Engine, House, Hub, ScriptedHub, client};
use tokio::io::AsyncWriteExt as _;

/// Runs `porten run` with one setting and expects one sentence that names `parts`, and the code.
async fn refused(setting: (&str, &str), code: i32, parts: &[&str]) {
    let mut agent = Agent::bare();
    agent.set(setting.0, setting.1);
    let ended = agent.command(&["run"]).await;
    assert_eq!(ended.code, Some(code), "{setting:?}: {}", ended.stderr);
    assert_sentence(&ended.stderr, parts);
}

fn assert_sentence(stderr: &str, parts: &[&str]) {
    let said: Vec<&str> = stderr.lines().filter(|line| line.starts_with("porten: ")).collect();
    assert_eq!(said.len(), 1, "one sentence: {stderr}");
    for part in parts {
        assert!(said[0].contains(part), "{part:?} is not in: {}", said[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_setting_is_one_sentence_that_names_it_and_its_remedy_and_ends_with_2() {
    refused(("PORTEN_HUB_URL", "ws://hub.example.com"), 2, &["PORTEN_HUB_URL", "wss://hub.example.com"]).await;
    refused(("PORTEN_HUB_URL", "not a url"), 2, &["PORTEN_HUB_URL", "wss://"]).await;
    refused(("PORTEN_ENGINE", "ollama"), 2, &["PORTEN_ENGINE", "openai or exo"]).await;
    refused(("PORTEN_ENGINE_URL", "http://10.0.0.7:8000"), 2, &["PORTEN_ENGINE_URL"]).await;
    refused(("PORTEN_ENGINE_URL", "http://localhost.evil.example:8000"), 2, &["PORTEN_ENGINE_URL"]).await;
    refused(("PORTEN_VRAM_BUDGET_MB", "256GB"), 2, &["PORTEN_VRAM_BUDGET_MB"]).await;
    refused(("PORTEN_VRAM_BUDGET_MB", "0"), 2, &["PORTEN_VRAM_BUDGET_MB"]).await;
    refused(("PORTEN_ENGINE_MODELS", "a,,b"), 2, &["PORTEN_ENGINE_MODELS"]).await;
    refused(("PORTEN_ENGINE_MODELS", "/Users/anna/m"), 2, &["PORTEN_ENGINE_MODELS"]).await;
}

/// Fault F3: a settings file that does not read is named with its line and left as it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_settings_file_is_named_with_its_line_and_left_as_it_was() {
    for (text, parts) in [
        ("[hub]\nurl = \"wss://porten.ai\"\n[engine\n", &["config.toml", "3"][..]),
        ("[hub]\nurll = \"wss://porten.ai\"\n", &["config.toml", "urll", "url"]),
        ("[memory]\nbudget_mb = \"lots\"\n", &["config.toml", "budget_mb"]),
        ("[hub]\ntoken = \"secret\"\n", &["config.toml", "porten login"]),
    ] {
        let agent = Agent::bare();
        let path = agent.home().porten().join("config.toml");
        std::fs::create_dir_all(agent.home().porten()).expect("a home");
        std::fs::write(&path, text).expect("a settings file");
        let ended = agent.command(&["config"]).await;
        assert_eq!(ended.code, Some(2), "{text}: {}", ended.stderr);
        assert_sentence(&ended.stderr, parts);
        // Who only asks the agent needs no settings.
        let ended = agent.command(&["status"]).await;
        assert_eq!(ended.code, Some(1), "{text}: {}", ended.stderr);
        assert_sentence(&ended.stderr, &["no agent is running"]);
        assert_eq!(std::fs::read_to_string(&path).expect("the file"), text, "nothing is lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_not_there_and_one_without_this_protocol_are_told_apart() {
    let mut agent = Agent::bare();
    let free = ScriptedHub::start().await;
    agent.set("PORTEN_HUB_URL", &free.ws_url());
    drop(free);
    let ended = agent.command(&["login", "--no-browser"]).await;
    assert_eq!(ended.code, Some(1));
    assert_sentence(&ended.stderr, &["does not answer", "PORTEN_HUB_URL"]);

    let web = Engine::start(Manner::mlx("tiny")).await;
    agent.set("PORTEN_HUB_URL", &web.url().replace("http://", "ws://"));
    let ended = agent.command(&["login", "--no-browser"]).await;
    assert_eq!(ended.code, Some(1));
    assert_sentence(&ended.stderr, &["porten.v1", "PORTEN_HUB_URL"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_speak_the_tunnel_is_refused_in_words_and_not_stormed() {
    let hub = ScriptedHub::start().await;
    let mut agent = Agent::bare();
    agent.set("PORTEN_HUB_URL", &hub.ws_url());
    hub.sign_in(&agent);
    agent.run();
    let (mut socket, _) = hub.knock().await;
    let answer = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    socket.write_all(answer).await.expect("the agent reads");
    let status = agent
        .status_until(Duration::from_secs(10), "it says so", |status| status["hub"]["link"]["state"] == "refused")
        .await;
    let why = status["hub"]["link"]["why"].as_str().unwrap_or_default();
    assert!(why.contains("does not speak Porten's protocol") && why.contains("404"), "{why}");
    assert_eq!(status["notices"][0]["code"], "hub_refused");
    let again = tokio::time::timeout(Duration::from_secs(5), hub.knock()).await;
    assert!(again.is_err(), "no retry storm");
}

/// Fault B1: each malformed message, also one nested 20,000 deep, ends the link with 1002, and the same process dials
/// again.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_control_messages_end_the_link_with_1002_and_the_agent_comes_back() {
    let hub = ScriptedHub::start().await;
    let mut agent = Agent::bare();
    agent.set("PORTEN_HUB_URL", &hub.ws_url());
    hub.sign_in(&agent);
    agent.run();
    let deep = "[".repeat(20_000);
    for bad in ["not json", "{}", r#"{"type":"catalog","models":7}"#, r#"{"type":"drain"}"#, deep.as_str()] {
        let (bytes, control) = hub.welcome().await;
        let (_requests, connection) = porten_link::http2::call(bytes).await.expect("HTTP/2");
        let link = tokio::spawn(connection);
        // Of an unknown type is no violation: it is for a newer agent.
        for text in [r#"{"type":"from_the_future","x":1}"#, bad] {
            let text = porten_link::Outgoing::Text(text.to_owned());
            control.outgoing.send(text).await.expect("the link lives");
        }
        let ended = tokio::time::timeout(Duration::from_secs(10), link).await;
        assert!(ended.is_ok(), "the link ends");
        let end = control.end.borrow().clone();
        assert!(
            matches!(end, Some(porten_link::End::Closed { code: close::PROTOCOL, .. })),
            "{}: {end:?}",
            &bad[..bad.len().min(40)]
        );
    }
    assert!(agent.process().is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn something_that_is_no_engine_and_an_id_that_it_does_not_serve_are_said_with_a_remedy() {
    let house = House::signed_in(Manner::mlx("tiny"), |_| {}).await;
    house.engine.change(|manner| manner.list = List::Body("<html></html>".into()));
    let agent = &house.agent;
    agent.command(&["status"]).await;
    let status = agent
        .status_until(Duration::from_secs(40), "the wrong engine is noticed", |status| {
            status["engine"]["reach"]["state"] == "down"
        })
        .await;
    let why = status["engine"]["reach"]["why"].as_str().unwrap_or_default();
    assert!(why.contains("not as an engine") && why.contains("PORTEN_ENGINE_URL"), "{why}");
    house.engine.change(|manner| {
        manner.list = List::Good;
        manner.models = vec!["something-else".into()];
    });
    let status = agent
        .status_until(Duration::from_secs(40), "the wrong id is noticed", |status| {
            status["models"][0]["state"]["state"] == "unmatched"
        })
        .await;
    let why = status["models"][0]["state"]["why"].as_str().unwrap_or_default();
    assert!(why.contains("tiny") && why.contains("something-else"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_errs_reads_a_typed_error_and_the_engine_is_not_bothered() {
    let house = House::ready(Manner::mlx("tiny")).await;
    let client = house.client();
    let unknown = client.chat("no-such-model", "Hi").await;
    assert_eq!((unknown.status, unknown.code()), (404, Some("model_not_found")), "{}", unknown.text);
    let wrong = porten_tests::Client::new(&house.hub.url(), "wrong").chat("tiny", "Hi").await;
    assert_eq!((wrong.status, wrong.code()), (401, Some("invalid_api_key")), "{}", wrong.text);
    let mut body = client::chat("tiny", &"x".repeat(33 * 1024 * 1024));
    let oversize = client.post("/v1/chat/completions", &body).await;
    assert_eq!(oversize.status, 413, "{}", oversize.text);
    body = client::chat("tiny", "Hi");
    body["stream"] = "yes".into();
    let typed = client.post("/v1/chat/completions", &body).await;
    assert_eq!(typed.status, 400, "{}", typed.text);
    assert!(typed.text.contains("stream"), "{}", typed.text);
    assert!(house.engine.asked().is_empty(), "{:?}", house.engine.asked());
    assert_eq!(client.chat("tiny", "Hi").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_without_an_agent_or_a_sign_in_say_what_to_do() {
    let hub = Hub::start_dev().await;
    let agent = Agent::new(&hub);
    for command in [&["status"][..], &["models"], &["models", "on", "tiny"], &["status", "--watch"]] {
        let ended = agent.command(command).await;
        assert_eq!(ended.code, Some(1), "{command:?}");
        assert_sentence(&ended.stderr, &["no agent is running", "porten run"]);
    }
    let ended = agent.command(&["run"]).await;
    assert_eq!(ended.code, Some(4));
    assert_sentence(&ended.stderr, &["porten login"]);
    let ended = agent.command(&["logout"]).await;
    let nobody = format!("Nobody was signed in at {}.", hub.ws_url());
    assert_eq!((ended.code, ended.stdout.trim()), (Some(0), nobody.as_str()));
}
