//! Every command of `porten` in every state of the machine that it may meet: what it prints, and with what it ends.
#![cfg(target_os = "linux")] // a disk of its own, by a mount namespace, and a terminal by `script`
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on says so")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use porten_tests::engine::Manner;
use porten_tests::house::is_ready;
use porten_tests::process::binary;
use porten_tests::schema::Schema;
use porten_tests::{Agent, House, inside};
use serde_json::Value;

/// The table as it is committed; `PORTEN_WRITE_TABLE=1 cargo test -p porten-tests --test commands` writes it.
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/commands-table.md");
const SOON: Duration = Duration::from_secs(60);
/// A command that still runs then waits for somebody, and is interrupted.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is typed, in this order, and the documents that `--json` answers with.
const COMMANDS: &[(&[&str], &[&str])] = &[
    (&[], &["Look"]),
    (&["status"], &["Status", "StatusFailed"]),
    (&["models"], &["Models"]),
    (&["models", "off", "tiny"], &["SetModel"]),
    (&["models", "on", "tiny"], &["SetModel"]),
    (&["models", "on", "nonsense"], &["SetModel"]),
    (&["models", "on", "no id"], &["SetModel"]),
    (&["cluster"], &["Cluster"]),
    (&["cluster", "limit", "studio-1", "114688"], &["Limit"]),
    (&["cluster", "limit", "studio-1", "much"], &["Limit"]),
    (&["cluster", "--from", "missing.json"], &["Replayed"]),
    (&["config"], &["Config"]),
    (&["config", "set", "log.level", "warn"], &["SetConfig"]),
    (&["config", "unset", "log.level"], &["SetConfig"]),
    (&["config", "set", "hub.url", "wss://other.example"], &["SetConfig"]),
    (&["config", "set", "colour", "blue"], &["SetConfig"]),
    (&["engine", "test"], &["Engine", "EngineFailed"]),
    (&["pause", "--for", "30m"], &["SetPause"]),
    (&["pause", "--for", "0s"], &["SetPause"]),
    (&["pause", "--for", "-1h"], &["SetPause"]),
    (&["pause", "--until", "noon"], &["SetPause"]),
    (&["pause"], &["SetPause"]),
    (&["resume"], &["SetPause"]),
    (&["offline"], &["SetOnline"]),
    (&["online"], &["SetOnline"]),
    (&["drain", "--now"], &["Drain"]),
    (&["online"], &["SetOnline"]),
    (&["login", "--no-browser"], &["Login"]),
    (&["run"], &["Run"]),
    (&["service", "install", "--dry-run"], &["ServicePlan"]),
    (&["service", "install"], &["Service"]),
    (&["service", "status"], &["Service", "ServiceFailed"]),
    (&["service", "stop"], &["Service"]),
    (&["service", "logs"], &["ServiceLog"]),
    (&["service", "uninstall"], &["Service"]),
    (&["logout", "--now"], &["Logout", "Drain"]),
    (&["frobnicate"], &[]),
];

/// Where the output goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sink {
    File,
    /// A disk with no room for it.
    Full,
    /// A reader that has left.
    Left,
    /// A terminal of 40 columns.
    Terminal,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Did {
    /// `None`: it waited for somebody, and was interrupted.
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a command of this machine to its end.
fn run(agent: &Agent, arguments: &[&str], sink: Sink) -> Did {
    let folder = agent.home().path();
    let mut command = match sink {
        Sink::Terminal => {
            let mut command = Command::new("script");
            let typed = [binary("porten").to_str().expect("a path"), &arguments.join("\u{1}")].join("\u{1}");
            let quoted: Vec<String> =
                typed.split('\u{1}').filter(|word| !word.is_empty()).map(|word| format!("'{word}'")).collect();
            command.args(["-qec", &format!("stty cols 40; exec {}", quoted.join(" ")), "/dev/null"]);
            command
        }
        _ => {
            let mut command = Command::new(binary("porten"));
            command.args(arguments);
            command
        }
    };
    command.env_clear().envs(agent.environment()).current_dir(folder).stdin(Stdio::null());
    let (out, err) = (folder.join("out.txt"), folder.join("err.txt"));
    let file = |path: &Path| File::create(path).expect("a file for the output");
    command.stderr(file(&err));
    match sink {
        Sink::File | Sink::Terminal => command.stdout(file(&out)),
        Sink::Full => command.stdout(File::options().write(true).open("/dev/full").expect("/dev/full")),
        Sink::Left => {
            let (reader, writer) = std::io::pipe().expect("a pipe");
            drop(reader);
            command.stdout(writer)
        }
    };
    let mut child = command.spawn().expect("a command starts");
    let read = |path: &Path| {
        let mut text = String::new();
        let done = File::open(path).and_then(|mut file| file.read_to_string(&mut text));
        if done.is_ok() { text.replace('\r', "") } else { String::new() }
    };
    let waits =
        |text: &str| text.contains("Ctrl-C stops") || text.contains("verification_uri") || text.contains("Connecting");
    let begun = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().expect("a child can be asked") {
            break status.code();
        }
        let by_itself = !arguments.iter().any(|word| matches!(*word, "login" | "run"));
        let late = begun.elapsed() > PATIENCE;
        if late || !by_itself && (waits(&read(&out)) || sink != Sink::File && begun.elapsed() > Duration::from_secs(3))
        {
            assert!(!(late && by_itself), "{arguments:?} does not end: {}{}", read(&out), read(&err));
            // What it has done until then is what counts.
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    // How far an agent had come when it was ended is chance.
    let is_chance = code.is_none() && arguments.contains(&"run");
    let shown = |sink: Sink| matches!(sink, Sink::File | Sink::Terminal) && !is_chance;
    Did { code, stdout: if shown(sink) { read(&out) } else { String::new() }, stderr: read(&err) }
}

/// A state of the machine, and what it did in it.
struct State {
    name: &'static str,
    did: Vec<Did>,
}

/// What is another in each run, in words that are not.
struct Words(Vec<(String, &'static str)>);

impl Words {
    fn of(agent: &Agent, hub: &str, engine: &str) -> Self {
        let machine = porten_agent::node::machine_name();
        let home = agent.home().path().to_string_lossy().into_owned();
        let hub = hub.trim_start_matches("http://").to_owned();
        let engine = engine.trim_start_matches("http://").to_owned();
        let dashed = hub.replace([':', '.'], "-");
        let program = binary("porten").to_string_lossy().into_owned();
        Self(vec![
            (program, "PROGRAM"),
            (hub, "HUB"),
            (engine, "ENGINE"),
            (dashed, "HUB"),
            (home, "HOME"),
            (machine, "MACHINE"),
            (env!("CARGO_PKG_VERSION").to_owned(), "VERSION"),
        ])
    }

    fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (word, instead) in &self.0 {
            text = text.replace(word, instead);
        }
        // Where these programs were built is another place for everybody.
        let is_place = |line: &str| line.starts_with("porten: note: PROGRAM: ");
        text.lines()
            .filter(|line| !is_log(line) && !is_place(line))
            .map(redact_line)
            .collect::<Vec<_>>()
            .join("\n")
            .trim_end()
            .to_owned()
    }
}

/// A line of the log begins with its date.
fn is_log(line: &str) -> bool {
    line.get(..4).is_some_and(|year| year.bytes().all(|byte| byte.is_ascii_digit())) && line.contains("porten_")
}

/// Numbers that are measured, and times, are others in each run.
fn redact_line(line: &str) -> String {
    const UNITS: &[&str] = &["s", "ms", "tok/s"];
    const DAYS: &[&str] = &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    if line.contains("write it like") {
        return line.to_owned();
    }
    let words: Vec<&str> = line.split(' ').collect();
    let mut said = Vec::new();
    for (n, word) in words.iter().enumerate() {
        let number = word.starts_with(|c: char| c.is_ascii_digit());
        let bare = word.trim_end_matches([':', '.', ',', ';', ')']);
        let is_time = number && bare.contains(':') && bare.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
        let is_date = number && bare.len() >= 10 && bare.matches('-').count() == 2;
        let is_measured = number
            && (words.get(n + 1).is_some_and(|unit| UNITS.contains(&unit.trim_end_matches([',', ';', ':', '.'])))
                || n > 0 && words[n - 1] == "(process");
        let is_code = word.len() == 9
            && word.as_bytes()[4] == b'-'
            && bare.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if DAYS.contains(word) {
            // Only late in the evening does it stand there.
        } else if is_time || is_date {
            said.push(word.replace(bare, if is_date { "DATE" } else { "TIME" }));
        } else if is_measured {
            said.push(word.replace(bare, "N"));
        } else if is_code {
            said.push("CODE".to_owned());
        } else if let Some((page, _)) = word.split_once("user_code=") {
            said.push(format!("{page}user_code=CODE"));
        } else {
            said.push((*word).to_owned());
        }
    }
    said.join(" ").replace(" · N ms", "").replace(" · N tok/s", "").replace("for less than a minute", "for N s")
}

/// Sees that nothing is wrong with what a command did, whatever it says.
fn assert_sound(name: &str, arguments: &[&str], did: &Did) {
    let all = format!("{}{}", did.stdout, did.stderr);
    let what = format!("{name}: porten {}: {did:?}", arguments.join(" "));
    assert!(!all.contains("panicked"), "{what}");
    assert!(matches!(did.code, None | Some(0..=4)), "{what}");
    if did.code.is_some_and(|code| code > 0) {
        // `service status` reports, and its code is the answer for a script.
        let is_report = arguments == ["service", "status"];
        let said = all.lines().find(|line| is_report || line.starts_with("porten: ") || line.starts_with("error: "));
        assert!(said.is_some_and(|line| line.len() > 20), "a failure without a sentence: {what}");
    }
    for line in all.lines().filter(|line| line.starts_with("porten: ")) {
        let parts: Vec<&str> = line.split([':', ';', '(', ')']).map(str::trim).filter(|part| part.len() > 12).collect();
        for (n, part) in parts.iter().enumerate() {
            assert!(!parts[n + 1..].contains(part), "{part:?} is said twice: {what}");
        }
    }
}

/// Sees that each line is one of the documents, and that a failure is told as one.
fn assert_json(schema: &Schema, name: &str, arguments: &[&str], documents: &[&str], did: &Did) {
    let what = format!("{name}: porten --json {}: {did:?}", arguments.join(" "));
    let lines: Vec<Value> = did
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {what}")))
        .collect();
    for line in &lines {
        let wrong: Vec<String> =
            documents.iter().chain([&"Failed"]).filter_map(|document| schema.wrong(document, line)).collect();
        assert!(wrong.len() <= documents.len(), "{wrong:#?}: {what}");
    }
    let error = lines.last().and_then(|line| line.get("error"));
    let exit = error.and_then(|error| error["exit"].as_i64());
    match did.code {
        Some(0) => assert!(error.is_none() && !lines.is_empty(), "{what}"),
        Some(code) => assert_eq!(exit, Some(i64::from(code)), "{what}"),
        None => {}
    }
    assert!(!did.stderr.lines().any(|line| line.starts_with("porten: ")), "said beside the JSON: {what}");
}

/// Runs all commands in a state; then, where the output is a file, all of them again with `--json`.
fn visit(name: &'static str, agent: &Agent, words: &Words, sink: Sink) -> State {
    let schema = Schema::of_porten();
    let mut did = Vec::new();
    for (arguments, _) in COMMANDS {
        let done = run(agent, arguments, sink);
        assert_sound(name, arguments, &done);
        did.push(Did { stdout: words.redact(&done.stdout), stderr: words.redact(&done.stderr), ..done });
    }
    if sink == Sink::File {
        for (arguments, documents) in COMMANDS {
            let done = run(agent, &[&["--json"], *arguments].concat(), sink);
            assert_json(&schema, name, arguments, documents, &done);
        }
    }
    State { name, did }
}

/// A machine whose agent runs and is ready.
async fn ready() -> (House, Words) {
    let house = House::signed_in(Manner::mlx("tiny"), |agent| {
        agent.unset("PORTEN_LOG");
    })
    .await;
    let said = |status: &Value| is_ready(status) && !status["hub"]["said"].is_null();
    house.agent.status_until(SOON, "the Hub has said why requests come", said).await;
    let words = Words::of(&house.agent, &house.hub.url(), &house.engine.url());
    (house, words)
}

/// The table, with states that did the same beside each other.
fn table(states: &[State]) -> String {
    let mut text = String::from(
        "# What each command prints\n\nMade by a test (`PORTEN_WRITE_TABLE=1 cargo test -p porten-tests --test commands`), which fails when\nsomething here changes. Addresses, paths, times and measured numbers are replaced by words in capitals.\n\n| state | what it is |\n|---|---|\n",
    );
    for (name, what) in STATES {
        let _ = writeln!(text, "| {name} | {what} |");
    }
    for (n, (arguments, _)) in COMMANDS.iter().enumerate() {
        let _ = write!(text, "\n## `{}`\n", [&["porten"], *arguments].concat().join(" "));
        let mut told: Vec<(String, Vec<&str>)> = Vec::new();
        for state in states {
            let cell = cell(&state.did[n]);
            match told.iter_mut().find(|(other, _)| *other == cell) {
                Some((_, names)) => names.push(state.name),
                None => told.push((cell, vec![state.name])),
            }
        }
        for (cell, names) in told {
            let _ = write!(text, "\n**{}**: {cell}", names.join(" · "));
        }
    }
    text
}

fn cell(did: &Did) -> String {
    let code = did.code.map_or_else(|| "goes on until it is ended".to_owned(), |code| format!("exit code {code}"));
    let all = [did.stdout.as_str(), did.stderr.as_str()].into_iter().filter(|text| !text.is_empty());
    let all = all.collect::<Vec<_>>().join("\n");
    if all.is_empty() { format!("{code}, prints nothing\n") } else { format!("{code}\n```text\n{all}\n```\n") }
}

const STATES: &[(&str, &str)] = &[
    ("no agent", "somebody is signed in, and no agent runs"),
    ("agent", "one runs, and serves the model `tiny`"),
    ("other Hub", "one runs, and `PORTEN_HUB_URL` in the shell names another Hub than the agent's"),
    ("broken settings", "one runs, and a line of the settings file does not read"),
    ("misspelt variable", "one runs, and the shell has a `PORTEN_ENGINE_MODLES`"),
    ("signed out", "nobody is signed in, and no agent runs"),
    ("no home", "`PORTEN_HOME` is no folder, and none can be made there"),
    ("full disk", "no agent runs, and the disk of `PORTEN_HOME` is full"),
    ("full output", "an agent runs, and the output goes to a disk that is full"),
    ("closed pipe", "an agent runs, and the reader of the output has left"),
    ("40 columns", "an agent runs, and the output goes to a terminal of 40 columns"),
];

/// Fault F3: no command panics, fails without a sentence, or says a thing twice, whatever state the machine is in.
#[tokio::test(flavor = "multi_thread")]
async fn every_command_in_every_state_says_what_the_table_says() {
    if !inside::small_disk("every_command_in_every_state_says_what_the_table_says", 512) {
        return;
    }
    let disk = PathBuf::from(std::env::var_os("HOME").expect("a home"));
    let mut states = Vec::new();

    let (mut house, words) = ready().await;
    house.agent.stop().await;
    let login = house.agent.home().porten().join("state");
    let kept = std::fs::read_dir(&login).expect("a state").flatten().map(|entry| entry.path());
    let kept: Vec<(PathBuf, Vec<u8>)> =
        kept.map(|path| (path.clone(), std::fs::read(&path).expect("a file"))).collect();
    states.push(visit("no agent", &house.agent, &words, Sink::File));
    house.agent.set("PORTEN_HOME", &disk.to_string_lossy());
    std::fs::create_dir_all(disk.join("state")).expect("a folder");
    for (path, bytes) in kept {
        let there = disk.join("state").join(path.file_name().expect("a name"));
        std::fs::write(&there, bytes).expect("a file");
        std::fs::set_permissions(&there, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a private file");
    }
    std::fs::create_dir_all(disk.join("run")).expect("a folder");
    let filler = disk.join("filler");
    let mut file = File::create(&filler).expect("a file");
    while std::io::Write::write_all(&mut file, &[b'x'; 64]).is_ok() {}
    let mut words_there = Words::of(&house.agent, &house.hub.url(), &house.engine.url());
    words_there.0.push((disk.to_string_lossy().into_owned(), "DISK"));
    let full = visit("full disk", &house.agent, &words_there, Sink::File);
    drop(house);

    for (name, sink) in [
        ("agent", Sink::File),
        ("full output", Sink::Full),
        ("closed pipe", Sink::Left),
        ("40 columns", Sink::Terminal),
    ] {
        let (house, words) = ready().await;
        states.push(visit(name, &house.agent, &words, sink));
    }
    let (mut house, words) = ready().await;
    house.agent.set("PORTEN_HUB_URL", "wss://other.example");
    states.push(visit("other Hub", &house.agent, &words, Sink::File));
    let (mut house, words) = ready().await;
    house.agent.set("PORTEN_ENGINE_MODLES", "tiny");
    states.push(visit("misspelt variable", &house.agent, &words, Sink::File));
    let (house, words) = ready().await;
    std::fs::write(house.agent.home().porten().join("config.toml"), "# mine\n[hub\nname = 3\n")
        .expect("a settings file");
    states.push(visit("broken settings", &house.agent, &words, Sink::File));
    drop(house);

    let (house, _) = ready().await;
    let mut agent = Agent::new(&house.hub);
    agent.unset("PORTEN_LOG").set_engine(&house.engine.url());
    let words = Words::of(&agent, &house.hub.url(), &house.engine.url());
    states.push(visit("signed out", &agent, &words, Sink::File));
    agent.set("PORTEN_HOME", "/dev/null/porten");
    states.push(visit("no home", &agent, &words, Sink::File));
    states.push(full);

    let order = |state: &State| STATES.iter().position(|(name, _)| *name == state.name);
    states.sort_by_key(order);
    assert_eq!(states.len(), STATES.len());
    let fresh = table(&states);
    if std::env::var_os("PORTEN_WRITE_TABLE").is_some() {
        std::fs::write(TABLE, &fresh).expect("the table");
    }
    let kept = std::fs::read_to_string(TABLE).unwrap_or_default();
    let differs = fresh.lines().zip(kept.lines()).find(|(fresh, kept)| fresh != kept);
    assert!(fresh == kept, "docs/commands-table.md says otherwise: {differs:#?}");
}

/// Looking is not writing: not even the home folder comes to be.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_makes_no_folder_and_no_node_id() {
    let mut agent = Agent::bare();
    let home = agent.home().path().join("fresh");
    agent.set("PORTEN_HOME", &home.to_string_lossy()).set("PORTEN_HUB_URL", "ws://127.0.0.1:9");
    for (arguments, code) in [
        (&[][..], 0),
        (&["--json"], 0),
        (&["config"], 0),
        (&["status"], 1),
        (&["models"], 1),
        (&["cluster"], 1),
        (&["engine", "test", "http://127.0.0.1:9"], 1),
        (&["logout"], 0),
        (&["--help"], 0),
    ] {
        let ended = agent.command(arguments).await;
        assert_eq!(ended.code, Some(code), "{arguments:?}: {}{}", ended.stdout, ended.stderr);
        assert!(!home.exists(), "{arguments:?} made {}", home.display());
    }
}
