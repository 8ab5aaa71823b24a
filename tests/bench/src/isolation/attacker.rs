//! The attacker: a process of its own, so that what it burns is neither the Hub's nor the others'.
//!
//! Its order comes on standard input, because it holds keys. It prepares, says `ready`, waits for `go`, attacks for the
//! time that the order names, and prints one line of JSON.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::Instant;

use super::attacks;
use super::verdict::Finding;
use crate::usage::Meter;

/// An attacker is prepared within this time: some open a thousand sign-ins first.
const READY: Duration = Duration::from_secs(90);
/// After its time an attacker tells what it saw within this time.
const REPORT: Duration = Duration::from_secs(45);

/// An account, with all that a client and a node of it need.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) passphrase: String,
    pub(crate) key: String,
    /// What `porten-hub key revoke` calls the key.
    pub(crate) key_number: String,
    /// A node's id and its access token.
    pub(crate) node: (String, String),
}

/// What an attacker is told.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Order {
    /// One of [`attacks::ALL`].
    pub(crate) attack: String,
    pub(crate) hub: SocketAddr,
    /// How long it attacks.
    pub(crate) seconds: u64,
    /// The account that attacks.
    pub(crate) mallory: Account,
    /// An honest node of the other account, which is not connected: id and access token.
    pub(crate) spare: (String, String),
    /// The Hub's state file, for who runs the Hub.
    pub(crate) state: PathBuf,
}

/// What an attacker saw.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// How often what came of it.
    pub(crate) seen: BTreeMap<String, u64>,
    pub(crate) findings: Vec<Finding>,
    /// Its own processor time (milliseconds).
    pub(crate) cpu_ms: f64,
}

/// Counts what came of an attack's steps, from all of its tasks.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally(Arc<Mutex<BTreeMap<String, u64>>>);

impl Tally {
    pub(crate) fn count(&self, what: impl Into<String>) {
        self.add(what, 1);
    }

    pub(crate) fn add(&self, what: impl Into<String>, times: u64) {
        if let Ok(mut seen) = self.0.lock() {
            *seen.entry(what.into()).or_default() += times;
        }
    }

    /// Counts a status or why there was none.
    pub(crate) fn reply(&self, reply: &Result<super::net::Reply, String>) {
        match reply {
            Ok(reply) => self.count(reply.status.to_string()),
            Err(why) => self.count(why.clone()),
        }
    }

    pub(crate) fn report(&self, findings: Vec<Finding>) -> Report {
        let seen = self.0.lock().map(|seen| seen.clone()).unwrap_or_default();
        Report { seen, findings, cpu_ms: 0.0 }
    }
}

/// The time of an attack, and its beginning.
pub(crate) struct Stage {
    pub(crate) order: Order,
    meter: Option<Meter>,
}

impl Stage {
    /// Says that all is prepared, and waits for the word; until when the attack goes on.
    pub(crate) fn go(&mut self) -> Result<Instant, String> {
        let said = writeln!(io::stdout(), "ready").and_then(|()| io::stdout().flush());
        said.map_err(|error| error.to_string())?;
        line()?;
        self.meter = Meter::start(std::process::id());
        Ok(Instant::now() + Duration::from_secs(self.order.seconds))
    }
}

/// Whether there is time left.
pub(crate) fn is_on(until: Instant) -> bool {
    Instant::now() < until
}

fn line() -> Result<String, String> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| error.to_string())?;
    if line.is_empty() { Err("the runner is gone".to_owned()) } else { Ok(line) }
}

/// The role.
pub(crate) async fn run() -> Result<(), String> {
    let order: Order = serde_json::from_str(&line()?).map_err(|error| format!("this is no order: {error}"))?;
    let attack = attacks::ALL.iter().find(|attack| attack.name == order.attack).ok_or("there is no such attack")?;
    let mut stage = Stage { order, meter: None };
    let mut report = (attack.run)(&mut stage).await?;
    report.cpu_ms = stage.meter.and_then(|meter| meter.stop()).map(|usage| usage.cpu_ms).unwrap_or_default();
    let told = serde_json::to_string(&report).map_err(|error| error.to_string())?;
    writeln!(io::stdout(), "{told}").and_then(|()| io::stdout().flush()).map_err(|error| error.to_string())
}

/// A process that attacks; ended when dropped.
pub(crate) struct Attacker {
    _process: Child,
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Attacker {
    /// Starts it, and waits until it is prepared.
    pub(crate) async fn prepare(order: &Order) -> Result<Self, String> {
        let text = serde_json::to_string(order).map_err(|error| error.to_string())?;
        let start = || {
            Command::new(std::env::current_exe()?)
                .arg("attack")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .kill_on_drop(true)
                .spawn()
        };
        let mut process = start().map_err(|error| format!("no process for the attacker ({error})"))?;
        let stdin = process.stdin.take().ok_or("no pipe to the attacker")?;
        let lines = BufReader::new(process.stdout.take().ok_or("no pipe from the attacker")?).lines();
        let mut attacker = Self { _process: process, stdin, lines };
        attacker.say(&text).await?;
        attacker.hear(READY).await?;
        Ok(attacker)
    }

    /// Lets it go.
    pub(crate) async fn go(&mut self) -> Result<(), String> {
        self.say("go").await
    }

    /// What it saw, once its time is over. Its connections end with it, when dropped.
    pub(crate) async fn report(&mut self, time: Duration) -> Result<Report, String> {
        let line = self.hear(time + REPORT).await?;
        serde_json::from_str(&line).map_err(|error| format!("the attacker's report is none: {error}"))
    }

    async fn say(&mut self, line: &str) -> Result<(), String> {
        let line = format!("{line}\n");
        self.stdin.write_all(line.as_bytes()).await.map_err(|error| format!("the attacker is gone ({error})"))
    }

    async fn hear(&mut self, patience: Duration) -> Result<String, String> {
        let heard = tokio::time::timeout(patience, self.lines.next_line()).await;
        let line = heard.map_err(|_| "the attacker is late".to_owned())?.map_err(|error| error.to_string())?;
        line.ok_or_else(|| "the attacker ended early".to_owned())
    }
}
