//! What `make run` starts once everything is built: the app with all it needs, or the same job in the terminal.
//!
//! Without settings and without an exo on this machine that is a Hub for development and an exo cluster made of software,
//! both new and gone again at the end; whoever sets `PORTEN_HUB_URL` or `PORTEN_ENGINE_URL` gets those instead.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it speaks to the person at the terminal")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use porten_tests::agent::Agent;
use porten_tests::client::{Client, chat};
use porten_tests::house::is_ready;
use porten_tests::hub::Hub;
use porten_tests::process::{Process, binary};
use porten_tests::{Home, Sim};
use serde_json::Value;
use tokio::sync::watch;

/// From the agent's start to the Hub's word that requests may come: a cluster is looked at for a few seconds first.
const READY: Duration = Duration::from_secs(90);
/// What was asked to end has this long: longer than an agent waits for its last answers.
const END: Duration = Duration::from_secs(60);
/// How often it is looked whether the app still runs.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Where exo answers, unless it was told otherwise.
const EXO: &str = "http://127.0.0.1:52415";
/// The model that the cluster made of software has loaded.
const LOADED: &str = "mlx-community/DeepSeek-V4-Flash";
/// Asked of the first model that is ready.
const QUESTION: &str = "What is a cluster of three Macs good for?";

fn main() -> ExitCode {
    // What the parts say when they cannot go on is meant for a person: the sentence alone.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("make run: {}", panic.payload_as_str().unwrap_or("something is broken"));
    }));
    let headless = std::env::args().skip(1).any(|argument| argument == "--headless") || !has_display();
    let Ok(runtime) = tokio::runtime::Runtime::new() else { return ExitCode::FAILURE };
    // A part that gave up has said why, and all parts end with their owner.
    catch_unwind(AssertUnwindSafe(|| runtime.block_on(until_interrupted(headless)))).unwrap_or(ExitCode::FAILURE)
}

/// Runs the tour; at Ctrl-C an app that is up may finish its answers, and everything else ends at once.
async fn until_interrupted(headless: bool) -> ExitCode {
    let (stop, stopped) = watch::channel(false);
    let up = Arc::new(AtomicBool::new(false));
    let mut tour = pin!(tour(headless, App { stopped, up: Arc::clone(&up) }));
    tokio::select! {
        code = &mut tour => return code,
        () = interrupted() => println!("\nEnding what was started …"),
    }
    if up.load(Ordering::Relaxed) {
        // It is told whether or not the terminal has told it already.
        let _ = stop.send(true);
        let _ = tokio::time::timeout(END, tour).await;
    }
    ExitCode::from(130)
}

/// What the running app and the person at the terminal share.
struct App {
    stopped: watch::Receiver<bool>,
    up: Arc<AtomicBool>,
}

impl App {
    /// Waits until it was quit, or the person had enough.
    async fn wait(mut self, mut app: Process) -> ExitCode {
        self.up.store(true, Ordering::Relaxed);
        println!("Ctrl-C here, or Quit there, ends it.");
        while app.is_running() {
            tokio::select! {
                Ok(()) = self.stopped.changed() => {
                    if app.is_running() {
                        app.signal("TERM");
                    }
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
        let ended = app.ended(END).await;
        if ended.code == Some(0) {
            return ExitCode::SUCCESS;
        }
        eprintln!("{}", ended.stderr.trim_end());
        ExitCode::FAILURE
    }
}

async fn tour(headless: bool, app: App) -> ExitCode {
    let cluster = Cluster::find().await;
    println!("Engine  {}", cluster.words);
    match std::env::var("PORTEN_HUB_URL") {
        Ok(url) => {
            println!("Hub     {url}");
            let mut settings = environment();
            settings.extend(cluster.setting());
            own_hub(headless, &settings, app).await
        }
        Err(_) => development_hub(headless, &cluster, app).await,
    }
}

/// The engine: what the person names, an exo on this machine, or a cluster made of software.
struct Cluster {
    words: String,
    url: Option<String>,
    // Ends with it.
    _sim: Option<Sim>,
}

impl Cluster {
    async fn find() -> Self {
        if let Ok(url) = std::env::var("PORTEN_ENGINE_URL") {
            return Self { words: url, url: None, _sim: None };
        }
        if Client::new(EXO, "").try_get("/node_id").await {
            return Self { words: format!("exo on this machine, {EXO}"), url: None, _sim: None };
        }
        let macs = std::env::var("MACS").unwrap_or_else(|_| "3x128".to_owned());
        let sim = Sim::start(&["--macs", &macs, "--loaded", LOADED]).await;
        let words = format!("an exo cluster made of software ({macs}), {}", sim.url());
        Self { words, url: Some(sim.url()), _sim: Some(sim) }
    }

    fn setting(&self) -> Option<(String, String)> {
        Some(("PORTEN_ENGINE_URL".to_owned(), self.url.clone()?))
    }
}

/// A Hub of this run's own: this program is the person who approves.
async fn development_hub(headless: bool, cluster: &Cluster, screen: App) -> ExitCode {
    let hub = Hub::start_dev().await;
    println!("Hub     {} (for development, gone when this ends)", hub.url());
    println!("        account {}, passphrase {}", hub.account, hub.passphrase);
    let mut agent = Agent::new(&hub);
    agent.set("PORTEN_LOG", "info");
    for (name, value) in std::env::vars().filter(|(name, _)| name.starts_with("PORTEN_")).chain(cluster.setting()) {
        agent.set(&name, &value);
    }
    agent.login(&hub).await;
    println!("Signed in as {}.", hub.account);
    let mut app = None;
    if headless {
        agent.run();
    } else {
        // The person's own desktop, and a home of this run's own.
        let mut desktop = environment();
        desktop.extend(agent.environment().iter().filter(|(name, _)| name.starts_with("PORTEN_")).map(owned));
        app = Some(Process::start("porten-app", &["--open"], &desktop, agent.home().path()));
    }
    println!("Waiting until a model is served …");
    let status = agent.status_until(READY, "a model is served (see the status)", is_ready).await;
    let model = placed_model(&status);
    println!("\nA client, for as long as this runs:\n\n{}\n", curl(&hub, &model));
    let Some(app) = app else {
        let answered = answer(&hub, &model).await;
        println!("\n\n{}", agent.command(&["status"]).await.stdout);
        agent.stop().await;
        return if answered { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    };
    print!("Porten is in the menu bar. ");
    screen.wait(app).await
}

/// Somebody's own Hub: nothing is approved here, and the sign-in is the person's.
async fn own_hub(headless: bool, settings: &BTreeMap<String, String>, screen: App) -> ExitCode {
    let home = Home::new();
    if !headless {
        let app = Process::start("porten-app", &["--open"], settings, home.path());
        print!("Porten is in the menu bar; sign in there if it asks. ");
        return screen.wait(app).await;
    }
    for arguments in [["login"], ["run"]] {
        let mut command = tokio::process::Command::new(binary("porten"));
        let status = command.args(arguments).env_clear().envs(settings).kill_on_drop(true).status().await;
        if !status.is_ok_and(|status| status.success()) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

/// Streams one answer through the whole chain, printing each piece as it comes.
async fn answer(hub: &Hub, model: &str) -> bool {
    println!("{model} is asked: {QUESTION}\n");
    let mut body = chat(model, QUESTION);
    body["stream"] = true.into();
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

fn environment() -> BTreeMap<String, String> {
    std::env::vars().collect()
}

fn owned((name, value): (&String, &String)) -> (String, String) {
    (name.clone(), value.clone())
}

/// Whether a window can be shown: always on a Mac, unless one is there by ssh.
fn has_display() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if cfg!(target_os = "macos") { !set("SSH_CONNECTION") } else { set("DISPLAY") || set("WAYLAND_DISPLAY") }
}
