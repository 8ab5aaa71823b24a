//! `porten service`, with a real `systemd --user`: installed, looked after, taken over from and to, and gone without a trace.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "a test that cannot go on says so")]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use porten_core::config::{SettingsFile, persist};
use porten_core::service::{ServiceSpec, launchd, systemd};
use porten_tests::engine::{Engine, Manner};
use porten_tests::house::is_ready;
use porten_tests::process::{Process, binary};
use porten_tests::user_manager::UserManager;
use porten_tests::{Agent, Home, Hub, client, inside, tunnels, wait_until};
use serde_json::Value;

const UNIT: &str = "porten.service";
/// On a machine that compiles something else beside.
const SOON: Duration = Duration::from_secs(40);

/// An answer of more than a second and a half.
fn slow() -> Manner {
    Manner { chunks: Some(40), delay: Duration::from_millis(40), ..Manner::llama("tiny") }
}

/// An engine, a Hub, a machine that is signed in, and its person's service manager.
async fn machine() -> (Engine, Hub, Agent, UserManager) {
    let (engine, hub) = (Engine::start(slow()).await, Hub::start_dev().await);
    let mut agent = Agent::new(&hub);
    agent.set_engine(&engine.url()).set("PORTEN_LOG", "info");
    let manager = UserManager::start(agent.environment(), agent.home().path()).await;
    agent.login(&hub).await;
    (engine, hub, agent, manager)
}

/// A `porten service` command that must end so.
async fn service(agent: &Agent, arguments: &[&str], code: i32) -> String {
    let all: Vec<&str> = ["service"].iter().chain(arguments).copied().collect();
    let ended = agent.start(&all).ended(Duration::from_secs(120)).await;
    assert_eq!(ended.code, Some(code), "{all:?}\n{}{}", ended.stdout, ended.stderr);
    ended.stdout + &ended.stderr
}

async fn until_served_by(agent: &Agent, kind: &str) -> Value {
    let by = |status: &Value| status["host"]["kind"] == kind && is_ready(status);
    agent.status_until(SOON, &format!("it is served by {kind}"), by).await
}

/// From now until a client is answered.
async fn served(hub: &Hub) -> Duration {
    let begun = Instant::now();
    wait_until(SOON, "a client is answered", async || {
        let answer = hub.client().send("/v1/chat/completions", &client::chat("tiny", "Hi")).await;
        answer.is_ok_and(|answer| answer.status().is_success()).then_some(())
    })
    .await;
    begun.elapsed()
}

/// Everything below a folder, sockets that systemd and others keep there aside.
fn files(root: &Path) -> BTreeSet<PathBuf> {
    let (mut found, mut open) = (BTreeSet::new(), vec![root.to_owned()]);
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(entry.path());
            }
            found.insert(entry.path());
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_installed_kept_alive_and_leaves_nothing() {
    if !inside::services("a_service_is_installed_kept_alive_and_leaves_nothing") {
        return;
    }
    let (_engine, hub, mut agent, manager) = machine().await;
    let (porten, config) = (agent.home().porten(), agent.home().path().join("config"));
    let unit = config.join("systemd/user").join(UNIT);
    let before = files(&porten).union(&files(&config)).cloned().collect::<BTreeSet<_>>();

    // Looking changes nothing.
    let dry = service(&agent, &["install", "--dry-run"], 0).await;
    assert!(dry.contains("ExecStart=") && dry.contains("Nothing was changed."), "{dry}");
    assert!(dry.contains("engine.models = tiny (from PORTEN_ENGINE_MODELS; would be written into"), "{dry}");
    let status = service(&agent, &["status"], 1).await;
    assert!(status.contains("not installed"), "{status}");
    assert_eq!(files(&porten).union(&files(&config)).cloned().collect::<BTreeSet<_>>(), before);
    for command in ["start", "stop", "restart"] {
        assert!(service(&agent, &[command], 1).await.contains("porten service install"));
    }

    let said = service(&agent, &["install"], 0).await;
    assert!(said.contains("hub.url = ws://") && said.contains("(from PORTEN_HUB_URL; written into"), "{said}");
    assert!(said.contains("The service runs (process ") && said.contains("service.log"), "{said}");
    eprintln!("{said}");
    let text = std::fs::read_to_string(&unit).expect("the unit");
    assert!(text.contains(&format!("Environment=\"PORTEN_HOME={}\"", porten.display())), "{text}");
    assert!(!text.contains("PORTEN_HUB_URL"), "settings are in their file: {text}");
    let program = binary("porten");
    assert_eq!(text, systemd::unit(&spec(&program, &agent)), "the unit is the one that is verified below");
    until_served_by(&agent, "service").await;
    served(&hub).await;

    // A shell without the settings sees the same.
    for name in ["PORTEN_HUB_URL", "PORTEN_ENGINE", "PORTEN_ENGINE_URL", "PORTEN_ENGINE_MODELS", "PORTEN_KEYCHAIN"] {
        agent.unset(name);
    }
    let again = service(&agent, &["install"], 0).await;
    assert!(again.contains("Nothing changed"), "{again}");
    let told: Value = serde_json::from_str(&service(&agent, &["status", "--json"], 0).await).expect("JSON");
    let pid = manager.pid(UNIT).await;
    assert_eq!((&told["running"], &told["pid"], &told["serving_host"]), (&true.into(), &pid.into(), &"service".into()));
    assert!(told["since"].is_string() && told["last_exit"].is_null(), "{told}");
    assert!(service(&agent, &["start"], 0).await.contains("runs already"));

    // A person in a terminal is told.
    let refused = agent.command(&["run"]).await;
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("porten service stop"), "{}", refused.stderr);

    // A changed setting has it started anew, and what runs is finished.
    let mut stream = hub.client().stream("/v1/chat/completions", &client::streamed_chat("tiny", "Hi")).await;
    assert!(stream.read(2).await, "the answer has begun");
    agent.set("PORTEN_VRAM_BUDGET_MB", "2048");
    let changed = service(&agent, &["install"], 0).await;
    assert!(changed.contains("finishes what runs"), "{changed}");
    assert!(stream.finish().await.is_success());
    let status = until_served_by(&agent, "service").await;
    assert_eq!(status["memory"]["advertised_mib"], 2048);
    assert_ne!(status["host"]["pid"], pid);

    // Its log is its owner's alone, and has been written by it.
    let log = porten.join("logs/service.log");
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&log), mode(&porten.join("logs"))), (0o600, 0o700));
    let logged = service(&agent, &["logs", "-n", "1000"], 0).await;
    assert!(logged.contains("the service starts") && logged.contains("SIGTERM"), "{logged}");
    assert_eq!(service(&agent, &["logs", "-n", "2"], 0).await.lines().count(), 2);

    // Killed it is back by itself; broken settings do not end it, and mended ones are taken up.
    let pid = manager.pid(UNIT).await;
    kill(pid);
    let begun = Instant::now();
    wait_until(SOON, "another process runs", async || {
        let now = manager.property(UNIT, "MainPID").parse::<u32>().unwrap_or_default();
        (now != 0 && now != pid).then_some(())
    })
    .await;
    served(&hub).await;
    eprintln!("killed and served again after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let file = porten.join("config.toml");
    let good = std::fs::read_to_string(&file).expect("settings");
    std::fs::write(&file, format!("{good}\n[nonsense]\n")).expect("settings");
    kill(manager.pid(UNIT).await);
    wait_until(SOON, "its log says so", async || {
        std::fs::read_to_string(&log).unwrap_or_default().contains("nonsense").then_some(())
    })
    .await;
    // A typo keeps nobody from stopping it.
    assert!(service(&agent, &["stop"], 0).await.contains("has stopped"));
    assert!(service(&agent, &["stop"], 0).await.contains("does not run"));
    std::fs::write(&file, &good).expect("settings");
    service(&agent, &["start"], 0).await;
    until_served_by(&agent, "service").await;

    // `porten run` in a terminal goes before the service, which waits for it.
    service(&agent, &["stop"], 0).await;
    agent.run();
    until_served_by(&agent, "run").await;
    let waits = service(&agent, &["start"], 0).await;
    assert!(waits.contains("takes over when that ends") && waits.contains("and waits"), "{waits}");
    agent.stop().await;
    until_served_by(&agent, "service").await;

    let gone = service(&agent, &["uninstall"], 0).await;
    assert!(gone.contains("its unit, its log, its lock and its socket"), "{gone}");
    assert!(service(&agent, &["uninstall"], 0).await.contains("not installed"));
    let mut after = files(&porten).union(&files(&config)).cloned().collect::<BTreeSet<_>>();
    assert!(after.remove(&file), "the settings stay");
    let new: Vec<_> = after.difference(&before).collect();
    assert!(new.is_empty(), "{new:?}");
    assert_eq!(manager.property(UNIT, "LoadState"), "not-found");
    let counted = tunnels::count(&hub);
    assert_eq!((counted.most, counted.replaced), (1, 0), "{counted:?}");
    manager.stop().await;
}

fn kill(pid: u32) {
    let sent = Command::new("/bin/sh").args(["-c", "kill -s KILL \"$0\"", &pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "{pid} takes no SIGKILL");
}

fn spec(program: &Path, agent: &Agent) -> ServiceSpec {
    let names = ["PORTEN_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"];
    let environment = names.map(|name| (name.to_owned(), agent.environment()[name].clone())).into();
    ServiceSpec::new(&program.display().to_string(), environment).expect("plain paths")
}

/// Fault F2: in all orders of start, stop and kill of app and service there is never a second tunnel, what runs is finished, and
/// somebody serves within 5 s.
#[tokio::test(flavor = "multi_thread")]
async fn app_and_service_take_turns_in_all_orders() {
    if !inside::services_and_desktop("app_and_service_take_turns_in_all_orders") {
        return;
    }
    let (_engine, hub, mut agent, manager) = machine().await;
    porten_tests::desktop::move_in(&mut agent);
    let mut app = agent.start_app(&[]);
    until_served_by(&agent, "app").await;
    let mut worst = Duration::ZERO;

    // (what is done, with which command or signal, who serves in the end; whether an answer runs meanwhile)
    let orders: [(&str, &str, bool); 14] = [
        ("install", "service", true),
        ("service stop", "app", true),
        ("service start", "service", true),
        ("kill service", "service", false),
        ("kill app", "service", true),
        ("start app", "service", true),
        ("quit app", "service", true),
        ("start app", "service", false),
        ("service restart", "service", true),
        ("service stop", "app", false),
        ("kill app", "", false),
        ("start app", "app", false),
        ("service start", "service", true),
        ("kill both", "service", false),
    ];
    for (order, serves, runs) in orders {
        let mut stream = None;
        if runs {
            let mut begun = hub.client().stream("/v1/chat/completions", &client::streamed_chat("tiny", "Hi")).await;
            assert!(begun.read(2).await, "{order}: the answer has begun");
            stream = Some(tokio::spawn(async move {
                let whole = begun.finish().await;
                (whole, Instant::now())
            }));
        }
        let command = order.strip_prefix("service ").or((order == "install").then_some(order));
        let command = command.map(|word| agent.start(&["service", word]));
        match order {
            "start app" => app = agent.start_app(&[]),
            "quit app" => app.signal("TERM"),
            "kill app" => app.kill(),
            "kill service" => kill(manager.pid(UNIT).await),
            "kill both" => {
                app.kill();
                kill(manager.pid(UNIT).await);
            }
            _ => {}
        }
        let mut from = Instant::now();
        if let Some(stream) = stream {
            let (whole, at) = stream.await.expect("the client");
            assert!(whole.is_success(), "{order}: {}", whole.body);
            from = from.max(at);
        }
        if !serves.is_empty() {
            served(&hub).await;
            let without = from.elapsed();
            assert!(without < Duration::from_secs(5), "{order}: {without:?}");
            worst = worst.max(without);
        }
        if let Some(mut command) = command {
            let ended = command.ended(SOON).await;
            assert_eq!(ended.code, Some(0), "{order}: {}{}", ended.stdout, ended.stderr);
        }
        if order == "quit app" {
            assert_eq!(app.ended(SOON).await.code, Some(0));
        }
        if !serves.is_empty() {
            until_served_by(&agent, serves).await;
        }
        let counted = tunnels::count(&hub);
        assert_eq!((counted.most, counted.replaced), (1, 0), "{order}: {counted:?}");
    }
    // The app takes over from a service that is taken away, and nobody takes its lock from under it.
    app = agent.start_app(&[]);
    wait_until(SOON, "the app is there", async || agent.command(&["status"]).await.code.filter(|code| *code == 0))
        .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let gone = service(&agent, &["uninstall"], 0).await;
    until_served_by(&agent, "app").await;
    assert!(agent.home().porten().join("run/agent.lock").exists(), "{gone}");
    let counted = tunnels::count(&hub);
    assert_eq!((counted.most, counted.replaced), (1, 0), "{counted:?}");
    eprintln!("app and service: {} tunnels one after the other, at most {worst:?} without", counted.opened);
    app.signal("TERM");
    assert_eq!(app.ended(SOON).await.code, Some(0));
    manager.stop().await;
}

/// The recipe byte for byte: README's lines, in a fresh home, where porten.ai is this machine.
#[tokio::test(flavor = "multi_thread")]
async fn the_recipe_ends_in_a_service_that_answers() {
    if !inside::services_and_network("the_recipe_ends_in_a_service_that_answers") {
        return;
    }
    let readme = include_str!("../../README.md");
    let settings = readme.split_once("```\nPORTEN_HUB_URL=").and_then(|(_, rest)| rest.split_once("```"));
    let settings = format!("PORTEN_HUB_URL={}", settings.expect("README's settings").0);
    assert_eq!(settings.lines().count(), 5, "{settings}");
    let home = Home::new();
    let hub = Hub::start_behind("https://porten.ai").await;
    let front = porten_tests::TlsFront::start_at(
        "127.0.0.1:443".parse().expect("an address"),
        "porten.ai",
        "A test's authority",
        hub.port(),
    )
    .await;
    let (hosts, authority) = (home.path().join("tmp/hosts"), home.path().join("tmp/ca.crt"));
    std::fs::write(&hosts, "127.0.0.1 localhost porten.ai\n").expect("a file");
    front.write_authority(&authority);
    inside::put_over(Path::new("/etc/hosts"), &hosts);
    inside::put_over(Path::new("/etc/ssl/certs/ca-certificates.crt"), &authority);
    let address = "127.0.0.1:8000".parse().expect("an address");
    let engine = Engine::start_at(address, Manner::exo("mlx-community/DeepSeek-V4-Flash")).await;

    // A machine without a keyring, as servers are: nobody is at a screen to unlock one.
    let empty = home.path().join("tmp/none");
    std::fs::create_dir(&empty).expect("a folder");
    inside::put_over(Path::new("/usr/share/dbus-1/services"), &empty);

    // A home as a new account has it, and a runtime folder as a login makes it.
    let person = home.path().join("person");
    let runtime = PathBuf::from("/run/user/0");
    for folder in [&person, &runtime, &person.join("bin")] {
        std::fs::create_dir_all(folder).expect("a folder");
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).expect("a private folder");
    }
    std::fs::copy(binary("porten"), person.join("bin/porten")).expect("porten");
    let environment: BTreeMap<String, String> = [
        ("HOME", person.display().to_string()),
        ("XDG_RUNTIME_DIR", runtime.display().to_string()),
        ("PATH", format!("{}:/usr/bin:/bin", person.join("bin").display())),
        ("LANG", "C.UTF-8".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let outputs = home.path().join("tmp");
    let manager = UserManager::start(&environment, &outputs).await;
    let mut settled = files(&person);
    let shell = |with: bool, command: &str| {
        let text = if with { format!("set -a\n{settings}set +a\n{command}") } else { command.to_owned() };
        Process::start_at(Path::new("/bin/sh"), &["-c", &text], &environment, &outputs)
    };
    let run = async |with: bool, command: &str| {
        let ended = shell(with, command).ended(Duration::from_secs(90)).await;
        assert_eq!(ended.code, Some(0), "{command}: {}{}", ended.stdout, ended.stderr);
        ended.stdout
    };

    let mut login = shell(true, "porten login");
    let code = wait_until(SOON, "porten login shows a code", async || {
        assert!(login.is_running(), "{}{}", login.stdout(), login.stderr());
        let text = login.stdout();
        let code = text.lines().find_map(|line| line.trim().strip_prefix("Code"))?.trim().to_owned();
        Some(code)
    })
    .await;
    hub.approve(&code).await;
    assert_eq!(login.ended(SOON).await.code, Some(0));
    settled.extend(files(&person));
    let said = run(true, "porten service install").await;
    eprintln!(
        "{said}\n{}",
        std::fs::read_to_string(person.join(".config/systemd/user/porten.service")).expect("a unit")
    );

    let answered = async |what: &str| {
        let begun = Instant::now();
        wait_until(SOON, what, async || {
            let answer = hub.client().chat("deepseek-v4-flash", "Hi").await;
            (answer.status == 200 && answer.json["model"] == "deepseek-v4-flash").then_some(())
        })
        .await;
        begun.elapsed()
    };
    answered("a client is answered").await;
    assert!(!engine.asked().is_empty());
    let mut worst = Duration::ZERO;
    for round in 0..20 {
        match round % 4 {
            0 => kill(manager.pid(UNIT).await),
            1 => drop(run(false, "porten service restart").await),
            2 => drop(manager.systemctl(&["kill", "-s", "KILL", UNIT])),
            _ => {
                run(false, "porten service stop").await;
                run(false, "porten service start").await;
            }
        }
        worst = worst.max(answered(&format!("a client is answered after round {round}")).await);
    }
    eprintln!("20 stops, kills and starts: answered again after {worst:?} at most");
    assert!(worst < Duration::from_secs(5), "{worst:?}");

    run(false, "porten service uninstall").await;
    let left: Vec<_> = files(&person).difference(&settled).filter(|path| !path.is_dir()).cloned().collect();
    assert_eq!(left, [person.join(".config/porten/config.toml")], "only the settings stay");
    assert!(!person.join(".porten/run").exists());
    manager.stop().await;
}

/// What the two systems are given, checked by their own tools where those are here.
#[tokio::test(flavor = "multi_thread")]
async fn both_units_are_verified_and_their_command_line_runs() {
    let (engine, hub) = (Engine::start(slow()).await, Hub::start_dev().await);
    let mut agent = Agent::new(&hub);
    agent.set_engine(&engine.url());
    agent.login(&hub).await;
    let spec = spec(&binary("porten"), &agent);

    let file = agent.home().path().join(UNIT);
    std::fs::write(&file, systemd::unit(&spec)).expect("a file");
    let mut verify = Command::new("systemd-analyze");
    verify.args(["--user", "verify", "--man=no"]).arg(&file).env_clear().envs(agent.environment());
    let verified = verify.output().expect("systemd-analyze (package systemd)");
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let about_ours: Vec<_> = said.lines().filter(|line| line.contains("porten")).collect();
    assert!(verified.status.success() && about_ours.is_empty(), "{said}");

    let list = plist::Value::from_reader_xml(launchd::unit(&spec).as_bytes()).expect("a property list");
    let list = list.as_dictionary().expect("a dictionary");
    let words: Vec<&str> =
        list["ProgramArguments"].as_array().expect("an array").iter().filter_map(plist::Value::as_string).collect();
    // As launchd starts it: without the shell's variables, with those of the list.
    let variables = list["EnvironmentVariables"].as_dictionary().expect("a dictionary");
    let mut environment: BTreeMap<String, String> = variables
        .iter()
        .map(|(name, value)| (name.clone(), value.as_string().unwrap_or_default().to_owned()))
        .collect();
    environment.insert("HOME".to_owned(), agent.home().path().display().to_string());
    // As `install` writes them.
    let settings = persist(agent.environment(), SettingsFile { text: "", path: "" }).expect("settings");
    std::fs::write(agent.home().porten().join("config.toml"), settings).expect("a file");
    let mut process = Process::start_at(Path::new(words[0]), &words[1..], &environment, agent.home().path());
    until_served_by(&agent, "service").await;
    served(&hub).await;
    process.signal("TERM");
    let ended = process.ended(SOON).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout + &ended.stderr, "", "all it says is in its log");
}

#[test]
fn the_page_about_the_service_shows_both_units_as_they_are() {
    let page = include_str!("../../docs/service.md");
    let spec = ServiceSpec::new("/usr/local/bin/porten", BTreeMap::new()).expect("a plain path");
    for (language, unit) in [("xml", launchd::unit(&spec)), ("ini", systemd::unit(&spec))] {
        assert!(page.contains(&format!("```{language}\n{unit}```\n")), "docs/service.md must show:\n{unit}");
    }
}

#[tokio::test]
async fn without_a_service_manager_nothing_is_written() {
    let agent = Agent::bare();
    let before = files(&agent.home().path().join("config"));
    let ended = agent.command(&["service", "install"]).await;
    assert_eq!(
        (ended.code, ended.stderr.lines().last().unwrap_or_default().contains("loginctl enable-linger")),
        (Some(1), true),
        "{}",
        ended.stderr
    );
    assert_eq!(files(&agent.home().path().join("config")), before);
    assert!(!agent.home().porten().join("config.toml").exists());
    let status = agent.command(&["service", "status"]).await;
    assert_eq!(status.code, Some(1), "{}", status.stderr);
    // From a place of the moment it is refused, whatever there is.
    for folder in ["tmp/.mount_Porten", "tmp/AppTranslocation/1/d"] {
        let folder = agent.home().path().join(folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        std::fs::copy(binary("porten"), folder.join("porten")).expect("porten");
        let mut here = Process::start_at(
            &folder.join("porten"),
            &["service", "install"],
            agent.environment(),
            agent.home().path(),
        );
        let refused = here.ended(SOON).await;
        assert_eq!(
            (refused.code, refused.stderr.contains("install the service from there")),
            (Some(2), true),
            "{}",
            refused.stderr
        );
        assert!(!agent.home().porten().join("config.toml").exists());
    }
    let mut sudo = Agent::bare();
    sudo.set("SUDO_UID", "1000");
    if Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0") {
        let refused = sudo.command(&["service", "install"]).await;
        assert_eq!((refused.code, refused.stderr.contains("without sudo")), (Some(2), true), "{}", refused.stderr);
    }
}
