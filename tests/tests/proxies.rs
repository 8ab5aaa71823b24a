//! A node whose network lets it out through an HTTP proxy only: sign-in and tunnel go through it, the engine never does, and
//! what the proxy does wrong is one sentence that names it.
#![cfg(target_os = "linux")] // The trust store of one process is a file there (SSL_CERT_FILE).
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::time::{Duration, Instant};

use porten_tests::engine::Manner;
use porten_tests::forward_proxy::Way;
use porten_tests::house::is_ready;
use porten_tests::{Agent, Engine, ForwardProxy, House, Hub, TlsFront};
use serde_json::{Value, json};

const HUB: &str = "https://hub.test";
const READY: Duration = Duration::from_secs(30);
/// `jane:hunter2`, as a proxy is shown it.
const JANE: &str = "Basic amFuZTpodW50ZXIy";

/// Settings for the Hub behind this proxy. All variables name it, so that whatever uses a proxy uses this one.
fn settings(agent: &mut Agent, proxy: &ForwardProxy, user: &str) {
    agent.set("PORTEN_HUB_URL", "wss://hub.test");
    for name in ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"] {
        agent.set(name, &format!("http://{user}{}", proxy.address()));
    }
}

/// Fault F11: sign-in and tunnel go through `CONNECT` with the user of the proxy's address, whose password is in no log;
/// engine and local socket are never asked through a proxy, whatever the environment says.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_behind_a_proxy_signs_in_and_serves_through_it_and_its_engine_is_asked_directly() {
    let hub = Hub::start_behind(HUB).await;
    let front = TlsFront::start("hub.test", "The Hub's authority", hub.port()).await;
    let proxy = ForwardProxy::start(Way::ToFor(front.address(), JANE.to_owned())).await;
    let engine = Engine::start(Manner::mlx("tiny")).await;
    let mut agent = Agent::bare();
    settings(&mut agent, &proxy, "jane:hunter2@");
    let store = agent.home().path().join("authority.pem");
    front.write_authority(&store);
    agent.set("SSL_CERT_FILE", &store.to_string_lossy());
    agent.set("PORTEN_ENGINE_URL", &engine.url());
    agent.set("PORTEN_ENGINE_MODELS", "tiny");
    agent.login(&hub).await;
    agent.run();
    agent.status_until(READY, "the agent is ready", is_ready).await;
    let shown = agent.command(&["status", "--json"]).await.stdout;
    let status: Value = serde_json::from_str(&shown).expect("JSON");
    let (address, origin) = (proxy.address(), json!({ "from": "environment", "name": "HTTPS_PROXY" }));
    assert_eq!(status["hub"]["proxy"], json!({ "address": address, "origin": origin }));
    let text = agent.command(&["status"]).await.stdout;
    assert!(text.contains(&format!("  Proxy     {address} (HTTPS_PROXY)\n")), "{text}");
    assert!(!shown.contains("jane") && !text.contains("jane"), "{shown}{text}");
    let stream = hub.client().stream_chat("tiny", "Hi").await;
    assert!(stream.is_success(), "{}", stream.body);
    assert!(!engine.asked().is_empty(), "the engine was asked");
    let asked = proxy.asked();
    assert!(asked.len() >= 4, "sign-in and tunnel: {asked:?}");
    assert!(asked.iter().all(|line| line == "CONNECT hub.test:443 HTTP/1.1"), "{asked:?}");
    let ended = agent.stop().await;
    for secret in ["hunter2", "amFuZTpodW50ZXIy"] {
        assert!(!ended.stderr.contains(secret) && !ended.stdout.contains(secret));
    }
}

/// An agent with a stored sign-in whose way to the Hub is this.
async fn behind(way: Way, user: &str) -> (Agent, ForwardProxy) {
    let proxy = ForwardProxy::start(way).await;
    let mut agent = Agent::bare();
    settings(&mut agent, &proxy, user);
    agent.store_credential(HUB);
    agent.run();
    (agent, proxy)
}

/// Why there is no link, and what to do, in the words of the status.
fn words(status: &Value) -> String {
    status["hub"]["link"].to_string()
}

/// Fault F11: a 407 is one plain sentence that says what to do, in the status and at sign-in, and no retry storm.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_asks_for_a_password_is_one_sentence_with_the_line_to_set() {
    let asks = "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n";
    for (user, words_of_it) in [("", "asks for a user and a password"), ("jane:wrong@", "does not accept the user")] {
        let (agent, proxy) = behind(Way::Says(asks.to_owned()), user).await;
        let sentence = format!("the proxy {} {words_of_it}", proxy.address());
        let limit = Duration::from_secs(20);
        let status = agent.status_until(limit, "the refusal", |status| words(status).contains(&sentence)).await;
        assert!(words(&status).contains("HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"), "{}", words(&status));
        assert!(!words(&status).contains("wrong"), "{}", words(&status));
        let ended = agent.command(&["login", "--no-browser", "--again"]).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains(&sentence), "{}", ended.stderr);
        assert_eq!(proxy.asked().len(), 2, "one dial, one sign-in: {:?}", proxy.asked());
    }
}

/// Fault F11: a proxy that hangs is named within the dial's 15 s; one that is no proxy, or says no, is named at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_hangs_or_speaks_no_http_is_named_and_tried_again() {
    for (way, sentence) in [
        (Way::Hangs, "the proxy ADDRESS did not answer"),
        (
            Way::Says("SSH-2.0-OpenSSH_9.9\r\n\r\n".into()),
            "what answers at the proxy's address ADDRESS is no HTTP proxy",
        ),
        (
            Way::Says("HTTP/1.1 403 Forbidden\r\n\r\n".into()),
            "the proxy ADDRESS does not let this machine through to the Hub (HTTP 403)",
        ),
    ] {
        let (agent, proxy) = behind(way, "").await;
        let sentence = sentence.replace("ADDRESS", &proxy.address());
        let begun = Instant::now();
        let limit = Duration::from_secs(25);
        let named = |status: &Value| status["hub"]["proxy"]["address"] == proxy.address();
        agent.status_until(limit, &sentence, |status| words(status).contains(&sentence) && named(status)).await;
        eprintln!("{sentence}: told after {:?}", begun.elapsed());
    }
}

/// Fault F11: what `NO_PROXY` lists is dialled directly, and so is a Hub on this machine.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_exempt_and_what_is_on_this_machine_goes_directly() {
    let proxy = ForwardProxy::start(Way::Hangs).await;
    let mut agent = Agent::bare();
    settings(&mut agent, &proxy, "");
    agent.set("NO_PROXY", "example.org, .test");
    agent.store_credential(HUB);
    agent.run();
    // No name ends in .test, so that it cannot be reached is told by the system, not by the proxy.
    let limit = Duration::from_secs(20);
    agent.status_until(limit, "the direct dial failed", |status| words(status).contains("cannot be reached")).await;
    let house = House::signed_in(Manner::mlx("tiny"), |agent| {
        for name in ["https_proxy", "http_proxy", "all_proxy"] {
            agent.set(name, &format!("http://{}", proxy.address()));
        }
    })
    .await;
    house.wait_ready(READY).await;
    assert!(house.agent.status().await["hub"]["proxy"].is_null(), "none is used, so none is shown");
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

/// Fault E3: where somebody looks into the traffic with an authority that the system does not know, the status names it and
/// says what to do; once the system trusts it, the tunnel is up.
#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_inspects_the_traffic_is_named_and_trusted_once_the_system_trusts_it() {
    let hub = Hub::start_behind(HUB).await;
    let front = TlsFront::start("hub.test", "Zscaler Root CA", hub.port()).await;
    let proxy = ForwardProxy::start(Way::To(front.address())).await;
    let mut agent = Agent::bare();
    settings(&mut agent, &proxy, "");
    let ended = agent.command(&["login", "--no-browser"]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("it was issued by “Zscaler Root CA”"), "{}", ended.stderr);
    assert!(ended.stderr.contains("the system's trust store"), "{}", ended.stderr);
    let store = agent.home().path().join("authority.pem");
    front.write_authority(&store);
    agent.set("SSL_CERT_FILE", &store.to_string_lossy());
    agent.login(&hub).await;
    agent.run();
    let online = |status: &Value| status["hub"]["link"]["state"] == "online";
    agent.status_until(READY, "the tunnel is up", online).await;
}
