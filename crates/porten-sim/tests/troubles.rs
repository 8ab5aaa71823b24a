//! What a client sees of troubles, through exo's own addresses.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share fails like a test")]

mod common;

use std::time::{Duration, Instant};

use axum::http::Method;
use common::{LARGE, MODEL, Sim, chat, heard, sim_at, sim_with, until, whole};
use serde_json::{Value, json};

/// So fast that a minute of exo's is a fraction of a second.
const FAST: f64 = 200.0;
/// So slow that an answer is still on its way, however busy the machine that tests.
const SLOW: f64 = 0.2;

async fn trouble(sim: &Sim, text: &str) {
    let answer = sim.post("/sim/trouble", json!({"trouble": text}).to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "{}"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_is_answered_with_400_and_one_sentence() {
    let sim = sim_at(1.0, "2x128", &[]).await;
    for (sent, named) in [
        (json!({"trouble": "explode"}), "member-dies"),
        (json!({"trouble": "member-dies mac-9"}), "studio-1, studio-2"),
        (json!({"trouble": 7}), "frozen"),
        (json!([]), "frozen"),
    ] {
        let answer = sim.post("/sim/trouble", sent.to_string()).await;
        let said = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(answer.status == 400 && said.contains(named) && said.lines().count() == 1, "{said}");
    }
    assert_eq!(sim.post("/sim/trouble", "no json").await.status, 400);
    assert_eq!(sim.get("/sim/requests").await.json(), json!([]), "the switch is no request to exo");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_on_a_mac_that_dies_is_kept_alive_and_ends_without_done() {
    let sim = sim_at(20.0, "2x128", &[LARGE]).await;
    // Before the request: how one ends that was running, the world's own test looks at, where no time passes by itself.
    trouble(&sim, "member-dies studio-2").await;
    let stream = sim.open(Method::POST, "/v1/chat/completions", &chat(LARGE, true, 20)).await;
    let rest = whole(stream).await.body;
    assert!(rest.matches(": keep-alive").count() >= 3, "{rest}");
    assert!(!rest.contains("finish_reason") && !rest.contains("[DONE]"), "{rest}");
    assert_eq!(sim.state("instances").await, json!({}));
    assert_eq!(sim.state("topology/nodes").await.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn troubles_begin_at_their_moment_by_the_simulators_clock() {
    let sim = sim_with(
        FAST,
        "2x128",
        &[LARGE],
        &["master-lost @20", "someone-places mlx-community/Llama-3.2-1B-Instruct-4bit @60"],
    )
    .await;
    until("all is lost", || async { !sim.state("instances").await.to_string().contains(LARGE) }).await;
    until("somebody places", || async { sim.state("instances").await.to_string().contains(MODEL) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_wait_for_a_new_master_and_looks_do_not() {
    let sim = sim_at(4.0, "1x64", &[]).await;
    trouble(&sim, "master-lost").await;
    let begun = Instant::now();
    sim.get("/node_id").await;
    assert!(begun.elapsed() < Duration::from_millis(1_200), "{:?}", begun.elapsed());
    sim.post("/place_instance", json!({"model_id": MODEL}).to_string()).await;
    assert!(begun.elapsed() > Duration::from_millis(1_200), "{:?}", begun.elapsed());
    sim.runners_are("RunnerReady").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_cluster_answers_and_its_streams_hang_until_it_thaws() {
    let sim = sim_at(50.0, "1x64", &[MODEL]).await;
    trouble(&sim, "frozen").await;
    let (index, seen) = (sim.state("lastEventAppliedIdx").await, sim.state("lastSeen").await);
    let mut stream = sim.open(Method::POST, "/v1/chat/completions", &chat(MODEL, true, 3)).await;
    let alive = ": keep-alive\n\n";
    assert_eq!(heard(&mut stream, &alive.repeat(3)).await, alive.repeat(3));
    assert_eq!((sim.state("lastEventAppliedIdx").await, sim.state("lastSeen").await), (index, seen.clone()));
    // Ordered while the stream waits already, for a moment that is still to come.
    trouble(&sim, "thaw @60").await;
    assert!(whole(stream).await.body.ends_with("data: [DONE]\n\n"));
    assert_ne!(sim.state("lastSeen").await, seen);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_empty_cut_or_an_error_as_exos_are() {
    let sim = sim_at(50.0, "1x64", &[MODEL]).await;
    let ask = |is_stream| sim.post("/v1/chat/completions", chat(MODEL, is_stream, 20));
    trouble(&sim, "empty-200").await;
    let empty = ask(false).await;
    assert_eq!((empty.status.as_u16(), empty.body.as_str()), (200, ""));
    assert_eq!(empty.headers["content-type"], "application/json");
    trouble(&sim, "cut-stream").await;
    let cut = ask(true).await.body;
    assert!(cut.matches("\"content\"").count() == 4, "{cut}");
    assert!(!cut.contains("finish_reason") && !cut.contains("[DONE]") && !cut.contains("error"), "{cut}");
    assert!(ask(true).await.body.ends_with("data: [DONE]\n\n"));
    assert_eq!(ask(false).await.json()["choices"][0]["finish_reason"], "length");
    trouble(&sim, &format!("cannot-generate {MODEL}")).await;
    let failed = ask(true).await.body;
    let (_, end) = failed.split_once("data: ").unwrap();
    let (error, done) = end.split_once("\n\n").unwrap();
    let error: Value = serde_json::from_str(error).unwrap();
    assert_eq!((&error["error"]["code"], &error["error"]["type"]), (&json!(500), &json!("InternalServerError")));
    assert!(error["error"]["message"].is_string() && done == "data: [DONE]\n\n", "{failed}");
    assert_eq!(ask(false).await.body, "");
    let message = json!({"model": MODEL, "max_tokens": 9, "messages": [], "stream": true});
    let swallowed = sim.post("/v1/messages", message.to_string()).await.body;
    assert!(swallowed.contains("\"stop_reason\":null") && swallowed.contains("message_stop"), "{swallowed}");
    let response = json!({"model": MODEL, "input": "x", "stream": true});
    assert!(!sim.post("/v1/responses", response.to_string()).await.body.contains("response.completed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_slow_holds_up_other_answers_and_streams() {
    let sim = sim_at(1.0, "1x64", &[MODEL]).await;
    trouble(&sim, "slow-state 300").await;
    let begun = Instant::now();
    let looks = async {
        // It comes while the state is being written.
        tokio::time::sleep(Duration::from_millis(100)).await;
        sim.get("/node_id").await;
        begun.elapsed()
    };
    let (_, looked) = tokio::join!(sim.state("lastSeen"), looks);
    assert!(looked >= Duration::from_millis(295) && begun.elapsed() >= Duration::from_millis(295), "{looked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_deletes_a_model_under_a_stream() {
    let sim = sim_at(SLOW, "1x64", &[MODEL]).await;
    let mut stream = sim.open(Method::POST, "/v1/chat/completions", &chat(MODEL, true, 100)).await;
    heard(&mut stream, "\"content\"").await;
    trouble(&sim, &format!("someone-deletes {MODEL}")).await;
    assert!(!whole(stream).await.body.contains("[DONE]"));
    assert_eq!(sim.state("instances").await, json!({}));
}
