//! `porten`: signs in, hosts the agent without a screen, and shows what it does.

mod args;
mod commands;
mod exit;
mod printer;
mod words;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use args::{Args, Command, ConfigAction, EngineAction};
use exit::Exit;
use porten_agent::setup::Setup;
use porten_core::pause::Pause;

fn main() -> ExitCode {
    porten_agent::install_crypto();
    let args = Args::parse();
    let exit = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => {
            printer::complain(&format!("this process cannot start its threads: {error}"));
            Exit::Broken
        }
    };
    exit.into()
}

async fn run(args: Args) -> Exit {
    // A service goes on where a command would end, and one that runs can be stopped whatever the settings say.
    match args.command {
        Command::Run { service: true } => return commands::service::host().await,
        Command::Service { json, action } => return commands::service::run(action, json).await,
        _ => {}
    }
    let setup = match Setup::read() {
        Ok(setup) => setup,
        Err(error) => {
            printer::complain(&error.to_string());
            return exit::of_setup(&error);
        }
    };
    porten_log::start(porten_log::level(setup.config.log.value));
    let done = match args.command {
        Command::Login { no_browser, json } => commands::login::run(&setup, !no_browser, json).await,
        Command::Logout => commands::logout::run(&setup).await,
        Command::Run { .. } => commands::host::run(setup).await,
        Command::Service { json, action } => return commands::service::run(action, json).await,
        Command::Status { json, watch } => commands::status::run(&setup, json, watch).await,
        Command::Models { json, action } => commands::models::run(&setup, json, action).await,
        Command::Cluster { json, from: Some(path), .. } => commands::cluster::from(&setup.config, &path, json),
        Command::Cluster { action: Some(action), .. } => commands::cluster::act(&setup, action).await,
        Command::Cluster { json, .. } => commands::cluster::run(&setup, json).await,
        Command::Config { json, action: None } => commands::config::show(&setup, json),
        Command::Config { json, action: Some(ConfigAction::Set { key, value }) } => {
            commands::config::change(&setup, &key, Some(&value), json).await
        }
        Command::Config { json, action: Some(ConfigAction::Unset { key }) } => {
            commands::config::change(&setup, &key, None, json).await
        }
        Command::Engine { action: EngineAction::Test { url, json } } => {
            commands::engine::run(&setup, url.as_deref(), json).await
        }
        Command::Pause { lasting, until, .. } => {
            let until = until.or_else(|| lasting.and_then(commands::pause::after));
            let pause = until.map_or(Pause::WhileInUse, |until| Pause::Until { until });
            commands::pause::run(&setup, Some(pause)).await
        }
        Command::Resume => commands::pause::run(&setup, None).await,
        Command::Online => commands::wish::online(&setup, true).await,
        Command::Offline => commands::wish::online(&setup, false).await,
        Command::Drain { now: true, json, .. } => commands::drain::run(&setup, Duration::ZERO, json).await,
        Command::Drain { within, json, .. } => commands::drain::run(&setup, within, json).await,
    };
    match done {
        Ok(exit) => exit,
        Err(error) => {
            printer::complain(&format!("{error:#}"));
            exit::of(&error)
        }
    }
}
