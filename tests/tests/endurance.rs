//! Many requests while the Hub is restarted again and again: what fails, fails because no Hub is there; nothing is lost, computed
//! twice or cut in silence, and the agent comes out as it went in.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use porten_tests::client::{Client, chat};
use porten_tests::engine::{Engine, Manner};
use porten_tests::{Agent, House, Hub, wait_until};
use tokio::task::JoinSet;

/// Clients at a time.
const CLIENTS: usize = 16;
/// A client that was refused waits so long before its next request.
const PAUSE: Duration = Duration::from_millis(20);
/// The node serves again so soon after its Hub.
const BACK: Duration = Duration::from_secs(20);
/// A hundred thousand requests take less, on a busy machine.
const LONG: Duration = Duration::from_secs(3600);
/// An answer takes longer only where something hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// How one request ended, and when it was under way.
struct Told {
    begun: Instant,
    ended: Instant,
    how: How,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// Every token and `[DONE]`.
    Whole,
    /// An error status or an error event.
    Error,
    /// The connection to the Hub was refused or broke.
    Broken,
    /// It ended as if it were whole, and is not.
    Silent,
}

/// When there was no Hub, or none with this node: from the order to stop until a request was served again.
type Outages = Arc<Mutex<Vec<(Instant, Instant)>>>;

async fn ask(client: &Client, number: usize) -> How {
    let mut body = chat("tiny", &format!("question {number}"));
    body["stream"] = true.into();
    let asked = async { client.send("/v1/chat/completions", &body).await?.error_for_status()?.text().await };
    match tokio::time::timeout(PATIENCE, asked).await {
        Err(_) => How::Silent,
        Ok(Err(error)) if error.is_status() => How::Error,
        Ok(Err(_)) => How::Broken,
        Ok(Ok(text)) if text.contains("\"error\"") => How::Error,
        Ok(Ok(text)) if text.contains("\"finish_reason\":\"") && text.ends_with("data: [DONE]\n\n") => How::Whole,
        Ok(Ok(_)) => How::Silent,
    }
}

/// The most memory that the agent held (KiB).
fn peak(id: u32) -> f64 {
    kib(id, "VmHWM:")
}

/// What the agent holds: memory (KiB) and open files.
fn held(id: u32) -> (f64, usize) {
    (kib(id, "VmRSS:"), std::fs::read_dir(format!("/proc/{id}/fd")).expect("its files").count())
}

fn kib(id: u32, what: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("the agent runs");
    let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("its memory");
    line.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

/// As people run it: the most talkative logs would be most of the work.
async fn quiet_house() -> House {
    let engine = Engine::start(Manner::llama("tiny")).await;
    let hub = Hub::start_with_log("info").await;
    let mut agent = Agent::new(&hub);
    agent.set("PORTEN_ENGINE", "openai").set("PORTEN_ENGINE_URL", &engine.url()).set("PORTEN_ENGINE_MODELS", "tiny");
    agent.set("PORTEN_VRAM_BUDGET_MB", "4096").set("PORTEN_LOG", "info");
    agent.login(&hub).await;
    agent.run();
    House { engine, hub, agent }
}

async fn endure(requests: usize, restarts: usize, warm: usize) {
    let mut house = quiet_house().await;
    house.wait_ready(BACK).await;
    let agent = house.agent.process().id();
    let client = house.client();
    let (next, outages) = (Arc::new(AtomicUsize::new(0)), Outages::default());
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (client, next) = (client.clone(), Arc::clone(&next));
        clients.spawn(async move {
            let mut told = Vec::new();
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= requests {
                    return told;
                }
                let begun = Instant::now();
                let how = ask(&client, number).await;
                told.push(Told { begun, ended: Instant::now(), how });
                if how != How::Whole {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
    }
    let (mut before, mut files) = (None, 0);
    for restart in 0..restarts {
        let mark = (requests * (restart + 1) / (restarts + 1)).max(warm + 1);
        reached(&next, warm).await;
        if before.is_none() {
            (before, files) = (Some((held(agent).0, next.load(Ordering::Relaxed))), held(agent).1);
        }
        reached(&next, mark).await;
        let gone = Instant::now();
        if restart % 2 == 0 {
            house.hub.stop().await;
        } else {
            house.hub.kill();
        }
        house.hub.start().await;
        house.served_within(BACK).await;
        outages.lock().expect("no panic").push((gone, Instant::now()));
    }
    let told: Vec<Told> = clients.join_all().await.into_iter().flatten().collect();
    let count = |how: How| told.iter().filter(|one| one.how == how).count();
    eprintln!(
        "{requests} requests, {restarts} restarts: {} whole, {} refused or ended in an error, {} broke off, {} silent",
        count(How::Whole),
        count(How::Error),
        count(How::Broken),
        count(How::Silent)
    );
    assert_eq!(told.len(), requests, "each request ended once");
    assert_eq!(count(How::Silent), 0, "cut in silence");
    let outages = outages.lock().expect("no panic").clone();
    let there = |one: &&Told| outages.iter().all(|(gone, back)| one.ended < *gone || one.begun > *back);
    let unexplained = told.iter().filter(|one| one.how != How::Whole).filter(there).count();
    assert_eq!(unexplained, 0, "failed although a Hub was there");

    let mut computed: BTreeMap<String, usize> = BTreeMap::new();
    for seen in house.engine.asked() {
        let prompt = seen.json()["messages"][0]["content"].as_str().unwrap_or_default().to_owned();
        *computed.entry(prompt).or_default() += 1;
    }
    let twice = computed.iter().filter(|(prompt, times)| prompt.starts_with("question ") && **times > 1).count();
    assert_eq!(twice, 0, "computed twice");

    // Idle connections to the engine close after a few seconds.
    let as_before = async || (held(agent).1 <= files).then_some(());
    wait_until(Duration::from_secs(20), "the agent holds as many files as before", as_before).await;
    let (kib, at) = before.expect("it was warm");
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    let slope = (held(agent).0 - kib) / 1024.0 / ((requests - at) as f64 / 10_000.0);
    eprintln!(
        "the agent grew by {slope:.2} MiB for 10,000 requests after the first {at}, and holds {:.1} MiB",
        held(agent).0 / 1024.0
    );
    if requests >= 50_000 {
        assert!(slope <= 1.0, "{slope} MiB for 10,000 requests");
    }
    house.agent.stop().await;
}

/// So many requests were begun.
async fn reached(next: &AtomicUsize, mark: usize) {
    let is_reached = async || (next.load(Ordering::Relaxed) >= mark).then_some(());
    wait_until(LONG, "so many requests were begun", is_reached).await;
}

/// Fault F5: while a Hub is restarted nothing fails but what was under way or came without a Hub, nothing is computed twice, and the
/// agent's files come back to what they were.
#[tokio::test(flavor = "multi_thread")]
async fn through_a_restart_of_the_hub_nothing_is_lost_doubled_or_cut_in_silence() {
    endure(3_000, 2, 500).await;
}

/// Fault F5: the same for 100,000 requests and five restarts; the agent's memory grows by less than 1 MiB for 10,000 requests.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes many minutes: make soak"]
async fn a_hundred_thousand_requests_and_five_restarts_lose_nothing() {
    endure(100_000, 5, 2_000).await;
}

/// Fault F6: all of 512 streams of 1,000 tokens are whole, and the agent holds at most 64 MiB (a release build; twice that in debug).
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute or two: make soak"]
async fn five_hundred_and_twelve_streams_of_a_thousand_tokens_are_all_whole() {
    let mut house = quiet_house().await;
    house.wait_ready(BACK).await;
    house.engine.change(|manner| manner.chunks = Some(1000));
    let agent = house.agent.process().id();
    let client = house.client();
    let mut streams = JoinSet::new();
    for number in 0..512 {
        let client = client.clone();
        streams.spawn(async move { ask(&client, number).await });
    }
    let told = streams.join_all().await;
    let mib = peak(agent) / 1024.0;
    eprintln!("512 streams of 1,000 tokens: the agent held at most {mib:.1} MiB");
    assert!(told.iter().all(|how| *how == How::Whole), "{told:?}");
    assert!(mib <= if cfg!(debug_assertions) { 128.0 } else { 64.0 }, "{mib} MiB");
}
