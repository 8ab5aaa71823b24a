//! Much work, many streams, and a Hub that restarts in the middle of it: nothing is lost, doubled or cut in silence, and
//! nothing grows. The long forms are `make soak`'s.
#![cfg(target_os = "linux")] // /proc
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use porten_tests::engine::{Manner, Seen};
use porten_tests::house::is_ready;
use porten_tests::process::{open_files, peak, resident};
use porten_tests::{Agent, Client, Engine, House, Hub, client, wait_until};

/// Clients that ask at a time.
const CLIENTS: usize = 16;
/// What is held before so many requests were answered is warming up.
const WARM: u64 = 2_000;
/// How much more the agent may hold with each 10,000 requests (bytes).
const SLOPE: f64 = 1024.0 * 1024.0;
/// What the agent may hold with 512 streams (bytes). Unoptimised, its tasks are larger and fall behind, so that more of each
/// answer is on its way.
const MOST: u64 = if cfg!(debug_assertions) { 96 } else { 64 } * 1024 * 1024;
const SOON: Duration = Duration::from_secs(30);

/// A house that does not talk, since it is to work.
async fn quiet_house(manner: Manner) -> House {
    let engine = Engine::start(manner).await;
    let hub = Hub::start_with_log("warn").await;
    let mut agent = Agent::new(&hub);
    agent.set("PORTEN_LOG", "warn");
    agent.set_engine(&engine.url());
    agent.login(&hub).await;
    agent.run();
    let house = House { engine, hub, agent };
    house.wait_ready(SOON).await;
    house
}

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// The whole answer.
    Whole,
    /// An error that says so: a status, an error event, a connection that broke or could not be made.
    Told(String),
    /// Something that looks whole and is not.
    Wrong(String),
}

async fn ask(client: &Client, number: u64, wanted: &str) -> Outcome {
    let mut body = client::chat("tiny", &format!("request {number}"));
    let streams = !number.is_multiple_of(4);
    body["stream"] = streams.into();
    let response = match client.send("/v1/chat/completions", &body).await {
        Ok(response) => response,
        Err(error) => return Outcome::Told(error.to_string()),
    };
    let status = response.status().as_u16();
    let Ok(text) = response.text().await else { return Outcome::Told("the connection broke".into()) };
    if status != 200 {
        return Outcome::Told(format!("{status} {text}"));
    }
    let events = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let parts = events.filter_map(|event| serde_json::from_str::<serde_json::Value>(event).ok());
    let parts: Vec<_> = if streams { parts.collect() } else { serde_json::from_str(&text).into_iter().collect() };
    if let Some(error) = parts.iter().find(|part| part["error"].is_object()) {
        return Outcome::Told(error.to_string());
    }
    let said = |part: &serde_json::Value| {
        let choice = &part["choices"][0];
        let content = choice["delta"]["content"].as_str().or_else(|| choice["message"]["content"].as_str());
        content.unwrap_or_default().to_owned()
    };
    let content: String = parts.iter().map(said).collect();
    let is_ended = !streams || text.ends_with("data: [DONE]\n\n");
    if content == wanted && is_ended { Outcome::Whole } else { Outcome::Wrong(text) }
}

/// The engine's requests by their number, added up.
fn count(counts: &mut BTreeMap<u64, u32>, seen: &[Seen]) {
    for seen in seen {
        let body = seen.json();
        let number = body["messages"][0]["content"].as_str().and_then(|text| text.strip_prefix("request "));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            *counts.entry(number).or_default() += 1;
        }
    }
}

/// One that failed: its number, when it was asked, when it was told, and the words.
type Failed = (u64, Duration, Duration, String);

/// Requests failed only while no Hub was there (`away`); none is lost, and none reached the engine twice.
fn check(requests: u64, told: &[Failed], away: &[(Duration, Duration)], counts: &BTreeMap<u64, u32>) {
    for (number, asked, answered, words) in told {
        let is_excused = away.iter().any(|(gone, back)| asked <= back && answered >= gone);
        assert!(is_excused, "request {number} failed while the Hub was there: {words}");
    }
    let failed: BTreeSet<u64> = told.iter().map(|(number, ..)| *number).collect();
    for number in 0..requests {
        let asked = counts.get(&number).copied().unwrap_or_default();
        assert!(asked <= 1, "request {number} reached the engine {asked} times");
        assert!(asked == 1 || failed.contains(&number), "request {number} was answered and never asked");
    }
}

/// One client: asks the next request until there is none, and tells which failed.
async fn asks(
    client: &Client,
    wanted: &str,
    begun: Instant,
    requests: u64,
    next: &AtomicU64,
    done: &AtomicU64,
) -> Vec<Failed> {
    let mut told = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= requests {
            return told;
        }
        let asked = begun.elapsed();
        match ask(client, number, wanted).await {
            Outcome::Whole => {}
            Outcome::Told(words) => {
                told.push((number, asked, begun.elapsed(), words));
                // A Hub that is away refuses in no time; nobody asks a thousand times a second.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Outcome::Wrong(text) => panic!("request {number} looks whole and is not: {text:?}"),
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Asks so often, restarts the Hub so often meanwhile, every other time by a crash, and checks each request's fate.
async fn work(requests: u64, restarts: u32) {
    let manner = Manner { chunks: Some(3), ..Manner::llama("tiny") };
    let wanted = manner.text(3);
    let mut house = quiet_house(manner).await;
    let id = house.agent.process().id();
    let files = open_files(id);
    let (next, done) = (AtomicU64::new(0), AtomicU64::new(0));
    let client = house.client();
    let begun = Instant::now();
    let asking = join_all((0..CLIENTS).map(|_| asks(&client, &wanted, begun, requests, &next, &done)));
    let (mut counts, mut samples, mut away) = (BTreeMap::new(), Vec::new(), Vec::new());
    let watching = async {
        let mut next_restart = requests / u64::from(restarts + 1);
        while done.load(Ordering::Relaxed) < requests {
            tokio::time::sleep(Duration::from_millis(50)).await;
            count(&mut counts, &house.engine.take_seen());
            let answered = done.load(Ordering::Relaxed);
            if answered >= WARM && samples.last().is_none_or(|(last, _)| answered >= last + WARM / 4) {
                samples.push((answered, resident(id).expect("the agent runs")));
            }
            if away.len() < restarts as usize && answered >= next_restart {
                next_restart += requests / u64::from(restarts + 1);
                let gone = begun.elapsed();
                if away.len().is_multiple_of(2) {
                    house.hub.stop().await;
                } else {
                    house.hub.kill();
                }
                house.hub.start().await;
                house.served_within(SOON).await;
                away.push((gone, begun.elapsed()));
            }
        }
    };
    let (told, ()) = tokio::join!(asking, watching);
    count(&mut counts, &house.engine.take_seen());
    let told: Vec<_> = told.into_iter().flatten().collect();
    check(requests, &told, &away, &counts);
    let slope = slope(&samples);
    eprintln!(
        "{requests} requests and {restarts} restarts in {:?}: {} were told that they failed; {} KiB more with each 10,000; {} KiB now",
        begun.elapsed(),
        told.len(),
        slope / 1024.0,
        resident(id).expect("the agent runs") / 1024
    );
    // A few samples over a few thousand requests tell nothing.
    if requests >= 10 * WARM {
        assert!(slope <= SLOPE, "{slope} bytes more with each 10,000 requests: {samples:?}");
    }
    house
        .agent
        .status_until(SOON, "nothing runs any more", |status| is_ready(status) && status["traffic"]["in_flight"] == 0)
        .await;
    wait_until(SOON, "its files are closed again", async || (open_files(id) <= files + 1).then_some(())).await;
    wait_until(SOON, "its engine connections are closed", async || (house.engine.connections() <= 1).then_some(()))
        .await;
}

/// The line through the samples: bytes with each 10,000 requests.
fn slope(samples: &[(u64, u64)]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^53")]
    let points: Vec<(f64, f64)> = samples.iter().map(|(x, y)| (*x as f64 / 10_000.0, *y as f64)).collect();
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let count = points.len().max(1) as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let together: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    if spread > 0.0 { together / spread } else { 0.0 }
}

#[test]
fn a_line_is_found_through_samples() {
    assert!((slope(&[(10_000, 5), (20_000, 8), (30_000, 11)]) - 3.0).abs() < 1e-9);
    assert!(slope(&[(1, 1)]).abs() < 1e-9);
}

/// Fault F5: over 2,000 requests and a restart of the Hub, requests fail only while no Hub is there; none is lost, reaches the
/// engine twice, or is cut in silence; files and connections are back where they were.
#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_requests_over_a_restart_of_the_hub() {
    work(2_000, 1).await;
}

/// Fault F5: the same over 100,000 requests and five restarts, and the agent holds at most 1 MiB more with each 10,000.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make soak"]
async fn a_hundred_thousand_requests_over_five_restarts_of_the_hub() {
    work(100_000, 5).await;
}

/// Asks for so many streams at a time, of so many tokens each, as fast as an engine makes them.
async fn crowd(streams: usize, tokens: u32, pause: Duration) {
    let manner = Manner { chunks: Some(tokens), delay: pause, ..Manner::llama("tiny") };
    let wanted = manner.text(tokens);
    let mut house = quiet_house(manner).await;
    let id = house.agent.process().id();
    let client = house.client();
    let begun = Instant::now();
    let outcomes = join_all((0..streams as u64).map(|number| ask(&client, 4 * number + 1, &wanted))).await;
    let wrong: Vec<_> = outcomes.iter().filter(|outcome| **outcome != Outcome::Whole).take(3).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let most = peak(id).expect("the agent runs");
    eprintln!("{streams} streams of {tokens} tokens in {:?}, {} KiB at most", begun.elapsed(), most / 1024);
    assert!(most <= MOST, "{most} bytes");
}

/// Fault F6: 512 streams at a time all come whole, and the agent holds at most 64 MiB (96 unoptimised).
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_and_twelve_streams_at_a_time_come_whole() {
    crowd(512, 40, Duration::ZERO).await;
}

/// Fault F6: so do 512 streams of 1,000 tokens, 50 a second each.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: make soak"]
async fn five_hundred_and_twelve_long_streams_at_a_time_come_whole() {
    crowd(512, 1000, Duration::from_millis(20)).await;
}
