//! `porten-sim` as a person runs it: what it prints and logs, how it is stopped, and what it says to mistakes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what tests share fails like a test")]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_porten-sim");
const MODEL: &str = "mlx-community/DeepSeek-V4-Flash";

struct Program {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

fn start(arguments: &[&str]) -> Program {
    let mut child = Command::new(PROGRAM)
        .args(["--api-port", "0"])
        .args(arguments)
        .env("PORTEN_LOG", "trace")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    Program { child, out }
}

impl Program {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    /// Stops it as an operator does; its exit code and its log.
    fn stop(mut self, signal: &str) -> (Option<i32>, String) {
        let told = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(told.unwrap().success());
        let mut log = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap().code(), log)
    }
}

/// One request on a connection of its own; the whole answer.
fn ask(url: &str, request: &str, body: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let mut socket = TcpStream::connect(address).unwrap();
    let length = body.len();
    write!(
        socket,
        "{request} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn one_line_of_json_says_where_it_is_and_which_macs_it_has() {
    let mut program = start(&["--json", "--macs", "studio:512,mbp:128"]);
    let line: Value = serde_json::from_str(&program.line()).unwrap();
    let url = line["url"].as_str().unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    let told: Vec<(&str, u64)> = line["macs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|mac| (mac["name"].as_str().unwrap(), mac["ram_mib"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("studio", 524_288), ("mbp", 131_072)]);
    let node = line["macs"][0]["node_id"].as_str().unwrap();
    assert!(ask(url, "GET /node_id", "").ends_with(&format!("\r\n\r\n\"{node}\"")));
    assert_eq!(program.stop("TERM").0, Some(0));
}

#[test]
fn a_person_reads_it_in_words_and_ends_it_with_ctrl_c() {
    let mut program = start(&[]);
    let said: Vec<String> = (0..4).map(|_| program.line()).collect();
    assert!(
        said[0].contains("http://127.0.0.1:") && said[1].contains("studio-1") && said[3].contains("mbp-1"),
        "{said:?}"
    );
    assert_eq!(program.stop("INT").0, Some(0));
}

#[test]
fn a_loaded_model_answers_at_once_and_no_prompt_or_answer_is_in_the_log_at_any_level() {
    let mut program = start(&["--json", "--loaded", MODEL, "--speed", "50"]);
    let line: Value = serde_json::from_str(&program.line()).unwrap();
    let body = format!(r#"{{"model":"{MODEL}","messages":[{{"role":"user","content":"the-marked-prompt"}}]}}"#);
    let answer = ask(line["url"].as_str().unwrap(), "POST /v1/chat/completions", &body);
    let (_, json) = answer.split_once("{\"id\"").unwrap_or_else(|| panic!("{answer}"));
    let text = json.split("\"content\":\"").nth(1).unwrap().split('"').next().unwrap();
    let (code, log) = program.stop("TERM");
    assert_eq!(code, Some(0));
    assert!(log.contains("/v1/chat/completions"), "the log says what was asked: {log}");
    assert!(text.len() > 20 && !log.contains(&text[..20]) && !log.contains("the-marked-prompt"), "{log}");
}

#[test]
fn a_mistake_is_answered_in_one_sentence_and_with_exit_code_2() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    let mistakes: [(&[&str], &str); 9] = [
        (&["--macs", "three"], "3x128"),
        (&["--macs", "7x128"], "1 to 6"),
        (&["--macs", "1x4"], "8 to 2048"),
        (&["--speed", "0"], "0.1 to 1000"),
        (&["--loaded", "deepseek"], "\"deepseek\""),
        (&["--macs", "1x64", "--loaded", MODEL], "No cycles found with sufficient memory"),
        (&["--trouble", "explode"], "there are member-dies, "),
        (&["--trouble", "member-dies mac-9"], "there are studio-1, studio-2, mbp-1"),
        (&["--api-port", &taken], "--api-port"),
    ];
    for (arguments, named) in mistakes {
        let free: &[&str] = if arguments.contains(&"--api-port") { &[] } else { &["--api-port", "0"] };
        let output = Command::new(PROGRAM).args(free).args(arguments).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.lines().count() == 1 && said.contains(named), "{arguments:?}: {said}");
    }
}

#[test]
fn help_has_a_line_for_each_trouble_and_one_can_be_switched_from_the_start_and_later() {
    let help = Command::new(PROGRAM).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for kind in ["member-dies NAME", "load-fails [N]", "clock ±SECONDS", "disk-full NAME"] {
        assert!(help.lines().any(|line| line.trim().starts_with(kind)), "{kind}: {help}");
    }
    let mut program =
        start(&["--json", "--trouble", "someone-places mlx-community/DeepSeek-V4-Flash", "--speed", "50"]);
    let line: Value = serde_json::from_str(&program.line()).unwrap();
    let url = line["url"].as_str().unwrap();
    let awaited = ask(url, &format!("GET /instance/await?model_id={MODEL}"), "");
    assert!(awaited.contains("\"ready\""), "{awaited}");
    let answer = ask(url, "POST /sim/trouble", &format!(r#"{{"trouble":"someone-deletes {MODEL}"}}"#));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("{}"), "{answer}");
    assert!(ask(url, "GET /state/instances", "").ends_with("{}"));
    assert_eq!(program.stop("TERM").0, Some(0));
}
