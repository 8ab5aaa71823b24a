//! `porten`: signs in, hosts the agent without a screen, and shows what it does.

mod args;
mod commands;
mod exit;
mod printer;
mod shell;
mod words;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser as _;

use args::{Args, Command, ConfigAction, EngineAction};
use exit::{Exit, Fail, Told};
use shell::Shell;

fn main() -> ExitCode {
    porten_agent::install_crypto();
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return usage(&error),
    };
    let json = args.json;
    let done = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(args)),
        Err(error) => Err(anyhow::Error::from(error).context("this process cannot start its threads")),
    };
    let exit = match done {
        Ok(exit) => exit,
        Err(error) => tell(&Told::of(&error), json),
    };
    exit.into()
}

/// Help that was asked for, or what is wrong with the command line.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        printer::written(error.print());
        return Exit::Done.into();
    }
    // The arguments did not read, so nobody has looked for this one among them.
    if std::env::args_os().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        let first = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
        let first: Vec<&str> = first.split_whitespace().collect();
        return tell(&Told::of(&Fail::usage(first.join(" ")).into()), true).into();
    }
    // With nobody to read it there is nothing more to do.
    let _ = error.print();
    Exit::Wrong.into()
}

fn tell(told: &Told, json: bool) -> Exit {
    if json {
        printer::say_json(&told.json());
    } else {
        printer::complain(&told.message);
    }
    told.exit
}

async fn run(args: Args) -> Result<Exit> {
    // A service writes a log of its own, and goes on where a command would end.
    if let Some(Command::Run { service: true }) = args.command {
        return Ok(commands::service::host().await);
    }
    let shell = Shell::read(args.json)?;
    let level = shell.known().map_or(porten_log::LevelFilter::INFO, |setup| porten_log::level(setup.config.log.value));
    porten_log::start(level);
    let Some(command) = args.command else { return commands::look::run(shell).await };
    match command {
        Command::Login { no_browser, again } => commands::login::run(shell, !no_browser, again).await,
        Command::Logout { now: true, .. } => commands::logout::run(shell, Duration::ZERO).await,
        Command::Logout { within, .. } => commands::logout::run(shell, within).await,
        Command::Run { .. } => commands::host::run(shell).await,
        Command::Service { action } => commands::service::run(shell, action).await,
        Command::Status { watch } => commands::status::run(&shell, watch).await,
        Command::Models { action } => commands::models::run(&shell, action).await,
        Command::Cluster { from: Some(path), .. } => {
            let json = shell.json;
            commands::cluster::from(&shell.settings()?.config, &path, json)
        }
        Command::Cluster { action: Some(action), .. } => commands::cluster::act(&shell, action).await,
        Command::Cluster { .. } => commands::cluster::run(&shell).await,
        Command::Config { action: None } => commands::config::show(shell),
        Command::Config { action: Some(ConfigAction::Set { key, value }) } => {
            commands::config::change(&shell, &key, Some(&value)).await
        }
        Command::Config { action: Some(ConfigAction::Unset { key }) } => {
            commands::config::change(&shell, &key, None).await
        }
        Command::Engine { action: EngineAction::Test { url } } => commands::engine::run(shell, url.as_deref()).await,
        Command::Pause { lasting, until, while_in_use } => {
            if !while_in_use && lasting.is_none() && until.is_none() {
                let text = "say how long: porten pause --for 2h, --until 18:00, or --while-in-use";
                return Err(Fail::usage(text).into());
            }
            let pause = commands::pause::read(lasting, until.as_deref(), &jiff::Zoned::now())?;
            commands::pause::run(&shell, Some(pause)).await
        }
        Command::Resume => commands::pause::run(&shell, None).await,
        Command::Online => commands::wish::online(&shell, true).await,
        Command::Offline => commands::wish::online(&shell, false).await,
        Command::Drain { now: true, .. } => commands::drain::run(&shell, Duration::ZERO).await,
        Command::Drain { within, .. } => commands::drain::run(&shell, within).await,
    }
}
