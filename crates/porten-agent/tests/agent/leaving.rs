//! Ending and draining: what runs is finished, nothing new is taken, and neither takes longer than it must.

use std::sync::Arc;
use std::time::{Duration, Instant};

use h2::RecvStream;
use porten_agent::agent::Agent;
use porten_core::command::Command;
use porten_core::snapshot::Overall;
use porten_core::wire::{self, FromAgent, FromHub, close};
use porten_link::End;
use tokio::sync::Notify;

use crate::support::agent::{Home, Link};
use crate::support::engine::{EVENTS, Engine, event, healthy, stream};
use crate::support::house::{advertised, house, link, post, shows};
use crate::support::hub::Hub;
use crate::support::tunnel::{chat, next};
use crate::support::{soon, write};

/// An engine whose answers to people begin at once and end when it is told; proofs are answered whole.
async fn slow_engine(go: &Arc<Notify>) -> Engine {
    let go = Arc::clone(go);
    Engine::start(move |_, request, mut socket| {
        let go = Arc::clone(&go);
        async move {
            if request.body.contains("\"max_tokens\":1") || !request.is("POST /v1/chat/completions") {
                return write(&mut socket, &healthy(&request, &["a"])).await;
            }
            write(&mut socket, &format!("{EVENTS}{}", event("Hel", None))).await;
            go.notified().await;
            write(&mut socket, stream(&["lo"]).trim_start_matches(EVENTS)).await;
        }
    })
    .await
}

/// A house in the middle of an answer: its first event has come, the rest comes when `go` is told.
struct Busy {
    go: Arc<Notify>,
    hub: Hub,
    agent: Agent,
    link: Link,
    body: RecvStream,
    /// Held so that they live as long as the rest.
    _kept: (Home, Engine),
}

async fn busy() -> Busy {
    let go = Arc::new(Notify::new());
    let (mut hub, engine) = (Hub::start().await, slow_engine(&go).await);
    let home = Home::signed_in(&hub.url, &engine).await;
    let agent = home.start();
    let mut link = link(&mut hub).await;
    advertised(&mut link).await;
    let response = post(&link.call, &chat(true)).await.unwrap();
    let mut body = soon("a head", response).await.unwrap().into_body();
    assert!(next(&mut body).await.is_some());
    Busy { go, hub, agent, link, body, _kept: (home, engine) }
}

/// Fault F1: running answers are finished, nothing new is taken, and the Hub is told.
#[tokio::test]
async fn an_agent_that_is_asked_to_end_finishes_what_runs_and_takes_nothing_new() {
    let Busy { go, hub: _hub, mut agent, mut link, mut body, _kept } = busy().await;
    agent.quit();
    let said = link.hear(|said| matches!(said, FromAgent::Draining(_))).await;
    assert_eq!(said, FromAgent::Draining(wire::Draining { in_flight: 1 }));
    shows(&agent, "finishing", |picture| picture.overall == Overall::Finishing { requests: 1 }).await;
    // Either HTTP/2 says so already, or the agent does.
    if let Ok(response) = post(&link.call, &chat(true)).await
        && let Ok(response) = soon("a refusal", response).await
    {
        assert_eq!(
            (response.status().as_u16(), &response.headers()["porten-refusal"]),
            (503, &"draining".parse().unwrap())
        );
    }
    go.notify_one();
    let mut rest = Vec::new();
    while let Some(chunk) = next(&mut body).await {
        rest.extend_from_slice(&chunk);
    }
    assert!(rest.ends_with(b"data: [DONE]\n\n"));
    assert_eq!(body.trailers().await.unwrap().unwrap()["porten-end"], "complete");
    let finished = Instant::now();
    soon("the end", agent.ended()).await;
    assert!(finished.elapsed() < Duration::from_secs(1), "{:?}", finished.elapsed());
    assert!(matches!(link.ended(Duration::from_secs(1)).await, End::Closed { code: close::NORMAL, .. }));
}

#[tokio::test]
async fn an_agent_that_is_asked_to_end_ends_also_when_it_is_then_asked_to_go_online() {
    let Busy { go, hub, mut agent, link: _link, mut body, _kept } = busy().await;
    agent.quit();
    for online in [false, true] {
        agent.client().send(Command::SetOnline { online }).await.unwrap();
    }
    go.notify_one();
    while next(&mut body).await.is_some() {}
    soon("the end", agent.ended()).await;
    assert_eq!(hub.upgrades_seen(), 1);
}

#[tokio::test]
async fn an_idle_agent_ends_at_once_whatever_its_link_is_doing() {
    let (mut hub, _home, mut agent, _engine) = house().await;
    let _link = link(&mut hub).await;
    let asked = Instant::now();
    agent.quit();
    soon("the end", agent.ended()).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "up: {:?}", asked.elapsed());
    let (mut hub, _home, mut agent, _engine) = house().await;
    let _opened = hub.upgrade().await;
    let asked = Instant::now();
    agent.quit();
    soon("the end", agent.ended()).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "dialling: {:?}", asked.elapsed());
}

#[tokio::test]
async fn ending_now_cuts_what_runs_and_leaves_the_engine() {
    let Busy { go: _go, hub: _hub, mut agent, link: _link, mut body, _kept } = busy().await;
    agent.quit_now();
    soon("the end", agent.ended()).await;
    assert!(matches!(soon("the cut", body.data()).await, Some(Err(_))), "never a clean end");
}

#[tokio::test]
async fn a_hub_that_asks_to_drain_gets_the_running_answer_and_a_new_link() {
    let (mut hub, _home, _agent, _engine) = house().await;
    let mut first = link(&mut hub).await;
    first.say(&FromHub::Drain(wire::Drain { reason: "It restarts.".into() })).await;
    first.hear(|said| matches!(said, FromAgent::Draining(_))).await;
    let end = first.ended(Duration::from_secs(1)).await;
    assert!(matches!(end, End::Closed { code: close::NORMAL, .. }), "{end:?}");
    link(&mut hub).await;
}

/// Fault F1: an answer that takes longer than the drain may is cut, and its client is told in a typed error event.
#[tokio::test]
async fn what_outlasts_a_drain_ends_in_a_typed_error_event_and_then_the_node_is_offline() {
    for within_s in [0, 1] {
        let Busy { go: _go, hub: _hub, agent, link: _link, mut body, _kept } = busy().await;
        agent.client().send(Command::Drain { within_s: 600 }).await.unwrap();
        shows(&agent, "finishing", |picture| picture.overall == Overall::Finishing { requests: 1 }).await;
        let begun = Instant::now();
        agent.client().send(Command::Drain { within_s }).await.unwrap();
        let mut rest = Vec::new();
        while let Some(chunk) = next(&mut body).await {
            rest.extend_from_slice(&chunk);
        }
        let rest = String::from_utf8(rest).unwrap();
        assert!(rest.contains(r#""code":"node_stopped""#) && !rest.contains("[DONE]"), "{rest}");
        assert_eq!(body.trailers().await.unwrap().unwrap()["porten-end"], "error");
        assert!(
            begun.elapsed() >= Duration::from_secs(within_s) && begun.elapsed() < Duration::from_secs(within_s + 3)
        );
        shows(&agent, "offline", |picture| picture.overall == Overall::Off).await;
    }
}
