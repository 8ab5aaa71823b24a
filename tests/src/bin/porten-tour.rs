//! What `make run` starts once everything is built: the whole chain on this machine, from a cluster to an answered chat.
//!
//! Without settings and without an exo on this machine that is a Hub for development and an exo cluster made of software,
//! both new and gone again at the end; whoever sets `PORTEN_HUB_URL` or `PORTEN_ENGINE_URL` gets those instead. With
//! `--app` the menu-bar app hosts the agent, until somebody quits it; else `porten run` does, until the chat is answered.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to the person at the terminal")]
#![expect(clippy::expect_used, clippy::panic, reason = "a part that gives up says why, and all parts end with it")]

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::Duration;

use porten_tests::agent::Agent;
use porten_tests::client::{Client, streamed_chat};
use porten_tests::house::is_ready;
use porten_tests::hub::Hub;
use porten_tests::process::{app, binary};
use porten_tests::{Home, Sim};
use serde_json::Value;

/// From the agent's start to the Hub's word that requests may come: a cluster is looked at for a few seconds first.
const READY: Duration = Duration::from_secs(90);
/// How often it is looked what is still awaited.
const POLL: Duration = Duration::from_millis(500);
/// Where exo answers, unless it was told otherwise.
const EXO: &str = "http://127.0.0.1:52415";
/// What the cluster made of software has loaded: the first of these that fits on its Macs. The last fits on one of 8 GB,
/// the smallest that there is.
const MODELS: [&str; 4] = [
    "mlx-community/DeepSeek-V4-Flash",
    "mlx-community/gpt-oss-120b-MXFP4-Q8",
    "mlx-community/gpt-oss-20b-MXFP4-Q8",
    "mlx-community/Llama-3.2-1B-Instruct-4bit",
];
/// The catalog of the Hub for development: the built-in one, and a model for a single small Mac.
const CATALOG: &str = concat!(
    include_str!("../../../crates/porten-hub/catalog.toml"),
    "\n[[model]]\nid = \"llama-3.2-1b-instruct\"\nmemory_mib = 2048\n"
);
/// Settings of the person that hold here too.
const PASSED_ON: [&str; 5] = [
    "PORTEN_ENGINE",
    "PORTEN_ENGINE_URL",
    "PORTEN_ENGINE_MODELS",
    "PORTEN_VRAM_BUDGET_MB",
    "PORTEN_ENGINE_ALLOW_REMOTE",
];
/// What of the person's session the app needs to be on their screen.
const SESSION: [&str; 10] = [
    "DISPLAY",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "DBUS_SESSION_BUS_ADDRESS",
    "XDG_RUNTIME_DIR",
    "XDG_CURRENT_DESKTOP",
    "XDG_DATA_DIRS",
    "GDK_BACKEND",
    "GDK_SCALE",
    "GSETTINGS_BACKEND",
];
/// How often it is looked whether the person has quit.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Asked of the first model that is ready.
const QUESTION: &str = "What is a cluster of Macs good for?";

fn main() -> ExitCode {
    // What the parts say when they cannot go on is meant for a person: the sentence alone.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("make run: {}", panic.payload_as_str().unwrap_or("something is broken"));
    }));
    let end = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => End::Answered,
        [stay] if stay == "--stay" => End::Interrupted,
        [app] if app == "--app" => End::Quit,
        _ => {
            eprintln!("porten-tour takes no argument but --stay or --app");
            return ExitCode::from(2);
        }
    };
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    // A part that gave up has said why, and all parts end with their owner.
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(until_interrupted(end)))).unwrap_or(ExitCode::FAILURE)
}

/// When the tour is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// When the chat is answered.
    Answered,
    /// At Ctrl-C.
    Interrupted,
    /// When the person quits the app, or at Ctrl-C.
    Quit,
}

/// Runs the tour; at Ctrl-C everything that it started ends with it.
async fn until_interrupted(end: End) -> ExitCode {
    tokio::select! {
        code = tour(end) => code,
        () = interrupted() => {
            println!("\nEnded.");
            ExitCode::from(130)
        }
    }
}

async fn tour(end: End) -> ExitCode {
    let cluster = Cluster::find().await;
    println!("Engine  {}", cluster.words);
    match std::env::var("PORTEN_HUB_URL") {
        Ok(url) => {
            println!("Hub     {url}");
            own_hub(end, &cluster).await
        }
        Err(_) => development_hub(end, &cluster).await,
    }
}

/// The engine: what the person names, an exo on this machine, or a cluster made of software.
struct Cluster {
    words: String,
    url: Option<String>,
    // Ends with it.
    sim: Option<Sim>,
}

impl Cluster {
    async fn find() -> Self {
        if let Ok(url) = std::env::var("PORTEN_ENGINE_URL") {
            return Self { words: url, url: None, sim: None };
        }
        if Client::new(EXO, "").try_get("/node_id").await {
            return Self { words: format!("exo on this machine, {EXO}"), url: None, sim: None };
        }
        let macs = std::env::var("MACS").unwrap_or_else(|_| "3x128".to_owned());
        let mut said = String::new();
        for model in MODELS {
            match Sim::try_start(&["--macs", &macs, "--loaded", model]).await {
                Ok(sim) => {
                    let words =
                        format!("an exo cluster made of software ({macs}), {}; its answers are simulated", sim.url());
                    return Self { words, url: Some(sim.url()), sim: Some(sim) };
                }
                Err(why) => said = why,
            }
        }
        panic!("{}", said.trim());
    }

    fn setting(&self) -> Option<(String, String)> {
        Some(("PORTEN_ENGINE_URL".to_owned(), self.url.clone()?))
    }
}

/// A Hub of this run's own: this program is the person who approves.
async fn development_hub(end: End, cluster: &Cluster) -> ExitCode {
    let catalog = Home::new();
    let file = catalog.path().join("catalog.toml");
    std::fs::write(&file, CATALOG).expect("a catalog");
    let hub = Hub::start_with(&["--catalog", &file.to_string_lossy()]).await;
    println!("Hub     {} (for development, gone when this ends)", hub.url());
    let mut agent = Agent::new(&hub);
    println!("Home    PORTEN_HOME={} (gone when this ends)", agent.home().porten().display());
    agent.set("PORTEN_LOG", "info");
    // What the person set of the engine and the memory; home and keychain are this run's own.
    let passed_on = |name: &str| PASSED_ON.contains(&name);
    let session = |name: &str| end == End::Quit && SESSION.contains(&name);
    let vars = std::env::vars().filter(|(name, _)| passed_on(name) || session(name));
    for (name, value) in vars.chain(cluster.setting()) {
        agent.set(&name, &value);
    }
    agent.login(&hub).await;
    println!("Signed in as {}.", hub.account);
    if end == End::Quit {
        agent.run_app(&["--open"]);
        println!("The app is in the menu bar.");
    } else {
        agent.run();
    }
    let status = wait_until_served(&agent).await;
    let model = placed_model(&status);
    let answered = answer(&hub, &model, cluster.sim.is_some()).await;
    // Numbers reach the status a quarter of a second late at most.
    let is_counted = |status: &Value| status["traffic"]["completed"] != 0 || status["traffic"]["failed"] != 0;
    agent.status_until(READY, "the answer is counted", is_counted).await;
    println!("\n\n{}", agent.command(&["status"]).await.stdout);
    let until = match end {
        End::Answered => {
            agent.stop().await;
            return if answered { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        End::Interrupted => "until Ctrl-C ends this",
        End::Quit => "until you quit Porten from its menu, or Ctrl-C ends this",
    };
    println!("A client, {until}:\n\n{}", curl(&hub, &model));
    while agent.process().is_running() {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if answered { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Waits until requests may come, and says what is awaited whenever that changes.
///
/// # Panics
/// Nothing is served in time; the sentence names what was awaited last.
async fn wait_until_served(agent: &Agent) -> Value {
    let begun = std::time::Instant::now();
    let mut told = String::new();
    loop {
        let status = agent.status().await;
        if is_ready(&status) {
            return status;
        }
        let awaited = awaited(&status);
        if awaited != told {
            println!("Waiting: {awaited}");
            told = awaited;
        }
        assert!(
            begun.elapsed() < READY,
            "nothing is served after {} s; the last that was awaited: {told}",
            READY.as_secs()
        );
        tokio::time::sleep(POLL).await;
    }
}

/// The first step of the ladder that is not done, in its own words.
fn awaited(status: &Value) -> String {
    let mut steps = status["ladder"].as_array().into_iter().flatten();
    let step = steps.find(|step| step["state"] != "reached");
    step.and_then(|step| step["reason"].as_str()).unwrap_or("the agent starts").to_owned()
}

/// Somebody's own Hub: nothing is approved here, and the sign-in is the person's.
async fn own_hub(end: End, cluster: &Cluster) -> ExitCode {
    let commands = match end {
        End::Quit => vec![(app(), "--open")],
        End::Answered | End::Interrupted => vec![(binary("porten"), "login"), (binary("porten"), "run")],
    };
    for (program, argument) in commands {
        let mut porten = tokio::process::Command::new(program);
        let status = porten.arg(argument).envs(cluster.setting()).kill_on_drop(true).status().await;
        if !status.is_ok_and(|status| status.success()) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Streams one answer through the whole chain, printing each piece as it comes.
async fn answer(hub: &Hub, model: &str, simulated: bool) -> bool {
    let note = if simulated { " (the answer is simulated: words without sense)" } else { "" };
    println!("{model} is asked: {QUESTION}{note}\n");
    let mut body = streamed_chat(model, QUESTION);
    body["max_tokens"] = 60.into();
    let mut answer = hub.client().stream("/v1/chat/completions", &body).await;
    let mut printed = 0;
    loop {
        let more = answer.read(answer.transcript.events.len() + 1).await;
        let content = answer.transcript.content();
        print!("{}", content.get(printed..).unwrap_or_default());
        // A pipe that nobody reads any more is nobody's loss.
        let _ = std::io::stdout().flush();
        printed = content.len();
        if !more {
            return answer.transcript.is_success();
        }
    }
}

/// The first model that the Hub places here.
fn placed_model(status: &Value) -> String {
    let mut models = status["models"].as_array().into_iter().flatten();
    let placed = models.find(|model| model["standing"] == "eligible");
    placed.and_then(|model| model["id"].as_str()).unwrap_or_default().to_owned()
}

fn curl(hub: &Hub, model: &str) -> String {
    let body = format!(r#"{{"model":"{model}","stream":true,"messages":[{{"role":"user","content":"Hello"}}]}}"#);
    format!(
        "  curl -N {}/v1/chat/completions -H 'Authorization: Bearer {}' -H 'Content-Type: application/json' \\\n    -d '{body}'",
        hub.url(),
        hub.api_key
    )
}

/// Ctrl-C, or a wish to end from elsewhere.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut hangup)) = (signal(SignalKind::terminate()), signal(SignalKind::hangup())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
        _ = hangup.recv() => {}
    }
}
