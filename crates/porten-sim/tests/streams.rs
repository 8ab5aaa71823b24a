//! What a client of a stream sees while nothing is ready, and what its leaving does; and what the simulator remembers.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share fails like a test")]

mod common;

use axum::http::Method;
use common::{MODEL, chat, heard, sim, sim_at, until, whole};
use serde_json::{Value, json};

/// So slow that an answer is still on its way, however busy the machine that tests.
const SLOW: f64 = 0.2;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_waits_says_at_once_that_it_lives_and_again_after_each_silence() {
    let sim = sim_at(100.0, "1x64", &[]).await;
    let mut placement = sim.get(&format!("/instance/placement?model_id={MODEL}")).await.json();
    // A node that is not there never fetches its files, so that this instance is never ready.
    let assignments = &mut placement["MlxRingInstance"]["shardAssignments"];
    let runner = assignments["nodeToRunner"].as_object().unwrap().values().next().unwrap().clone();
    assignments["nodeToRunner"] = json!({"0": runner});
    let created = sim.post("/instance", json!({"instance": placement}).to_string()).await;
    assert_eq!(created.status, 200, "{}", created.body);
    sim.get(&format!("/instance/await?model_id={MODEL}")).await;
    let mut stream = sim.open(Method::POST, "/v1/chat/completions", &chat(MODEL, true, 3)).await;
    let alive = ": keep-alive\n\n";
    assert_eq!(heard(&mut stream, &alive.repeat(4)).await, alive.repeat(4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_frees_the_runner() {
    let sim = sim_at(SLOW, "1x64", &[MODEL]).await;
    let mut stream = sim.open(Method::POST, "/v1/chat/completions", &chat(MODEL, true, 100)).await;
    heard(&mut stream, "\"content\"").await;
    assert!(sim.state("runners").await.to_string().contains("RunnerRunning"));
    drop(stream);
    sim.runners_are("RunnerReady").await;
    let tasks = sim.state("tasks").await;
    let is_cancelled = |task: &Value| task["TextGeneration"]["taskStatus"] == "Cancelled";
    assert!(tasks.as_object().unwrap().values().any(is_cancelled), "{tasks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_whose_request_is_cut_is_empty_with_a_good_status() {
    let sim = sim_at(SLOW, "1x64", &[MODEL]).await;
    let answer = sim.open(Method::POST, "/v1/chat/completions", &chat(MODEL, false, 100)).await;
    sim.runners_are("RunnerRunning").await;
    let instances = sim.state("instances").await;
    sim.delete(&format!("/instance/{}", instances.as_object().unwrap().keys().next().unwrap())).await;
    let answer = whole(answer).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, ""));
    assert_eq!(answer.headers["content-type"], "application/json");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gpu_is_busy_and_memory_taken_while_a_model_answers() {
    let sim = sim_at(SLOW, "1x64", &[MODEL]).await;
    let node = sim.get("/node_id").await.json().as_str().unwrap().to_owned();
    let gpu = || async { sim.state(&format!("nodeSystem/{node}/gpuUsage")).await.as_f64().unwrap() };
    assert!(gpu().await < 0.1);
    let mut stream = sim.open(Method::POST, "/v1/chat/completions", &chat(MODEL, true, 100)).await;
    heard(&mut stream, "\"content\"").await;
    assert!(gpu().await > 0.8);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_holds_whole_prompts_so_that_a_test_can_see_who_asks_for_them() {
    let sim = sim_at(SLOW, "1x64", &[MODEL]).await;
    let mut stream = sim.open(Method::POST, "/v1/chat/completions", &chat(MODEL, true, 100)).await;
    heard(&mut stream, "\"content\"").await;
    assert!(sim.state("tasks").await.to_string().contains("hello there"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_is_remembered_by_method_and_path_and_looking_is_not() {
    let sim = sim("1x64", &[]).await;
    sim.get("/state/lastSeen").await;
    sim.get("/v1/models?status=downloaded").await;
    sim.post("/v1/chat/completions", chat(MODEL, true, 1)).await;
    for _ in 0..2 {
        let seen = sim.get("/sim/requests").await.json();
        assert_eq!(seen, json!(["GET /state/lastSeen", "GET /v1/models", "POST /v1/chat/completions"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulator_that_stops_ends_its_streams_and_frees_its_port() {
    let sim = sim_at(SLOW, "1x64", &[MODEL]).await;
    let address = sim.running.address();
    let mut stream = sim.open(Method::POST, "/v1/chat/completions", &chat(MODEL, true, 100)).await;
    heard(&mut stream, "\"content\"").await;
    let begun = std::time::Instant::now();
    sim.running.stop().await;
    assert!(begun.elapsed().as_secs() < 2, "{:?}", begun.elapsed());
    whole(stream).await;
    until("the port is free", || async { tokio::net::TcpListener::bind(address).await.is_ok() }).await;
}
