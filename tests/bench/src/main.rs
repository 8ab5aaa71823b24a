//! Direct versus through the tunnel, in one run: the same load tool asks one engine on every path.

use std::process::ExitCode;

use tokio::signal::unix::{SignalKind, signal};

mod answer;
mod args;
mod clock;
mod engine;
mod forward;
mod gates;
mod idle;
#[cfg(target_os = "linux")]
mod isolation;
#[cfg(target_os = "linux")]
mod line;
mod load;
mod order;
mod path;
mod peers;
mod rounds;
mod row;
mod runner;
mod seat;
mod stats;
mod storm;
mod suites;
mod table;
mod token;
mod tokens;
mod usage;

use args::{Role, What};
use runner::RunError;

/// A promise was broken, or we broke.
const BROKEN: u8 = 1;
/// Asked wrongly.
const ASKED_WRONGLY: u8 = 2;
/// Interrupted: what a shell says of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match args::read(std::env::args().skip(1)) {
        Err(error) => return complain(&error, ASKED_WRONGLY),
        Ok(Role::Help) => return help(),
        Ok(Role::Engine) => engine::run().await.map_err(|error| complain(&error, BROKEN)),
        Ok(Role::Forward(target)) => forward::run(&target).await.map_err(|error| complain(&error, BROKEN)),
        Ok(Role::Load) => load::run().await.map_err(|error| complain(&error, BROKEN)),
        Ok(Role::Attack) => attack().await.map_err(|error| complain(&error, BROKEN)),
        Ok(Role::Burn(permille, seconds)) => {
            burn(permille, seconds);
            Ok(())
        }
        Ok(Role::ListAttacks) => {
            list_attacks();
            Ok(())
        }
        Ok(Role::Runner(what)) => tokio::select! {
            // Dropping the run ends everything that it started.
            () = interrupted() => Err(ExitCode::from(INTERRUPTED)),
            ended = measure(what) => match ended {
                Ok(true) => Ok(()),
                Ok(false) => Err(ExitCode::from(BROKEN)),
                Err(error) => Err(complain(&error, BROKEN)),
            },
        },
    };
    done.err().unwrap_or(ExitCode::SUCCESS)
}

/// Whether every promise was kept.
async fn measure(what: What) -> Result<bool, RunError> {
    let files = if matches!(what, What::Isolation(_)) { runner::MANY_FILES } else { runner::FILES };
    runner::allow_files(files);
    match what {
        What::Isolation(wishes) => isolate(&wishes).await,
        What::Suites(wishes) => runner::run(&wishes).await,
        What::Idle(minutes) => idle::run(minutes).await.map(|()| true),
        What::Storm(agents) => storm::run(agents).await.map(|()| true),
    }
}

#[cfg(target_os = "linux")]
async fn isolate(wishes: &args::Isolation) -> Result<bool, RunError> {
    isolation::run(wishes).await
}

#[cfg(target_os = "linux")]
async fn attack() -> Result<(), RunError> {
    isolation::attacker::run().await.map_err(RunError::Attacker)
}

#[cfg(target_os = "linux")]
fn burn(permille: u64, seconds: u64) {
    isolation::burn::run(isolation::burn::Fuel { permille, seconds });
}

#[cfg(target_os = "linux")]
fn list_attacks() {
    runner::print(&isolation::list());
}

#[cfg(not(target_os = "linux"))]
fn isolate(_: &args::Isolation) -> std::future::Ready<Result<bool, RunError>> {
    std::future::ready(Err(RunError::NotLinux))
}

#[cfg(not(target_os = "linux"))]
fn attack() -> std::future::Ready<Result<(), RunError>> {
    std::future::ready(Err(RunError::NotLinux))
}

#[cfg(not(target_os = "linux"))]
fn burn(_: u64, _: u64) {}

#[cfg(not(target_os = "linux"))]
fn list_attacks() {}

/// Ctrl-C, a polite kill, or the end of the terminal.
async fn interrupted() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        // The default stays: the signal ends this process at once.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

#[expect(clippy::print_stdout, reason = "it was asked for")]
fn help() -> ExitCode {
    println!("{}", args::HELP);
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "a person reads what went wrong")]
fn complain(error: &dyn std::error::Error, code: u8) -> ExitCode {
    eprintln!("porten-bench: {error}");
    ExitCode::from(code)
}
