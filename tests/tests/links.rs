//! What the network does to a link: silence in one direction or both, resets, sleep, another network, loss and a narrow line;
//! and Hubs that take a connection and do nothing with it.
#![cfg(target_os = "linux")] // Network namespaces, packet rules, and what /proc tells.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::process::Command;
use std::time::{Duration, Instant};

use porten_tests::client::{Streaming, streamed_chat};
use porten_tests::engine::Manner;
use porten_tests::house::is_ready;
use porten_tests::process::cpu_time;
use porten_tests::{Agent, Detour, Engine, Hub, ScriptedHub, inside, wait_until};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpListener;

const READY: Duration = Duration::from_secs(30);
/// From a link's last word to its end: a ping every 15 s, and 10 s for its pong.
const DEAD: Duration = Duration::from_secs(25);
/// What looking at it costs: a process for each look, on a machine that compiles something else beside.
const LOOK: Duration = Duration::from_secs(2);

/// An agent whose tunnel goes over a detour; clients ask the Hub directly.
struct Scene {
    engine: Engine,
    hub: Hub,
    detour: Detour,
    agent: Agent,
}

impl Scene {
    async fn signed_in(manner: Manner) -> Self {
        let engine = Engine::start(manner).await;
        let hub = Hub::start_dev().await;
        let detour = Detour::to(hub.port());
        let mut agent = Agent::bare();
        agent.set("PORTEN_HUB_URL", &detour.ws_url());
        agent.set_engine(&engine.url());
        agent.login(&hub).await;
        Self { engine, hub, detour, agent }
    }

    async fn ready(manner: Manner) -> Self {
        let mut scene = Self::signed_in(manner).await;
        scene.agent.run();
        scene.agent.status_until(READY, "the agent is ready", is_ready).await;
        scene
    }

    /// A stream of which something has come.
    async fn stream(&self) -> Streaming {
        let body = streamed_chat("tiny", "Hi");
        let mut stream = self.hub.client().stream("/v1/chat/completions", &body).await;
        assert!(stream.read(3).await);
        stream
    }

    /// Waits for another connection, and says how long after `begun` it came.
    async fn dialled_again(&self, before: usize, begun: Instant) -> Duration {
        wait_until(READY, "the Hub is dialled again", async || (self.detour.passed() > before).then_some(())).await;
        begun.elapsed()
    }
}

/// An answer that takes a minute.
fn long() -> Manner {
    Manner { chunks: Some(3000), delay: Duration::from_millis(20), ..Manner::mlx("tiny") }
}

fn is_online(status: &Value) -> bool {
    status["hub"]["link"]["state"] == "online"
}

fn run(program: &str, arguments: &str) {
    let done = Command::new(program).args(arguments.split(' ')).status();
    assert!(done.is_ok_and(|status| status.success()), "{program} {arguments}");
}

/// Loses all packets that come from, or go to, this port; `make deps` installs iptables.
fn lose(ends: &[&str], port: u16) {
    ends.iter().for_each(|end| run("iptables", &format!("-A INPUT -p tcp --{end} {port} -j DROP")));
}

async fn a_silent_link_is_noticed(ends: &[&str]) {
    let scene = Scene::ready(long()).await;
    let stream = scene.stream().await;
    lose(ends, scene.detour.port());
    let begun = Instant::now();
    let status =
        scene.agent.status_until(DEAD + LOOK, "the link is known to be dead", |status| !is_online(status)).await;
    let noticed = begun.elapsed();
    eprintln!("packets lost ({}): noticed after {noticed:?}", ends.join(" and "));
    assert!(status["overall"]["state"] != "ready" && status["overall"]["state"] != "serving", "{status}");
    wait_until(LOOK, "the engine is left", async || (scene.engine.generating() == 0).then_some(())).await;
    let stream = tokio::time::timeout(DEAD + LOOK, stream.finish()).await.expect("the client is told in time");
    assert!(!stream.is_success() && stream.error().is_some(), "{}", stream.body);
    run("iptables", "-F INPUT");
    scene.agent.status_until(READY, "it is back by itself", is_ready).await;
}

/// Fault A3: of a link whose packets are lost both ways the agent knows after 25 s at the latest; the engine is left, the
/// client's stream ends in an error, the status says that it is being dialled, and it comes back by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_link_is_noticed_and_its_answers_end() {
    if inside::network_namespace("a_half_open_link_is_noticed_and_its_answers_end") {
        a_silent_link_is_noticed(&["dport", "sport"]).await;
    }
}

/// Fault A4: a link that lost only what the Hub sends ends the same way.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_lost_what_the_hub_says_is_noticed() {
    if inside::network_namespace("a_link_that_lost_what_the_hub_says_is_noticed") {
        a_silent_link_is_noticed(&["sport"]).await;
    }
}

/// Fault A4: a link that lost only what the agent sends ends the same way; that its writes succeed proves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_lost_what_the_agent_says_is_noticed() {
    if inside::network_namespace("a_link_that_lost_what_the_agent_says_is_noticed") {
        a_silent_link_is_noticed(&["dport"]).await;
    }
}

/// Fault A5: a reset in the middle of an answer ends the stream with an error on both sides at once, frees the engine within
/// a second, and the Hub is dialled again within a second.
#[tokio::test(flavor = "multi_thread")]
async fn a_reset_ends_what_runs_at_once_and_is_dialled_again() {
    let scene = Scene::ready(long()).await;
    let stream = scene.stream().await;
    let before = scene.detour.passed();
    let begun = Instant::now();
    scene.detour.reset();
    let stream = tokio::time::timeout(LOOK, stream.finish()).await.expect("the client is told at once");
    let told = begun.elapsed();
    assert!(!stream.is_success() && stream.error().is_some(), "{}", stream.body);
    wait_until(Duration::from_secs(1), "the engine is left", async || (scene.engine.generating() == 0).then_some(()))
        .await;
    let freed = begun.elapsed();
    let dialled = scene.dialled_again(before, begun).await;
    eprintln!("reset: client told after {told:?}, engine left after {freed:?}, dialled again after {dialled:?}");
    assert!(freed <= Duration::from_secs(1) && dialled <= LOOK, "{freed:?} {dialled:?}");
    scene.agent.status_until(READY, "it is back", is_ready).await;
}

/// Fault A6: a process that was frozen, and whose link died meanwhile, has another one within five seconds of waking.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_died_in_its_sleep_is_replaced_at_once() {
    let mut scene = Scene::ready(Manner::mlx("tiny")).await;
    let before = scene.detour.passed();
    scene.agent.process().signal("STOP");
    scene.detour.swallow();
    tokio::time::sleep(Duration::from_secs(13)).await;
    scene.agent.process().signal("CONT");
    let took = scene.dialled_again(before, Instant::now()).await;
    eprintln!("woken after 13 s: dialled again after {took:?}");
    assert!(took <= Duration::from_secs(5), "{took:?}");
    scene.agent.status_until(READY, "it is back", is_ready).await;
}

/// Fault A6: a link that lives through a sleep is probed and kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_lived_through_a_sleep_is_kept() {
    let mut scene = Scene::ready(Manner::mlx("tiny")).await;
    let link = scene.agent.status().await["hub"]["link"].clone();
    scene.agent.process().signal("STOP");
    tokio::time::sleep(Duration::from_secs(12)).await;
    scene.agent.process().signal("CONT");
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(scene.agent.process().stderr().contains("this machine slept"));
    assert_eq!(scene.agent.status().await["hub"]["link"], link);
}

/// Fault A7: when this machine's addresses change and the old path leads nowhere, the Hub is dialled anew within five seconds,
/// and not after the link's own 25.
#[tokio::test(flavor = "multi_thread")]
async fn another_network_is_another_link_within_five_seconds() {
    if !inside::network_namespace("another_network_is_another_link_within_five_seconds") {
        return;
    }
    run("ip", "link add wifi type veth peer name router");
    run("ip", "link set wifi up");
    run("ip", "link set router up");
    run("ip", "addr add 192.0.2.7/24 dev wifi");
    let scene = Scene::ready(Manner::mlx("tiny")).await;
    for change in ["addr del 192.0.2.7/24 dev wifi", "addr add 198.51.100.7/24 dev wifi", "link set wifi down"] {
        let before = scene.detour.passed();
        scene.detour.swallow();
        run("ip", change);
        let took = scene.dialled_again(before, Instant::now()).await;
        eprintln!("ip {change}: dialled again after {took:?}");
        assert!(took <= Duration::from_secs(5), "{change}: {took:?}");
        scene.agent.status_until(READY, "it is back", is_ready).await;
    }
}

/// Fault A1: while no Hub is there the agent stays, says that it is waiting, takes less than 1 % of a processor, and is
/// connected one wait after a Hub appears.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_without_a_hub_waits_quietly_and_finds_it() {
    let mut scene = Scene::signed_in(Manner::mlx("tiny")).await;
    scene.hub.kill();
    // What a person runs does not log every step.
    scene.agent.set("PORTEN_LOG", "info");
    scene.agent.run();
    scene.agent.status_until(READY, "it waits", |status| status["hub"]["link"]["state"] == "waiting").await;
    let id = scene.agent.process().id();
    let (before, watched) = (cpu_time(id), Duration::from_secs(20));
    tokio::time::sleep(watched).await;
    let spent = cpu_time(id) - before;
    eprintln!("20 s without a Hub: {spent:?} of a processor");
    // Unoptimised, each step of the loop takes more than ten times as long.
    let limit = if cfg!(debug_assertions) { watched / 10 } else { watched / 100 };
    assert!(spent <= limit, "{spent:?}");
    assert!(scene.agent.process().is_running());
    scene.hub.start().await;
    let begun = Instant::now();
    scene.agent.status_until(READY, "it is connected", is_online).await;
    // A tenth of an outage of half a minute, and a look.
    assert!(begun.elapsed() <= Duration::from_secs(4) + LOOK, "{:?}", begun.elapsed());
}

/// How long an agent gives this Hub until it says why it gave up.
async fn given_up(url: String, origin: String) -> (Duration, String) {
    let mut agent = Agent::bare();
    agent.set("PORTEN_HUB_URL", &url);
    agent.store_credential(&origin);
    agent.run();
    let begun = Instant::now();
    let status = agent.status_until(READY, "it gives up", |status| status["hub"]["link"]["state"] == "waiting").await;
    (begun.elapsed(), status["hub"]["link"]["why"].as_str().unwrap_or_default().to_owned())
}

/// Fault A10: a Hub that takes the connection and is silent, one that stops in TLS, and one that upgrades and never says
/// welcome are each given up after 15 s in all, and waited for as after any failure.
#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_stops_anywhere_in_the_dial_is_given_up_after_fifteen_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let half_tls = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let (at_silent, at_half) = (silent.local_addr().expect("an address"), half_tls.local_addr().expect("an address"));
    let hub = ScriptedHub::start().await;
    let url = hub.ws_url();
    let tasks = [
        tokio::spawn(async move {
            std::future::pending::<()>().await;
            drop(silent);
        }),
        tokio::spawn(async move {
            let (mut socket, _) = half_tls.accept().await.expect("a knock");
            let mut hello = [0; 5];
            socket.read_exact(&mut hello).await.expect("a ClientHello");
            std::future::pending::<()>().await;
        }),
        tokio::spawn(async move {
            let _opened = hub.hello().await;
            std::future::pending::<()>().await;
        }),
    ];
    let (a, b, c) = tokio::join!(
        given_up(format!("ws://{at_silent}"), format!("http://{at_silent}")),
        given_up(format!("wss://{at_half}"), format!("https://{at_half}")),
        given_up(url.clone(), url.replace("ws:", "http:")),
    );
    for ((took, why), step) in [a, b, c].into_iter().zip(["TCP", "TLS", "hello"]) {
        eprintln!("silent after {step}: given up after {took:?}: {why}");
        assert!(took >= Duration::from_secs(14) && took <= Duration::from_secs(15) + 2 * LOOK, "{step}: {took:?}");
        assert_eq!(why, "the Hub did not answer in time", "{step}");
    }
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}

/// Fault A12: of two agents with one identity the newer has the link; the older stops, says so and stays away.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_agents_with_one_identity_the_older_stops_and_says_so() {
    let scene = Scene::ready(Manner::mlx("tiny")).await;
    let mut twin = Agent::bare();
    for (name, value) in scene.agent.environment() {
        if name.starts_with("PORTEN_") && name != "PORTEN_HOME" {
            twin.set(name, value);
        }
    }
    let state = |agent: &Agent| agent.home().porten().join("state");
    std::fs::create_dir_all(state(&twin)).expect("a folder");
    for file in std::fs::read_dir(state(&scene.agent)).expect("the state").flatten() {
        // Its mode is copied too.
        std::fs::copy(file.path(), state(&twin).join(file.file_name())).expect("a copy");
    }
    twin.run();
    let refused = |status: &Value| status["hub"]["link"]["state"] == "refused";
    let status = scene.agent.status_until(READY, "the older was replaced", refused).await;
    assert_eq!(status["hub"]["link"]["why"], "this node connected to the Hub from somewhere else");
    let link = twin.status_until(READY, "the newer serves", is_ready).await["hub"]["link"].clone();
    let dials = scene.detour.passed();
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(scene.detour.passed(), dials, "nobody dialled");
    assert_eq!(twin.status().await["hub"]["link"], link);
    assert!(refused(&scene.agent.status().await));
}

/// Fault F12: an engine called `localhost` is found where it listens on one of the two loopbacks only.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_on_either_loopback_alone_is_found_as_localhost() {
    for loopback in ["[::1]:0", "127.0.0.1:0"] {
        let address = loopback.parse().expect("an address");
        if TcpListener::bind(loopback).await.is_err() {
            eprintln!("not tried: this machine has no {loopback}");
            continue;
        }
        let engine = Engine::start_at(address, Manner::mlx("tiny")).await;
        let mut agent = Agent::bare();
        agent.set("PORTEN_HUB_URL", "ws://127.0.0.1:9");
        agent.store_credential("http://127.0.0.1:9");
        agent.set("PORTEN_ENGINE_URL", &format!("http://localhost:{}", engine.port()));
        agent.run();
        let up = |status: &Value| status["engine"]["reach"]["state"] == "up";
        agent.status_until(READY, "the engine is found", up).await;
    }
}
