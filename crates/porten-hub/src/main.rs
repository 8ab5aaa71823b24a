//! `porten-hub`: runs a Hub, and keeps its accounts, keys and nodes.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

mod args;
mod run;

fn main() -> ExitCode {
    let command = args::Command::parse();
    let done = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(run::Failure::from).and_then(
        |runtime| {
            porten_log::start(porten_log::from_environment()?);
            runtime.block_on(run::run(command.what))
        },
    );
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // With stderr closed there is nobody left to tell.
            let _ = writeln!(std::io::stderr(), "porten-hub: {failure}");
            failure.code()
        }
    }
}
