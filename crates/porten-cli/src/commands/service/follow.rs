//! Waits until the service serves, and says what it waits for.

use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::Timestamp;
use porten_agent::local::Local;
use porten_agent::places::Places;
use porten_agent::service::Manager;
use porten_core::leaving::PERSONS;
use porten_core::seat::{Decision, Host, decide};
use porten_core::snapshot::{Overall, Snapshot, count};

use super::status::Status;
use crate::exit::{Exit, Fail};
use crate::printer::say;
use crate::words;

/// From the start of a process to its first answer, on a busy machine.
const STARTED: Duration = Duration::from_secs(30);
/// How often it is asked.
const LOOK: Duration = Duration::from_millis(100);

/// What keeps the service from serving.
#[derive(Debug, PartialEq, Eq)]
enum Waiting {
    /// Nothing: it serves.
    No,
    /// It, or who makes way for it, is not there yet.
    Starting,
    /// Who makes way finishes what runs.
    Yielding(String),
    /// Somebody who does not make way.
    Behind(String),
}

fn waiting(snapshot: Option<&Snapshot>) -> Waiting {
    let Some(snapshot) = snapshot else { return Waiting::Starting };
    let host = &snapshot.host;
    match (host.kind, decide(Host::Service, host.kind), &snapshot.overall) {
        (Host::Service, ..) => Waiting::No,
        (_, Decision::AskToYield, Overall::Finishing { requests: requests @ 1.. }) => {
            let running = count(*requests, "request");
            Waiting::Yielding(format!("{} finishes {running} first; then the service takes over.", host.kind))
        }
        (_, Decision::AskToYield, _) => Waiting::Starting,
        _ => Waiting::Behind(format!(
            "{} (process {}) serves; the service waits, and takes over when that ends.",
            host.kind, host.pid
        )),
    }
}

/// Waits until the service answers on its socket, and says how it is then. Somebody who finishes what runs for it is given the
/// time; Ctrl-C ends the waiting alone.
pub(crate) async fn until_it_answers(manager: &Manager, places: &Places, json: bool) -> Result<Exit> {
    let agent = Local::at(&places.socket())?;
    let (begun, mut said, mut patience) = (Instant::now(), String::new(), STARTED);
    let snapshot = loop {
        let snapshot = agent.snapshot().await.ok();
        match waiting(snapshot.as_ref()) {
            Waiting::No => break snapshot,
            Waiting::Starting => {}
            Waiting::Behind(text) => {
                if !json {
                    say(&text);
                }
                break snapshot;
            }
            Waiting::Yielding(text) => {
                patience = PERSONS + STARTED;
                if !json && text != said {
                    say(&text);
                    said = text;
                }
            }
        }
        if begun.elapsed() > patience {
            let text =
                format!("the service does not answer after {} s; see: porten service logs", begun.elapsed().as_secs());
            return Err(Fail::new(Exit::Broken, "no_answer", text).into());
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = tokio::signal::ctrl_c() => {
                if !json {
                    say("The service starts without this command; see: porten service status");
                }
                return Ok(Exit::Done);
            }
        }
    };
    let status = Status::read(manager, places).await?;
    if json {
        say(&status.json(Some(true)).to_string());
        return Ok(Exit::Done);
    }
    status.show(false);
    if let Some(snapshot) = snapshot.filter(|_| status.serves()) {
        say(&words::headline(&snapshot, Timestamp::now()));
    }
    Ok(Exit::Done)
}
