//! What the menu-bar app costs: how soon it is there, how soon the popover is drawn, and what stays while nobody looks.
//!
//! Figures of a release build (docs/performance.md): `cargo build --release --workspace --bins`, then
//! `cargo test --release -p porten-tests --test app_costs -- --ignored --nocapture`.
#![cfg(target_os = "linux")]

use std::io::Write as _;
use std::time::{Duration, Instant};

use porten_tests::desktop::{SOON, Tray, cluster, is_drawn, windows};
use porten_tests::process::{children, cpu_time, name, pss};
use porten_tests::{Agent, desktop, inside, wait_until};

const POPOVER: &str = "^Porten$";
/// Starts and openings that are measured; the middle one counts.
const ROUNDS: usize = 5;
/// How long the idle app is watched.
const WATCHED: Duration = Duration::from_secs(30);
/// A hidden page is given back after three minutes; its process takes a moment to end.
const GIVEN_BACK: Duration = Duration::from_secs(3 * 60 + 10);

/// What is promised.
const TO_TRAY: Duration = Duration::from_millis(500);
const COLD: Duration = Duration::from_millis(900);
const WARM: Duration = Duration::from_millis(150);
const MEMORY: u64 = 110 * 1_000_000;
/// Of one core, in thousandths.
const IDLE: u128 = 5;

/// Outside the test's own output, which the inner run keeps to itself.
fn say(figures: &str) {
    let _ = writeln!(std::io::stderr(), "{figures}");
}

fn middle(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Looks without a pause until it is so, and returns how long that took.
fn until(from: Instant, is_so: impl Fn() -> bool) -> Duration {
    while !is_so() {
        assert!(from.elapsed() < SOON, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
    from.elapsed()
}

async fn opened(tray: &Tray) -> Duration {
    let begun = Instant::now();
    tray.click("Open Porten").await;
    until(begun, || windows(POPOVER).first().is_some_and(|window| is_drawn(window)))
}

/// Hides the popover behind the settings, and those too.
async fn closed(tray: &Tray) {
    tray.click("Settings…").await;
    let settings = desktop::window("^Porten Settings$").await;
    desktop::focus(&settings);
    wait_until(SOON, "both windows hide", async || {
        desktop::press("Escape");
        windows("^Porten").is_empty().then_some(())
    })
    .await;
}

/// The app and all that it started.
fn all(agent: &mut Agent) -> Vec<u32> {
    let mut found = vec![agent.process().id()];
    let mut at = 0;
    while let Some(id) = found.get(at) {
        found.extend(children(*id));
        at += 1;
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement of five minutes, of a release build on a quiet machine"]
async fn the_app_is_there_at_once_and_costs_next_to_nothing_while_nobody_looks() {
    if !inside::desktop("the_app_is_there_at_once_and_costs_next_to_nothing_while_nobody_looks") {
        return;
    }
    let tray = Tray::open().await;
    let (_sim, hub, mut agent, _browser) = cluster().await;
    agent.login(&hub).await;
    let (mut starts, mut cold) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        if round > 0 {
            agent.stop().await;
        }
        let icons = tray.icons();
        let begun = Instant::now();
        agent.run_app(&[]);
        starts.push(until(begun, || tray.icons() > icons));
        tray.says("Ready").await;
        cold.push(opened(&tray).await);
    }
    let mut warm = Vec::new();
    for _ in 0..ROUNDS {
        closed(&tray).await;
        warm.push(opened(&tray).await);
    }
    closed(&tray).await;
    let (to_tray, cold, warm) = (middle(starts), middle(cold), middle(warm));
    let [tray_ms, cold_ms, warm_ms] = [to_tray, cold, warm].map(|time| time.as_millis());
    say(&format!("start to tray {tray_ms} ms, popover cold {cold_ms} ms, warm {warm_ms} ms"));
    tokio::time::sleep(GIVEN_BACK).await;
    let left = all(&mut agent);
    let names: Vec<String> = left.iter().map(|id| name(*id)).collect();
    let memory: u64 = left.iter().map(|id| pss(*id)).sum();
    let spent = || left.iter().map(|id| cpu_time(*id)).sum::<Duration>();
    let before = spent();
    tokio::time::sleep(WATCHED).await;
    let idle = (spent() - before).as_micros() * 1000 / WATCHED.as_micros();
    say(&format!("hidden: {names:?}, {} MB PSS, {idle} ‰ of a core", memory / 1_000_000));
    assert!(to_tray <= TO_TRAY && cold <= COLD && warm <= WARM);
    assert!(!names.iter().any(|name| name.starts_with("WebKit")), "{names:?}");
    assert!(memory <= MEMORY && idle <= IDLE);
    let again = opened(&tray).await;
    say(&format!("popover after that {} ms", again.as_millis()));
    assert!(again <= COLD, "what was given back comes as soon as the first time");
}
