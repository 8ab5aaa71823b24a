//! Thousands of lives of a link, each of its own weather: drops, standstills, repairs, Hubs and engines that die and come
//! back, clients that leave. Time is simulated; the sessions, the relay and the machine are the product's.
//!
//! A life that goes wrong prints its seed; `PORTEN_SEED=SEED cargo test -p porten-tests --test simulation` lives it again.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use porten_core::wire::MAX_STREAMS;
use porten_tests::luck::Luck;
use porten_tests::simulation::{Driver, Engine, Fate, Hub, Network, ask};
use tokio::task::JoinSet;
use tokio::time::{Instant as Moment, sleep, timeout};

/// Lives in `make test`: some seconds, unoptimised.
const FEW: u64 = 300;
const MANY: u64 = 10_000;
/// How long there is weather.
const WEATHER: Duration = Duration::from_secs(90);
/// Who asks.
const CLIENTS: u64 = 4;
/// From the repair to a link: a dead one is noticed after 25 s, a dial is given up after 15 s, and the longest wait after
/// outages of these lengths is a tenth of them.
const BACK: Duration = Duration::from_secs(25 + 15 + 10);
/// An answer of a simulated engine takes 18 s, one whose link died until that is noticed.
const ANSWERED: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
struct Tally {
    whole: AtomicU64,
    told: AtomicU64,
    reset: AtomicU64,
    left: AtomicU64,
}

/// What there is in one life.
#[derive(Debug, Clone)]
struct World {
    network: Network,
    hub: Hub,
    engine: Engine,
}

/// Asks on and on while there is weather.
async fn client(name: u64, world: World, mut luck: Luck, tally: Arc<Tally>, until: Moment) -> Result<(), String> {
    let mut number = name << 32;
    while Moment::now() < until {
        sleep(Duration::from_millis(luck.below(3000) as u64)).await;
        let Some(link) = world.hub.link() else { continue };
        number += 1;
        if luck.percent(5) {
            let path = luck.pick(&["/instance", "/v1/models", "/v1/../state"]);
            let fate =
                timeout(ANSWERED, ask(link, number, path, true)).await.map_err(|_| format!("{path} has no end"))??;
            if !matches!(fate, Fate::Told(404 | 405) | Fate::Reset) {
                return Err(format!("{path} ended as {fate:?}"));
            }
            continue;
        }
        let leaves = luck.percent(20).then(|| Duration::from_millis(luck.below(9000) as u64));
        let asked = ask(link, number, "/v1/chat/completions", luck.percent(70));
        let count = match timeout(leaves.unwrap_or(ANSWERED), asked).await {
            Err(_) if leaves.is_some() => {
                is_left(&world, number).await?;
                &tally.left
            }
            Err(_) => return Err(format!("request {number} has no end after {ANSWERED:?}")),
            Ok(fate) => match fate? {
                Fate::Whole => &tally.whole,
                Fate::Told(_) => &tally.told,
                Fate::Reset => &tally.reset,
            },
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

/// Whoever leaves stops the engine within a second, and the way to it and back, if nothing disturbs the link meanwhile.
async fn is_left(world: &World, number: u64) -> Result<(), String> {
    let (changes, was_up) = (world.network.changes(), world.hub.is_linked());
    sleep(Duration::from_millis(1200)).await;
    let was_quiet = was_up && world.network.changes() == changes && !world.network.stands_still();
    if was_quiet && world.engine.is_generating(number) {
        return Err(format!("request {number} was left and is still being answered"));
    }
    Ok(())
}

/// Things happen.
async fn weather(World { network, hub, engine }: &World, luck: &mut Luck, until: Moment) {
    while Moment::now() < until {
        sleep(Duration::from_millis(200 + luck.below(12_000) as u64)).await;
        let lasts = Duration::from_millis(luck.below(20_000) as u64);
        match luck.below(6) {
            0 => network.cut(),
            1 => {
                network.stand_still(true);
                sleep(lasts).await;
                network.stand_still(false);
            }
            // A path that never comes back, and another one that does.
            2 => {
                network.stand_still(true);
                sleep(2 * lasts).await;
                network.cut();
                network.stand_still(false);
            }
            3 => {
                network.listen(false);
                hub.leave();
                sleep(lasts).await;
                network.listen(true);
            }
            4 => {
                network.listen(false);
                hub.crash();
                sleep(lasts).await;
                network.listen(true);
            }
            _ => {
                engine.die();
                sleep(lasts / 4).await;
                engine.rise();
            }
        }
    }
    network.stand_still(false);
    network.listen(true);
    engine.rise();
}

async fn until(limit: Duration, what: &str, is_so: impl Fn() -> bool) -> Result<(), String> {
    let waiting = async {
        while !is_so() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(limit, waiting).await.map_err(|_| format!("after {limit:?} still not: {what}"))
}

/// Asks until an answer is whole: what looks like a link may have ended a moment ago.
async fn served(hub: &Hub) -> Result<(), String> {
    for number in 1.. {
        if let Some(link) = hub.link()
            && ask(link, number, "/v1/chat/completions", true).await? == Fate::Whole
        {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// One life, with all that must hold in it.
async fn live(seed: u64, tls: Arc<rustls::ClientConfig>, tally: Arc<Tally>) -> Result<(), String> {
    let mut luck = Luck::new(seed);
    let (network, arrived) = Network::new(Duration::from_millis(luck.below(40) as u64));
    let hub = Hub::start(arrived);
    let engine = Engine::new(luck.draw());
    let driver = Driver::start(&network, &engine, &tls, Luck::new(luck.draw())).await;
    tokio::time::pause();
    until(Duration::from_secs(5), "a link", || hub.is_linked()).await?;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let tasks_at_first = tasks();
    let world = World { network, hub: hub.clone(), engine: engine.clone() };
    let end = Moment::now() + WEATHER;
    let mut clients = JoinSet::new();
    for name in 1..=CLIENTS {
        clients.spawn(client(name, world.clone(), Luck::new(luck.draw()), Arc::clone(&tally), end));
    }
    weather(&world, &mut luck, end).await;
    until(BACK, "a link after all was repaired", || hub.is_linked()).await?;
    timeout(BACK + ANSWERED, served(&hub)).await.map_err(|_| "nothing is served after all was repaired")??;
    while let Some(ended) = clients.join_next().await {
        ended.map_err(|error| error.to_string())??;
    }
    // The engine is left by whoever left, and by whoever lost its link once that is noticed.
    until(Duration::from_secs(30), "the engine is idle", || engine.generating() == 0).await?;
    until(Duration::from_secs(1), "nothing is counted as running", || driver.ledger.in_flight() == 0).await?;
    // Connections to the engine that are kept for a while, and what watches them, have gone by then.
    until(Duration::from_secs(15), "no more tasks than at first", || tasks() <= tasks_at_first).await?;
    let stranger =
        engine.seen().into_iter().find(|(method, target)| method != "POST" || target != "/v1/chat/completions");
    if let Some(stranger) = stranger {
        return Err(format!("the engine saw {stranger:?}"));
    }
    if engine.most_generating() > MAX_STREAMS as usize || engine.most_generating() > 4 * CLIENTS as usize {
        return Err(format!("{} answers at a time", engine.most_generating()));
    }
    Ok(())
}

fn one_life(seed: u64, tls: &Arc<rustls::ClientConfig>, tally: &Arc<Tally>) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let life = live(seed, Arc::clone(tls), Arc::clone(tally));
    let lived = std::panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(life)));
    lived.unwrap_or_else(|_| Err("it panicked".into())).map_err(|what| format!("PORTEN_SEED={seed}: {what}"))
}

fn lives(seeds: std::ops::Range<u64>) {
    porten_agent::install_crypto();
    let tls = porten_agent::tls().expect("TLS");
    let (tally, begun) = (Arc::new(Tally::default()), Instant::now());
    if let Some(seed) = std::env::var("PORTEN_SEED").ok().and_then(|seed| seed.parse().ok()) {
        assert_eq!(one_life(seed, &tls, &tally), Ok(()));
        return;
    }
    let (next, count) = (AtomicU64::new(seeds.start), seeds.end - seeds.start);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let failures: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut failures = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end || !failures.is_empty() {
                    return failures;
                }
                failures.extend(one_life(seed, &tls, &tally).err());
            }
        };
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        running
            .into_iter()
            .flat_map(|thread| thread.join().unwrap_or_else(|_| vec!["a thread panicked".into()]))
            .collect()
    });
    eprintln!("{count} lives in {:?}: {tally:?}", begun.elapsed());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Fault A10: a dial into a network that stands still is given up after its 15 s, in any life.
/// Fault A3: a link that stands still is noticed, its answers end, and it is back within 50 s of the repair, in any life.
/// Fault A5: whatever cuts a link, each answer ends in exactly one way: whole, with an error that says so, or reset.
/// Fault F5: hundreds of lives full of lost links leave no answer running, the engine idle, and no task more than there was at first.
#[test]
fn three_hundred_lives_of_a_link_in_all_weathers() {
    lives(0..FEW);
}

/// Fault F5: so do ten thousand.
#[test]
#[ignore = "takes minutes: make soak"]
fn ten_thousand_lives_of_a_link_in_all_weathers() {
    lives(FEW..FEW + MANY);
}
