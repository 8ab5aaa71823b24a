//! Ending and draining: what runs is finished, nothing new is taken, and neither takes longer than it must.

use std::sync::Arc;
use std::time::{Duration, Instant};

use h2::RecvStream;
use porten_agent::agent::Agent;
use porten_core::command::Command;
use porten_core::leaving::PERSONS;
use porten_core::pause::Pause;
use porten_core::snapshot::{Overall, Snapshot, WhyView};
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

/// An engine that never begins to answer people.
async fn silent_engine() -> Engine {
    Engine::start(|_, request, mut socket| async move {
        if request.body.contains("\"max_tokens\":1") || !request.is("POST /v1/chat/completions") {
            return write(&mut socket, &healthy(&request, &["a"])).await;
        }
        std::future::pending::<()>().await;
    })
    .await
}

const NODE_STOPPED: http::HeaderValue = http::HeaderValue::from_static("node_stopped");

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
    agent.quit(PERSONS);
    let said = link.confirm().await;
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
    let Busy { go, hub, mut agent, mut link, mut body, _kept } = busy().await;
    agent.quit(PERSONS);
    for online in [false, true] {
        agent.client().send(Command::SetOnline { online }).await.unwrap();
    }
    link.confirm().await;
    go.notify_one();
    while next(&mut body).await.is_some() {}
    soon("the end", agent.ended()).await;
    assert_eq!(hub.upgrades_seen(), 1);
}

#[tokio::test]
async fn an_idle_agent_ends_at_once_whatever_its_link_is_doing() {
    let (mut hub, _home, mut agent, _engine) = house().await;
    let mut link = link(&mut hub).await;
    advertised(&mut link).await;
    let asked = Instant::now();
    agent.quit(PERSONS);
    link.confirm().await;
    soon("the end", agent.ended()).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "up: {:?}", asked.elapsed());
    let (mut hub, _home, mut agent, _engine) = house().await;
    let _opened = hub.upgrade().await;
    let asked = Instant::now();
    agent.quit(PERSONS);
    soon("the end", agent.ended()).await;
    assert!(asked.elapsed() < Duration::from_secs(1), "dialling: {:?}", asked.elapsed());
}

/// Fault F1: a second signal ends the process now, and each client whose answer is cut is told in a typed error event.
#[tokio::test]
async fn ending_now_cuts_what_runs_and_its_client_is_told() {
    let Busy { go: _go, hub: _hub, mut agent, mut link, body, _kept } = busy().await;
    let asked = Instant::now();
    agent.quit_now();
    link.confirm().await;
    is_cut(body).await;
    soon("the end", agent.ended()).await;
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
}

/// The rest of an answer that the node cut: the error is its last event, and the trailer says so too.
async fn is_cut(mut body: RecvStream) {
    let mut rest = Vec::new();
    while let Some(chunk) = next(&mut body).await {
        rest.extend_from_slice(&chunk);
    }
    let rest = String::from_utf8(rest).unwrap();
    assert!(rest.contains("\"code\":\"node_stopped\"") && !rest.contains("[DONE]"), "{rest}");
    assert_eq!(body.trailers().await.unwrap().unwrap()["porten-end"], "error");
}

/// Fault F1: an answer that takes longer than the drain may is cut, and its client is told in a typed error event.
#[tokio::test]
async fn what_outlasts_the_time_of_a_drain_is_cut_and_the_node_stays_offline() {
    let Busy { go: _go, hub, agent, mut link, body, _kept } = busy().await;
    agent.client().send(Command::Drain { within_s: 1 }).await.unwrap();
    let begun = Instant::now();
    link.confirm().await;
    shows(&agent, "finishing", |picture| picture.overall == Overall::Finishing { requests: 1 }).await;
    is_cut(body).await;
    assert!(begun.elapsed() > Duration::from_millis(900), "{:?}", begun.elapsed());
    shows(&agent, "off", |picture| picture.overall == Overall::Off).await;
    assert_eq!((hub.upgrades_seen(), agent.client().snapshot().traffic.failed), (1, 1));
}

/// Fault F1: what had not begun to answer when the time of a drain is up may be asked of another node.
#[tokio::test]
async fn an_answer_that_has_not_begun_is_cut_with_a_status_that_another_node_may_better() {
    let (mut hub, engine) = (Hub::start().await, silent_engine().await);
    let home = Home::signed_in(&hub.url, &engine).await;
    let agent = home.start();
    let mut link = link(&mut hub).await;
    advertised(&mut link).await;
    let asked = [chat(true), chat(false)].map(|body| (link.call.clone(), body));
    let answers = asked.map(|(call, body)| tokio::spawn(async move { post(&call, &body).await.unwrap().await }));
    shows(&agent, "two run", |picture| picture.traffic.in_flight == 2).await;
    agent.client().send(Command::Drain { within_s: 0 }).await.unwrap();
    link.confirm().await;
    for answer in answers {
        let answer = soon("an answer", answer).await.unwrap().unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["porten-refusal"]), (503, &NODE_STOPPED));
    }
}

#[tokio::test]
async fn a_drain_that_is_undone_ends_the_link_in_order_and_begins_another() {
    let Busy { go, mut hub, agent, mut link, mut body, _kept } = busy().await;
    agent.client().send(Command::Drain { within_s: 600 }).await.unwrap();
    link.confirm().await;
    agent.client().send(Command::SetOnline { online: true }).await.unwrap();
    go.notify_one();
    while next(&mut body).await.is_some() {}
    assert_eq!(body.trailers().await.unwrap().unwrap()["porten-end"], "complete");
    let mut again = self::link(&mut hub).await;
    advertised(&mut again).await;
}

/// Fault F1: a Hub that does not confirm the drain is waited for three seconds, not for ever.
#[tokio::test]
async fn a_hub_that_does_not_confirm_a_drain_is_waited_for_three_seconds_only() {
    let (mut hub, _home, mut agent, _engine) = house().await;
    let mut link = link(&mut hub).await;
    advertised(&mut link).await;
    let asked = Instant::now();
    agent.quit(PERSONS);
    link.hear(|said| matches!(said, FromAgent::Draining(_))).await;
    soon("the end", agent.ended()).await;
    let took = asked.elapsed();
    assert!(took > Duration::from_millis(2900) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_hub_that_drains_and_wants_the_node_to_stay_is_shown_until_it_places_again() {
    let (mut hub, _home, agent, _engine) = house().await;
    let mut link = link(&mut hub).await;
    advertised(&mut link).await;
    let told = |standing| FromHub::Traffic(wire::Traffic { models: vec![wire::ModelTraffic::new("tiny", standing)] });
    let reason = "This Hub\u{1b}[2J restarts.".to_owned();
    link.say(&FromHub::Drain(wire::Drain { reason, stay: true })).await;
    link.say(&told(wire::Standing::HubDrains)).await;
    shows(&agent, "its reason", |picture| {
        picture.hub.drains.as_deref() == Some("This Hub[2J restarts.")
            && picture.models[0].why == Some(WhyView::HubDrains)
    })
    .await;
    link.say(&told(wire::Standing::Eligible)).await;
    shows(&agent, "that it is over", |picture| {
        picture.hub.drains.is_none() && matches!(picture.models[0].why, Some(WhyView::Idle { .. }))
    })
    .await;
    assert_eq!(hub.upgrades_seen(), 1);
}

#[tokio::test]
async fn a_hub_that_asks_to_drain_gets_the_running_answer_and_a_new_link() {
    let (mut hub, _home, _agent, _engine) = house().await;
    let mut first = link(&mut hub).await;
    first.say(&FromHub::Drain(wire::Drain { reason: "It restarts.".into(), stay: false })).await;
    first.confirm().await;
    let end = first.ended(Duration::from_secs(1)).await;
    assert!(matches!(end, End::Closed { code: close::NORMAL, .. }), "{end:?}");
    link(&mut hub).await;
}

/// An agent that rests finishes what runs, comes back by itself, and comes back sooner if it is told.
#[tokio::test]
async fn a_rest_finishes_what_runs_and_ends_by_itself_or_when_it_is_told() {
    let Busy { go, mut hub, agent, link, mut body, _kept } = busy().await;
    let client = agent.client().clone();
    // This Hub confirms no drain, which the agent waits 3 s for.
    let until = jiff::Timestamp::now() + Duration::from_secs(7);
    client.send(Command::Pause { pause: Some(Pause::Until { until }) }).await.unwrap();
    shows(&agent, "it finishes", |picture| picture.overall == Overall::Finishing { requests: 1 }).await;
    go.notify_one();
    while next(&mut body).await.is_some() {}
    let rests = |picture: &Snapshot| picture.overall == Overall::Paused { until: Some(until) };
    shows(&agent, "it rests", rests).await;
    drop(link);
    let mut back = crate::support::house::link(&mut hub).await;
    advertised(&mut back).await;
    assert!(jiff::Timestamp::now() >= until, "it came back before its time");
    assert_eq!(client.snapshot().pause, None);
    let long = jiff::Timestamp::now() + Duration::from_secs(3600);
    client.send(Command::Pause { pause: Some(Pause::Until { until: long }) }).await.unwrap();
    shows(&agent, "it rests", |picture| picture.overall == Overall::Paused { until: Some(long) }).await;
    client.send(Command::SetOnline { online: true }).await.unwrap();
    advertised(&mut crate::support::house::link(&mut hub).await).await;
}

#[tokio::test]
async fn while_somebody_uses_the_machine_an_agent_rests_and_one_that_cannot_know_says_so() {
    let (mut hub, home, agent, _engine) = house().await;
    advertised(&mut link(&mut hub).await).await;
    let pause = Some(Pause::WhileInUse);
    agent.client().send(Command::Pause { pause }).await.unwrap();
    let cannot = |picture: &Snapshot| picture.pause.as_ref().is_some_and(|pause| pause.cannot.is_some());
    shows(&agent, "it says so", cannot).await;
    agent.client().send(Command::Pause { pause: None }).await.unwrap();
    home.unused.store(2, std::sync::atomic::Ordering::SeqCst);
    agent.client().send(Command::Pause { pause }).await.unwrap();
    shows(&agent, "it rests", |picture| picture.overall == Overall::Paused { until: None }).await;
    agent.client().send(Command::Pause { pause: None }).await.unwrap();
    advertised(&mut link(&mut hub).await).await;
}
