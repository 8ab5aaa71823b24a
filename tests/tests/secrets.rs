//! No token, prompt or answer is anywhere but where it belongs: not in a log at any level, not in argv, not in the
//! environment of a process, not in a file but the credential's own. And the real keychain keeps it where there is one.
#![cfg(target_os = "linux")] // /proc, Secret Service
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::time::Duration;

use porten_tests::engine::{Cut, Manner};
use porten_tests::house::is_ready;
use porten_tests::inside::desktop_session;
use porten_tests::{Agent, Engine, House, Hub, client};

const PROMPT: &str = "PROMPT-MARKER-9c41f7";

/// The tokens in the credential file.
fn tokens(agent: &Agent) -> Vec<String> {
    let state = agent.home().porten().join("state");
    let file = std::fs::read_dir(state).expect("the state folder").flatten().map(|entry| entry.path());
    let file = file.into_iter().find(|path| path.to_string_lossy().contains("credential-")).expect("a credential");
    let credential: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).expect("the credential")).expect("JSON");
    ["access", "refresh"].map(|name| credential[name].as_str().expect("a token").to_owned()).to_vec()
}

/// A process's arguments and environment, as any program of this account can read them.
fn exposed(pid: u32) -> String {
    ["cmdline", "environ"]
        .map(|what| {
            String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default()).into_owned()
        })
        .concat()
}

/// Fault E13: no token, prompt or answer is in a log at its most talkative, in argv, in an environment or in another
/// file than the credential's.
#[tokio::test(flavor = "multi_thread")]
async fn no_token_prompt_or_answer_is_in_any_log_argument_environment_or_other_file() {
    let manner = Manner { chunk_size: 40..=40, ..Manner::mlx("tiny") };
    let answer_marker = porten_tests::engine::content(3, &manner.chunk_size);
    let mut house = House::ready(manner).await;
    let client = house.client();
    // All that can go well, and what goes wrong, since error paths talk most.
    assert!(client.stream_chat("tiny", PROMPT).await.is_success());
    assert!(client.chat("tiny", PROMPT).await.text.contains(&answer_marker), "the marker is in answers");
    client.chat("no-such-model", PROMPT).await;
    let mut broken = client::chat("tiny", PROMPT);
    broken["stream"] = PROMPT.into();
    client.post("/v1/chat/completions", &broken).await;
    house.engine.change(|manner| manner.cut = Some((5, Cut::Reset)));
    client.stream_chat("tiny", PROMPT).await;
    house.engine.change(|manner| manner.cut = None);
    house.agent.command(&["status"]).await;
    let picture = house.agent.command(&["status", "--json"]).await.stdout;
    house.hub.stop().await;
    house.hub.start().await;
    house.served_within(Duration::from_secs(20)).await;

    let mut secrets = tokens(&house.agent);
    let exposed = exposed(house.agent.process().id()) + &exposed(house.hub.process().id());
    let files: Vec<_> = secrets.iter().flat_map(|token| house.agent.home().files_with(token)).collect();
    assert!(files.iter().all(|file| file.to_string_lossy().contains("credential-")), "tokens are in {files:?}");
    assert_eq!(files.len(), 2, "the credential's own file holds both");
    secrets.extend([PROMPT.to_owned(), answer_marker]);
    let key = house.hub.api_key.clone();
    let agent = house.agent.stop().await;
    house.hub.stop().await;
    let logs = [agent.stdout, agent.stderr, picture, exposed].concat();
    assert!(logs.contains("porten_agent"), "the log was written at its most talkative");
    for secret in &secrets {
        assert!(!logs.contains(secret.as_str()), "{secret:?} is in a log, a picture, argv or an environment");
        let elsewhere = house.hub.home().files_with(secret);
        assert!(elsewhere.is_empty(), "{secret:?} is in the Hub's {elsewhere:?}");
    }
    for marker in [PROMPT, &key] {
        assert!(house.agent.home().files_with(marker).is_empty(), "{marker:?} is in a file of the agent");
    }
}

/// The TCP ports that a process listens on.
fn ports(pid: u32) -> Vec<String> {
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a process").flatten();
    let targets = files.filter_map(|file| Some(std::fs::read_link(file.path()).ok()?.to_string_lossy().into_owned()));
    let sockets: Vec<String> =
        targets.filter_map(|name| Some(name.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())).collect();
    let tables =
        ["tcp", "tcp6"].map(|table| std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).expect("a table"));
    let listens = |line: &&str| {
        let words: Vec<_> = line.split_whitespace().collect();
        // The fourth word is the state, 0A to listen; the tenth is the socket.
        words.get(3) == Some(&"0A") && words.get(9).is_some_and(|inode| sockets.iter().any(|own| own == inode))
    };
    tables.iter().flat_map(|table| table.lines().filter(listens)).map(str::to_owned).collect()
}

/// Fault E16: the agent listens on no TCP port at all, so that no page in a browser finds it; the Hub shows that a port would
/// be seen.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_agent_listens_on_no_port() {
    let mut house = House::ready(Manner::mlx("tiny")).await;
    assert_eq!(ports(house.agent.process().id()), Vec::<String>::new());
    assert_eq!(ports(house.hub.process().id()).len(), 1);
}

/// Fault E13: after signing out the tokens are in no file.
#[tokio::test(flavor = "multi_thread")]
async fn a_refused_sign_in_and_a_revoked_one_keep_nothing() {
    let house = House::ready(Manner::mlx("tiny")).await;
    let tokens = tokens(&house.agent);
    let out = house.agent.command(&["logout"]).await;
    assert_eq!(out.code, Some(0), "{}", out.stderr);
    let status = house
        .agent
        .status_until(Duration::from_secs(10), "it is signed out", |status| {
            status["hub"]["link"]["state"] == "signed_out"
        })
        .await;
    assert_eq!(status["notices"][0]["code"], "sign_in");
    for token in tokens {
        assert!(house.agent.home().files_with(&token).is_empty());
    }
    assert_eq!(house.client().chat("tiny", "Hi").await.status, 503);
    // Signing in again brings the running agent back by itself.
    house.agent.login(&house.hub).await;
    house.wait_ready(Duration::from_secs(20)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_keychain_the_credential_is_in_it_and_in_no_file() {
    if !desktop_session("with_a_keychain_the_credential_is_in_it_and_in_no_file") {
        return;
    }
    let bus = std::env::var("DBUS_SESSION_BUS_ADDRESS").expect("a session bus");
    let engine = Engine::start(Manner::mlx("tiny")).await;
    let hub = Hub::start_dev().await;
    let mut agent = Agent::new(&hub);
    agent.set("DBUS_SESSION_BUS_ADDRESS", &bus);
    agent.unset("PORTEN_KEYCHAIN");
    agent.set("PORTEN_ENGINE_URL", &engine.url());
    agent.set("PORTEN_ENGINE_MODELS", "tiny");
    agent.login(&hub).await;
    agent.run();
    let status = agent.status_until(Duration::from_secs(30), "the agent is ready", is_ready).await;
    assert_eq!(status["account"]["kept_in"], "the system's keyring");
    agent.assert_tokens_are_in_the_keyring_alone(&hub);
    assert_eq!(agent.command(&["logout"]).await.code, Some(0));
    assert!(agent.keyring_item(&hub).is_empty(), "the item is gone");
}
