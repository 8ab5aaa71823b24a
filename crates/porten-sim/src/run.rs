//! Carries out `porten-sim`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use porten_sim::macs::{self, MacsError};
use porten_sim::{Config, Named, Running, StartError};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::args::Command;

/// How fast a simulator may be told to go.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.1..=1000.0;

/// Why it does not run, in one sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("--macs: {0}")]
    Macs(#[from] MacsError),
    #[error("--speed {0}: write a number from {min} to {max}, like 20", min = SPEEDS.start(), max = SPEEDS.end())]
    Speed(f64),
    #[error("{}", with_cause(.0))]
    Start(#[from] StartError),
    #[error("{0}")]
    Log(#[from] porten_log::LogError),
    #[error("the system refused: {0}")]
    System(#[from] io::Error),
}

impl Failure {
    /// 2 if what was asked was wrong, 1 if we broke.
    pub(crate) fn code(&self) -> ExitCode {
        let is_askers = match self {
            Self::Start(error) => {
                matches!(error, StartError::Listen { .. } | StartError::Load(_) | StartError::Trouble(_))
            }
            Self::Macs(_) | Self::Speed(_) | Self::Log(_) => true,
            Self::System(_) => false,
        };
        ExitCode::from(if is_askers { 2 } else { 1 })
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error} ({cause})"))
}

pub(crate) async fn run(command: Command) -> Result<(), Failure> {
    let Command { macs, api_port, json, loaded, speed, troubles } = command;
    let macs = macs::read(&macs)?;
    if !SPEEDS.contains(&speed) {
        return Err(Failure::Speed(speed));
    }
    // Signals are caught before anybody is told that the cluster is there.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let running = porten_sim::start(Config { macs, api_port, loaded, speed, troubles }).await?;
    print(&announcement(&running, json))?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    running.stop().await;
    Ok(())
}

fn announcement(running: &Running, json: bool) -> String {
    #[derive(Serialize)]
    struct Line<'a> {
        url: &'a str,
        macs: &'a [Named],
    }
    let (url, macs) = (running.url(), running.macs());
    if json {
        // A struct of strings and numbers always serialises.
        return serde_json::to_string(&Line { url: &url, macs }).unwrap_or_default();
    }
    let each = macs.iter().map(|mac| format!("\n  {}  {} GiB  {}", mac.name, mac.ram_mib / 1024, mac.node_id));
    format!("An exo cluster made of software is at {url}.{}", each.collect::<String>())
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}
