//! Runs the steps of a plan: each on every path, round after round, the order of the paths turned round each time.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::order::{Found, Order, Target, Work};
use crate::path::Path;
use crate::row::{Round, Row};
use crate::seat::{Part, Seating};
use crate::suites::Step;
use crate::usage::Meter;

/// A measurement that takes longer is not worth waiting for; the longest take a minute on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);
/// What is asked on each path before anything counts.
const WARM_UP: Work =
    Work { streams: 16, requests: 20, tokens: 10, pace_us: 0, every_us: 0, prompt: 16, newconn: false };

/// A measurement that could not be made at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoundError {
    /// The load tool's process.
    #[error("the load tool's process does not run")]
    Process(#[from] io::Error),
    /// What it printed.
    #[error("the load tool gave no result: {0}")]
    Result(String),
    /// It hangs.
    #[error("a measurement took longer than {} s", LIMIT.as_secs())]
    Late,
}

/// Asks a little on each path, so that pools are filled and code is in memory.
pub(crate) async fn warm_up(paths: &[Path], seating: Seating) -> Result<(), RoundError> {
    for path in paths {
        load(&path.target, WARM_UP, seating).await?;
    }
    Ok(())
}

/// One step on all paths: a row for each, in their order. `tell` hears the first error of each measurement.
pub(crate) async fn run(
    step: &Step,
    paths: &[Path],
    seating: Seating,
    mut tell: impl FnMut(&str),
) -> Result<Vec<Row>, RoundError> {
    let mut rounds: Vec<Vec<Round>> = paths.iter().map(|_| Vec::new()).collect();
    for number in 0..step.rounds {
        let mut order: Vec<_> = paths.iter().zip(&mut rounds).collect();
        if number % 2 == 1 {
            order.reverse();
        }
        for (path, rounds) in order {
            let meter = path.agent.and_then(Meter::start);
            let found = load(&path.target, step.work, seating).await?;
            if let Some(error) = &found.first_error {
                tell(&format!("{} of {} requests failed on {}: {error}", found.errors, requests(step), path.name));
            }
            rounds.push((found, meter.and_then(|meter| meter.stop())));
        }
    }
    Ok(paths.iter().zip(&rounds).map(|(path, rounds)| Row::of(step, path.name, rounds)).collect())
}

const fn requests(step: &Step) -> usize {
    step.work.streams * step.work.requests
}

/// One measurement, by this very program in the load tool's role.
pub(crate) async fn load(target: &Target, work: Work, seating: Seating) -> Result<Found, RoundError> {
    let seat = seating.take(Part::Load);
    let mut process = Command::new(std::env::current_exe()?)
        .arg("load")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    drop(seat);
    let order = serde_json::to_string(&Order { target: target.clone(), work }).map_err(io::Error::other)?;
    if let Some(mut stdin) = process.stdin.take() {
        stdin.write_all(order.as_bytes()).await?;
    }
    let output = tokio::time::timeout(LIMIT, process.wait_with_output()).await.map_err(|_| RoundError::Late)??;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| RoundError::Result(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}
