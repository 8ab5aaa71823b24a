//! What it costs to follow a cluster, and that a thousand switches leave nothing behind.
#![allow(clippy::print_stdout, reason = "the table")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use porten_cluster_tests::{LOADED, OTHER, Scene, model};
use porten_tests::client::streamed_chat;
use porten_tests::house::is_ready;
use porten_tests::process::cpu_time;
use porten_tests::{Agent, Hub, Sim};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const SOON: Duration = Duration::from_secs(90);

/// Carries bytes between the agent and exo, and counts those that exo sends.
struct Counter {
    port: u16,
    bytes: Arc<AtomicU64>,
}

impl Counter {
    async fn before(sim: &Sim) -> Self {
        let to: u16 = sim.url().rsplit(':').next().unwrap().trim_end_matches('/').parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let bytes = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&bytes);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let counted = Arc::clone(&counted);
                tokio::spawn(async move {
                    let far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                    let ((mut from_near, mut to_near), (mut from_far, mut to_far)) =
                        (near.into_split(), far.into_split());
                    tokio::spawn(async move { tokio::io::copy(&mut from_near, &mut to_far).await });
                    let mut some = vec![0; 64 * 1024];
                    while let Ok(n @ 1..) = from_far.read(&mut some).await {
                        counted.fetch_add(n as u64, Ordering::Relaxed);
                        if to_near.write_all(&some[..n]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { port, bytes }
    }
}

/// Two minutes of six Macs with two loaded models, nobody looking: processor time, bytes, and requests by exo's own count.
#[tokio::test]
#[ignore = "takes three minutes: make soak"]
async fn six_macs_and_two_models_cost_next_to_nothing_while_nobody_looks() {
    let sim = Sim::start(&["--macs", "6x128", "--loaded", LOADED.1, "--loaded", OTHER.1]).await;
    let counter = Counter::before(&sim).await;
    let hub = Hub::start_dev().await;
    let mut agent = Agent::new(&hub);
    agent.set("PORTEN_ENGINE", "exo").set("PORTEN_ENGINE_URL", &format!("http://localhost:{}", counter.port));
    agent.login(&hub).await;
    agent.run();
    agent.status_until(SOON, "it is served", is_ready).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let pid = agent.process().id();
    let (cpu, bytes, asked) = (cpu_time(pid), counter.bytes.load(Ordering::Relaxed), sim.requests().await.len());
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_secs(120)).await;
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    let of_a_core = (cpu_time(pid) - cpu).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
    let kb = (counter.bytes.load(Ordering::Relaxed) - bytes) as f64 / 1000.0 / minutes;
    let seen = sim.requests().await;
    let asked = seen[asked..].iter().filter(|one| !one.contains("/sim/")).count() as f64 / minutes;
    println!(
        "| six Macs, two models, idle | {of_a_core:.2} % of a core (≤ 0.2) | {kb:.0} kB/min (≤ 60) | {asked:.1} requests/min (≤ 12) |"
    );
    // Unoptimised and beside other work it takes more; the promise is measured with a release build.
    let most = if cfg!(debug_assertions) { 2.0 } else { 0.2 };
    assert!(of_a_core <= most && kb <= 60.0 && asked <= 12.0, "{seen:?}");
}

/// With a state that takes exo 300 ms to dump, a popover that is looked at must not cost a running stream 2 %.
#[tokio::test]
#[ignore = "takes two minutes: make soak"]
async fn who_looks_does_not_slow_a_running_stream() {
    let Scene { sim, hub, agent, .. } = Scene::start(&[]).await;
    sim.trouble("slow-state 300").await;
    let client = hub.client();
    let speed = async || {
        let mut body = streamed_chat(LOADED.0, "Tell a long story.");
        body["max_tokens"] = 600.into();
        let answer = client.stream("/v1/chat/completions", &body).await.finish().await;
        assert!(answer.is_success(), "{}", answer.body);
        let (first, last) = (answer.events.first().unwrap().0, answer.events.last().unwrap().0);
        (answer.events.len() - 1) as f64 / (last - first).as_secs_f64()
    };
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let unseen = speed().await;
        let looker = agent.start(&["status", "--watch"]);
        let seen = speed().await;
        drop(looker);
        ratios.push(seen / unseen);
    }
    ratios.sort_by(f64::total_cmp);
    println!("| slow-state 300 | tokens a second looked at / not: {ratios:.3?} (≥ 0.98) |");
    assert!(ratios[1] >= 0.98, "{ratios:?}");
}

/// A small random source of its own: the same switches every time.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[tokio::test]
async fn a_thousand_switches_leave_no_stuck_wish_no_wrong_advert_and_nothing_of_others_touched() {
    let sim = Sim::start(&["--macs", "4x128", "--loaded", LOADED.1, "--speed", "40"]).await;
    let hub = Hub::start_dev().await;
    let mut agent = Agent::new(&hub);
    agent.set("PORTEN_ENGINE_URL", &sim.url());
    agent.login(&hub).await;
    agent.run();
    agent.status_until(SOON, "it is served", is_ready).await;
    let theirs = sim.instances_of(LOADED.1).await;
    let ids = [LOADED.0, OTHER.0, "gpt-oss-120b"];
    let mut wanted = [true, false, false];
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    for n in 0..1_000 {
        let at = usize::try_from(dice.throw(3)).unwrap();
        wanted[at] = dice.throw(2) == 0;
        agent.turn(ids[at], wanted[at]).await;
        // Sometimes in a burst, sometimes so late that a load has begun or ended.
        if dice.throw(10) == 0 {
            tokio::time::sleep(Duration::from_millis(dice.throw(600))).await;
        }
        if n % 50 == 0 {
            let off: Vec<&str> = ids.into_iter().zip(wanted).filter(|(_, wanted)| !wanted).map(|(id, _)| id).collect();
            porten_tests::wait_until(Duration::from_secs(2), "what is off is withdrawn", async || {
                let offered = hub.offered().await;
                (!offered.iter().any(|id| off.contains(&id.as_str()))).then_some(())
            })
            .await;
        }
    }
    let settled = |status: &Value| {
        ids.iter().zip(wanted).all(|(id, wanted)| {
            let model = model(status, id);
            let state = model["state"]["state"].as_str().unwrap_or_default();
            model["wanted"] == wanted && if wanted { matches!(state, "ready" | "serving") } else { state == "off" }
        })
    };
    let status = agent.status_until(SOON, "every wish is fulfilled", settled).await;
    let mut offered = hub.offered().await;
    offered.sort();
    let mut expected: Vec<&str> = ids.iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(id, _)| *id).collect();
    expected.sort_unstable();
    assert_eq!(offered, expected, "{status}");
    assert_eq!(sim.instances_of(LOADED.1).await, theirs, "what others placed is where it was");
    for (at, engine_id) in [(1, OTHER.1), (2, "mlx-community/gpt-oss-120b-MXFP4-Q8")] {
        porten_tests::wait_until(SOON, "no instance too many", async || {
            (sim.instances_of(engine_id).await.len() == usize::from(wanted[at])).then_some(())
        })
        .await;
    }
    let deleted = |request: &&String| theirs.iter().any(|id| request.as_str() == format!("DELETE /instance/{id}"));
    assert_eq!(sim.requests().await.iter().find(deleted), None);
}
