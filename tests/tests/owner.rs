//! What an owner asks of the node that runs: it is about that node, whatever this shell says, and says what came of it.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::process::Command;
use std::time::Duration;

use porten_tests::engine::Manner;
use porten_tests::{Agent, House, Hub, client};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

/// Two seconds of an answer.
fn slow() -> Manner {
    Manner { chunks: Some(40), delay: Duration::from_millis(50), ..Manner::llama("tiny") }
}

fn settings(agent: &Agent) -> std::path::PathBuf {
    agent.home().porten().join("config.toml")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_lets_what_runs_finish_and_stays_wanted_online() {
    let house = House::ready(slow()).await;
    let body = client::streamed_chat("tiny", "Hi");
    let mut stream = house.client().stream("/v1/chat/completions", &body).await;
    assert!(stream.read(2).await, "the answer has begun");
    let ended = house.agent.command(&["logout"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("1 request left"), "{}", ended.stdout);
    let told = format!("Signed out at {}: the Hub has revoked", house.hub.ws_url());
    assert!(ended.stdout.contains(&told), "{}", ended.stdout);
    let whole = stream.finish().await;
    assert!(whole.is_success(), "{}", whole.body);
    house.agent.login(&house.hub).await;
    house.wait_ready(SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_without_the_hub_says_that_it_stays_valid_there() {
    for runs in [true, false] {
        let mut house = House::ready(Manner::mlx("tiny")).await;
        house.hub.kill();
        if !runs {
            house.agent.kill();
        }
        let ended = house.agent.command(&["logout", "--now", "--json"]).await;
        let told: Value = serde_json::from_str(&ended.stdout).expect("a document");
        let expected = json!({ "event": "signed_out", "hub": house.hub.ws_url(), "revocation": "unreachable" });
        assert_eq!((ended.code, told), (Some(0), expected), "an agent runs: {runs}");
        let again = house.agent.command(&["logout"]).await;
        assert!(again.stdout.starts_with("Nobody was signed in at ws://"), "{}", again.stdout);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sign_in_says_who_is_there_and_again_replaces_it() {
    let mut house = House::ready(Manner::mlx("tiny")).await;
    for runs in [true, false] {
        if !runs {
            house.agent.stop().await;
        }
        let ended = house.agent.command(&["login", "--no-browser", "--json"]).await;
        let told: Value = serde_json::from_str(&ended.stdout).expect("one document");
        assert_eq!((ended.code, &told["event"]), (Some(0), &json!("already_signed_in")), "{told}");
        assert_eq!(told["hub"], house.hub.ws_url());
        assert!(told["since"].is_string(), "an agent runs: {runs}: {told}");
    }
    let (mut login, code) = house.agent.begin_login_with(&["--again"]).await;
    house.hub.approve(&code).await;
    assert_eq!(login.ended(SOON).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_the_settings_keeps_nobody_from_stopping_a_node() {
    let mut house = House::ready(Manner::mlx("tiny")).await;
    std::fs::write(settings(&house.agent), "[hub\n").expect("a settings file");
    house.agent.set("PORTEN_ENGINE_MODLES", "tiny").set("PORTEN_VRAM_BUDGET_MB", "lots");
    for command in [&["status"][..], &["models"], &["pause", "--for", "1h"], &["resume"], &["offline"]] {
        let ended = house.agent.command(command).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{command:?}");
    }
    let off = |status: &Value| status["overall"]["state"] == "off";
    house.agent.status_until(SOON, "it is off", off).await;
    let ended = house.agent.command(&["logout"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_hub_in_the_shell_is_said_and_stops_no_stopping() {
    let mut house = House::ready(Manner::mlx("tiny")).await;
    house.agent.set("PORTEN_HUB_URL", "wss://other.example");
    let there = house.hub.ws_url();
    for command in ["login", "logout", "online", "resume"] {
        let ended = house.agent.command(&[command]).await;
        assert_eq!(ended.code, Some(2), "{command}: {ended:?}");
        for part in [there.as_str(), "PORTEN_HUB_URL", "wss://other.example", "unset"] {
            assert!(ended.stderr.contains(part), "{part} is missing: {}", ended.stderr);
        }
    }
    house.wait_ready(SOON).await;
    let ended = house.agent.command(&["offline"]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.contains(&there) && ended.stderr.contains("wss://other.example"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_mended_under_a_running_agent() {
    let mut house = House::signed_in(Manner::mlx("tiny"), |agent| {
        agent.unset("PORTEN_LOG");
    })
    .await;
    house.wait_ready(SOON).await;
    house.agent.unset("PORTEN_VRAM_BUDGET_MB");
    std::fs::write(settings(&house.agent), "# mine\n[memory]\nbudget_mb = \"lots\n").expect("a settings file");
    let ended = house.agent.command(&["config", "set", "power.keep_awake", "no"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("(line 3) is not TOML"), "{}", ended.stderr);
    let ended = house.agent.command(&["config", "set", "memory.budget_mb", "5000"]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{}", ended.stdout);
    let text = std::fs::read_to_string(settings(&house.agent)).expect("the settings file");
    assert!(text.starts_with("# mine\n[memory]\nbudget_mb = 5000\n") && text.contains("keep_awake = false"), "{text}");
    assert_eq!(house.agent.command(&["config"]).await.code, Some(0));
}

/// As a person at the terminal sees it: what `porten run` and the log say in the time that a Hub is away.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_hub_display_and_log_say_it_once_each_with_its_time() {
    let mut house = House::signed_in(Manner::mlx("tiny"), |agent| {
        agent.unset("PORTEN_LOG");
    })
    .await;
    house.wait_ready(SOON).await;
    house.hub.kill();
    let (out, err) = (house.agent.process().stdout(), house.agent.process().stderr());
    tokio::time::sleep(Duration::from_secs(15)).await;
    let (more, log) = (house.agent.process().stdout(), house.agent.process().stderr());
    let (more, log) = (&more[out.len()..], &log[err.len()..]);
    assert!((1..=3).contains(&more.lines().count()), "{more}");
    assert!((1..=3).contains(&log.lines().count()), "{log}");
    for line in more.lines().chain(log.lines()) {
        assert!(line.starts_with("20") && line.contains('T'), "a line without its time: {line}");
    }
}

/// At `Ready` the line that is shown is one that works, in a shell, with the key that the Hub gives.
#[tokio::test(flavor = "multi_thread")]
async fn at_ready_it_says_where_clients_connect_and_the_line_works() {
    let mut house = House::ready(Manner::mlx("tiny")).await;
    let status = house.agent.command(&["status"]).await.stdout;
    let line = status.lines().find_map(|line| line.trim().strip_prefix("Try it")).expect("a line to try");
    let tried = Command::new("sh").args(["-c", line.trim()]).env("API_KEY", &house.hub.api_key).output().expect("curl");
    let answer: Value = serde_json::from_slice(&tried.stdout).unwrap_or_else(|_| panic!("{tried:?}"));
    assert_eq!(answer["model"], "tiny", "{answer}");
    assert!(status.contains(&format!("{}/v1", house.hub.url())) && status.contains("porten-hub key add"), "{status}");
    let said = house.agent.process().stdout();
    assert_eq!(said.matches("Try it").count(), 1, "{said}");
}

/// The socket is not encrypted: who asks it needs no certificates. A pipe that nobody writes to stands in for a store, so that
/// whoever reads it waits for ever.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_status_reads_no_certificates() {
    let house = House::ready(Manner::mlx("tiny")).await;
    let pipe = house.agent.home().path().join("store.pem");
    assert!(Command::new("mkfifo").arg(&pipe).status().is_ok_and(|made| made.success()), "mkfifo");
    let mut environment = house.agent.environment().clone();
    environment.insert("SSL_CERT_FILE".into(), pipe.to_string_lossy().into_owned());
    for command in ["status", "models", "offline"] {
        let folder = house.agent.home().path();
        let mut process = porten_tests::Process::start("porten", &[command], &environment, folder);
        assert_eq!(process.ended(SOON).await.code, Some(0), "{command}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_test_shows_every_model_and_heeds_the_kind() {
    let many: Vec<String> = (0..250).map(|n| format!("model-{n}")).collect();
    let list = json!({ "object": "list", "data": many.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>() });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let read = socket.read(&mut head).await.unwrap_or_default();
            let is_list = String::from_utf8_lossy(&head[..read]).starts_with("GET /v1/models ");
            let (status, body) = if is_list { ("200 OK", list.to_string()) } else { ("404 Not Found", String::new()) };
            let answer =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            let _ = socket.write_all(answer.as_bytes()).await;
        }
    });
    let mut agent = Agent::bare();
    let ended = agent.command(&["engine", "test", &url]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().filter(|line| line.starts_with("  model-")).count(), 250);
    agent.set("PORTEN_ENGINE", "exo");
    let ended = agent.command(&["engine", "test", &url]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stdout);
    assert!(ended.stderr.contains("is an engine, but not exo"), "{}", ended.stderr);
}

/// What was set beyond what exo's Macs have is not taken, but with a force.
#[tokio::test(flavor = "multi_thread")]
async fn a_budget_beyond_what_is_installed_needs_a_force() {
    let hub = Hub::start_dev().await;
    let sim = porten_tests::Sim::start(&[]).await;
    let mut agent = Agent::new(&hub);
    agent.set("PORTEN_ENGINE_URL", &sim.url()).set("PORTEN_VRAM_BUDGET_MB", "99999999");
    agent.login(&hub).await;
    agent.run();
    let told = |status: &Value| status["cluster"].is_object() && status["notices"].to_string().contains("budget_high");
    let status = agent.status_until(SOON, "the budget is refused", told).await;
    let installed = status["memory"]["raw_mib"].as_u64().expect("what is installed");
    assert!(status["memory"]["advertised_mib"].as_u64().is_some_and(|told| told <= installed), "{status}");
    let mac = status["cluster"]["members"][0]["name"].as_str().expect("a Mac").to_owned();
    let ended = agent.command(&["cluster", "limit", &mac, "99999999"]).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("installed"), "{}", ended.stderr);
    agent.stop().await;
    agent.set("PORTEN_FORCE_BUDGET", "true").run();
    let taken = |status: &Value| status["cluster"].is_object() && status["memory"]["advertised_mib"] == 99_999_999;
    agent.status_until(SOON, "the budget is taken", taken).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relative_home_is_refused_by_every_command() {
    let mut agent = Agent::bare();
    agent.set("PORTEN_HOME", "porten");
    for command in [&[][..], &["status"], &["run"], &["offline"], &["config"]] {
        let ended = agent.command(command).await;
        assert_eq!(ended.code, Some(2), "{command:?}: {ended:?}");
        assert!(ended.stderr.starts_with("porten: PORTEN_HOME is \"porten\""), "{}", ended.stderr);
    }
}
