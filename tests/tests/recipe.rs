//! The documented recipe works as written: five variables, `porten login`, `porten run`, and a chat through the Hub.
#![cfg(target_os = "linux")] // network namespaces
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::time::Duration;

use porten_tests::engine::Manner;
use porten_tests::house::is_ready;
use porten_tests::inside::network_namespace;
use porten_tests::{Agent, Engine, Hub};

/// README's lines but for the Hub's address.
const RECIPE: [(&str, &str); 4] = [
    ("PORTEN_ENGINE", "openai"),
    ("PORTEN_ENGINE_URL", "http://localhost:8000"),
    ("PORTEN_VRAM_BUDGET_MB", "262144"),
    ("PORTEN_ENGINE_MODELS", "deepseek-v4-flash"),
];

const AT_8000: [(&str, &str); 2] = [("PORTEN_ENGINE_URL", "http://localhost:8000"), ("PORTEN_ENGINE_MODELS", "tiny")];

/// From `porten run` to what is waited for, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// A Hub on loopback, and an agent with these settings that a person signed in and started.
async fn running(settings: &[(&str, &str)]) -> (Hub, Agent) {
    let hub = Hub::start_dev().await;
    let mut agent = Agent::new(&hub);
    for (name, value) in settings {
        agent.set(name, value);
    }
    agent.login(&hub).await;
    agent.run();
    (hub, agent)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_as_written_ends_in_an_answer_that_carries_the_hubs_id() {
    if !network_namespace("the_recipe_as_written_ends_in_an_answer_that_carries_the_hubs_id") {
        return;
    }
    for (name, value) in RECIPE {
        let readme = include_str!("../../README.md");
        assert!(readme.contains(&format!("{name}={value}\n")), "README's recipe has another {name}");
    }
    let address = "127.0.0.1:8000".parse().expect("an address");
    let engine = Engine::start_at(address, Manner::exo("mlx-community/DeepSeek-V4-Flash")).await;
    let (hub, agent) = running(&RECIPE).await;
    let status = agent.status_until(SOON, "the agent is ready", is_ready).await;
    assert_eq!(status["memory"]["advertised_mib"], 262_144);
    assert_eq!(status["memory"]["set_by"]["name"], "PORTEN_VRAM_BUDGET_MB");
    let stream = hub.client().stream_chat("deepseek-v4-flash", "Hi").await;
    assert!(stream.is_success(), "{}", stream.body);
    assert_eq!(stream.models(), ["deepseek-v4-flash"]);
    assert!(!stream.body.contains("mlx-community"), "the engine's id stays here: {}", stream.body);
    assert_eq!(stream.content(), Manner::exo("m").text(8));
    let whole = hub.client().chat("deepseek-v4-flash", "Hi").await;
    assert_eq!((whole.status, whole.json["model"].as_str()), (200, Some("deepseek-v4-flash")), "{}", whole.text);
    assert!(engine.asked().iter().all(|seen| seen.target == "/v1/chat/completions"));
    eprintln!("recipe: {}", whole.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_engine_named_exo_is_found_on_its_own_port() {
    if !network_namespace("with_no_engine_named_exo_is_found_on_its_own_port") {
        return;
    }
    let address = "127.0.0.1:52415".parse().expect("an address");
    let _exo = Engine::start_at(address, Manner::exo("tiny")).await;
    let (hub, agent) = running(&[("PORTEN_ENGINE_MODELS", "tiny")]).await;
    let status = agent.status_until(SOON, "the agent is ready", is_ready).await;
    assert_eq!((&status["engine"]["kind"], &status["engine"]["origin"]["from"]), (&"exo".into(), &"found".into()));
    assert_eq!(hub.client().chat("tiny", "Hi").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_port_8000_with_exo_on_its_own_is_one_sentence_with_the_line_to_set() {
    if !network_namespace("a_dead_port_8000_with_exo_on_its_own_is_one_sentence_with_the_line_to_set") {
        return;
    }
    let address = "127.0.0.1:52415".parse().expect("an address");
    let exo = Engine::start_at(address, Manner::exo("tiny")).await;
    let (hub, agent) = running(&AT_8000).await;
    let status = agent.status_until(SOON, "it is said", |status| status["notices"][0]["code"] == "engine_down").await;
    let text = status["notices"][0]["text"].as_str().unwrap_or_default();
    assert!(text.contains("PORTEN_ENGINE_URL=http://localhost:52415"), "{text}");
    assert!(exo.asked().is_empty(), "a person's choice wins: exo is not used");
    assert_eq!(hub.client().chat("tiny", "Hi").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn localhost_is_both_loopbacks_whichever_the_engine_listens_on() {
    if !network_namespace("localhost_is_both_loopbacks_whichever_the_engine_listens_on") {
        return;
    }
    for address in ["127.0.0.1:8000", "[::1]:8000"] {
        let _engine = Engine::start_at(address.parse().expect("an address"), Manner::mlx("tiny")).await;
        let (hub, agent) = running(&AT_8000).await;
        agent.status_until(SOON, "the agent is ready", is_ready).await;
        assert_eq!(hub.client().chat("tiny", "Hi").await.status, 200, "{address}");
    }
}
