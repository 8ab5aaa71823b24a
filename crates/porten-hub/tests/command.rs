//! `porten-hub` as a person runs it: what it prints, what it logs, how it is stopped, and what it says to mistakes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share fails like a test")]

mod common;

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::node::{self, Engine, end, events, serving};
use common::{Site, send, until};
use porten_core::wire::{END_COMPLETE, FromHub};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_porten-hub");

struct Program {
    child: Child,
    line: Value,
    stderr: std::thread::JoinHandle<String>,
}

/// Starts `porten-hub serve --json` with more arguments; its one line.
fn serve(more: &[&str], level: &str) -> Program {
    let mut child = Command::new(PROGRAM)
        .args(["serve", "--listen", "127.0.0.1:0", "--json"])
        .args(more)
        .env("PORTEN_LOG", level)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let stderr = std::thread::spawn(move || {
        let mut log = String::new();
        stderr.read_to_string(&mut log).unwrap();
        log
    });
    Program { line: serde_json::from_str(&line).unwrap(), child, stderr }
}

impl Program {
    fn site(&self) -> Site {
        let text = |name: &str| self.line[name].as_str().unwrap_or_default().to_owned();
        let url = text("url");
        let address = url.strip_prefix("http://").unwrap().parse().unwrap();
        Site { address, account: text("account"), passphrase: text("passphrase"), api_key: text("api_key") }
    }

    fn signal(&self, name: &str) {
        let told = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(told.unwrap().success());
    }

    /// Stops it as an operator does; its log.
    fn stop(mut self) -> String {
        let started = Instant::now();
        self.signal("TERM");
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        assert!(started.elapsed() < Duration::from_secs(7), "{:?}", started.elapsed());
        self.stderr.join().unwrap()
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Fault E13: the Hub's log holds none either, at any level.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_prompt_or_answer_is_in_the_log_at_any_level() {
    let program = serve(&["--dev"], "trace");
    let hub = program.site();
    let tokens = hub.sign_in("node-1").await;
    let refreshed = hub.refresh(tokens["refresh_token"].as_str().unwrap()).await.json();
    let engine: Engine = Arc::new(|_, respond| {
        let mut stream = events(respond);
        stream.send_data(Bytes::from_static(b"data: the-marked-answer\n\n"), false).unwrap();
        end(stream, END_COMPLETE);
    });
    let access = refreshed["access_token"].as_str().unwrap();
    let mut node = node::connect(&hub, "node-1", access, engine).await;
    node.advertise(&["tiny"], 8).await;
    let request = hub.ask("/v1/completions", r#"{"model":"tiny","prompt":"the-marked-prompt"}"#);
    assert!(send(hub.address, request).await.body.contains("the-marked-answer"));
    let log = program.stop();
    assert!(log.contains("the answer ended"), "the log says what happened: {log}");
    let mut secrets = vec!["the-marked-prompt", "the-marked-answer", hub.passphrase.as_str(), hub.api_key.as_str()];
    for pair in [&tokens, &refreshed] {
        secrets.extend(["access_token", "refresh_token"].map(|name| pair[name].as_str().unwrap()));
    }
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_of_ones_own_keeps_its_state_and_obeys_commands_while_it_runs() {
    let folder = tempfile::tempdir().unwrap();
    let (state, catalog) = (folder.path().join("hub.sqlite"), folder.path().join("catalog.toml"));
    let state = ["--state", text(&state)];
    std::fs::write(&catalog, "[[model]]\nid = \"tiny\"\nmemory_mib = 1\n").unwrap();
    let told = printed(&run(&[&["account", "add", "anna"][..], &state].concat()));
    let passphrase = told.lines().last().unwrap().to_owned();
    let program = serve(&[&state[..], &["--catalog", text(&catalog)]].concat(), "info");
    assert!(program.line.get("api_key").is_none(), "{}", program.line);
    // The key is made while the Hub runs.
    let told = printed(&run(&[&["key", "add", "anna", "--label", "laptop"][..], &state].concat()));
    let api_key = told.lines().last().unwrap().to_owned();
    let hub = Site { account: "anna".into(), passphrase, api_key, ..program.site() };
    let mut node = serving(&hub, "node-1", 8, node::says("a")).await;
    assert_eq!(hub.chat("tiny").await.status, 200);

    std::fs::write(&catalog, "[[model]]\nid = \"other\"\nmemory_mib = 1\n").unwrap();
    program.signal("HUP");
    let FromHub::Catalog(offered) = node.hear().await else { panic!("no catalog") };
    assert_eq!(offered.models[0].id, "other");
    assert_eq!(hub.chat("tiny").await.error(), "model_not_found");
    std::fs::write(&catalog, "nonsense").unwrap();
    program.signal("HUP");

    let keys = printed(&run(&[&["key", "list"][..], &state].concat()));
    assert!(keys.contains("anna\tlaptop"), "{keys}");
    printed(&run(&[&["key", "revoke", "1"][..], &state].concat()));
    // The running Hub looks once a second for what another process changed.
    let late = Instant::now() + Duration::from_secs(10);
    while hub.chat("other").await.error() != "invalid_api_key" {
        assert!(Instant::now() < late, "a key that was revoked is still good");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    printed(&run(&[&["account", "remove", "anna"][..], &state].concat()));
    assert!(matches!(node.ended().await, porten_link::End::Closed { code: 4401, .. }));
    let log = program.stop();
    assert!(log.contains("the old catalog stays"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_in_development_keeps_its_sign_ins_and_keys_if_it_is_given_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("hub.sqlite");
    let first = serve(&["--dev", "--state", text(&state)], "info");
    let key = first.site().api_key;
    let refresh = first.site().sign_in("node-1").await["refresh_token"].as_str().unwrap().to_owned();
    first.stop();
    let second = serve(&["--dev", "--state", text(&state)], "info");
    let hub = Site { api_key: key, ..second.site() };
    assert_eq!(hub.refresh(&refresh).await.status, 200);
    until("the old key is good", || async { hub.chat("tiny").await.error() == "no_node" }).await;
    second.stop();
}

#[test]
fn a_mistake_is_answered_in_one_sentence_and_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = folder.path().join("catalog.toml");
    std::fs::write(&catalog, "[[model]]\nid = \"a b\"\nmemory_mib = 1\n").unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let state = folder.path().join("state.sqlite");
    let mistakes: [(&[&str], &str); 7] = [
        (&["serve", "--dev", "--listen", "0.0.0.0:0"], "--public-url"),
        (&["serve", "--dev", "--public-url", "http://hub.example.net"], "https"),
        (&["serve", "--dev", "--catalog", "/nowhere/catalog.toml"], "/nowhere/catalog.toml"),
        (&["serve", "--dev", "--catalog", text(&catalog)], "a b"),
        (&["serve", "--dev", "--listen", &taken], "--listen"),
        (&["serve", "--state", "/nowhere/state.sqlite"], "/nowhere/state.sqlite"),
        (&["key", "add", "nobody", "--state", text(&state)], "nobody"),
    ];
    for (arguments, named) in mistakes {
        let output = run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.lines().count() == 1 && said.contains(named), "{arguments:?}: {said}");
    }
    let loud = Command::new(PROGRAM).args(["account", "list"]).env("PORTEN_LOG", "loud").output().unwrap();
    assert_eq!(loud.status.code(), Some(2));
}
