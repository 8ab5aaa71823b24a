//! A process that may open few files: what does not fit is refused, and nothing else suffers.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use porten_tests::engine::Manner;
use porten_tests::{House, client, wait_until};

/// The files that the agent may open from now on.
fn bound(process: u32, files: usize) {
    let limit = format!("--nofile={files}:{files}");
    let set = Command::new("prlimit").args(["--pid", &process.to_string(), &limit]).status();
    assert!(set.is_ok_and(|status| status.success()), "prlimit (package util-linux) sets the limit");
}

/// Fault F4: with 64 files the tunnel stays, requests that find no file are refused with 503, and all is well once files are free.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_runs_out_of_files_refuses_new_requests_and_keeps_its_tunnel() {
    let mut house =
        House::ready(Manner { chunks: None, delay: Duration::from_millis(50), ..Manner::mlx("tiny") }).await;
    let link = house.agent.status().await["hub"]["link"].clone();
    let agent = house.agent.process().id();
    bound(agent, 64);
    let mut body = client::chat("tiny", "Hi");
    body["stream"] = true.into();
    let client = house.client();
    // Each takes a connection to the engine, which never ends its answer.
    let streams = join_all((0..100).map(|_| client.stream("/v1/chat/completions", &body))).await;
    let (running, refused): (Vec<_>, Vec<_>) = streams.into_iter().partition(|stream| stream.transcript.status == 200);
    eprintln!("64 files: {} requests run, {} were refused", running.len(), refused.len());
    assert!(running.len() >= 20 && refused.len() >= 30, "{} {}", running.len(), refused.len());
    assert!(refused.iter().all(|stream| stream.transcript.status == 503));
    // Once it could not look at its engine either, the node offers nothing until it can.
    let answer = client.chat("tiny", "Hi").await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    assert!(matches!(answer.code(), Some("engine_unreachable" | "no_node")), "{}", answer.text);
    for mut stream in running {
        assert!(stream.read(3).await, "what runs goes on");
    }
    house.engine.change(|manner| manner.chunks = Some(3));
    let took = house.served_within(Duration::from_secs(30)).await;
    eprintln!("files free again: served after {took:?}");
    wait_until(Duration::from_secs(20), "the same link is up", async || {
        (house.agent.status().await["hub"]["link"] == link).then_some(())
    })
    .await;
}
