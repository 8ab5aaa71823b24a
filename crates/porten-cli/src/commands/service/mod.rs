//! `porten service`: the agent as a background service of this account.

mod follow;
mod host;
mod install;
mod logs;
mod status;

use anyhow::Result;
use porten_agent::places::Places;
use porten_agent::service::{Manager, refuse_root, sweep};

pub(crate) use host::host;

use crate::args::ServiceAction;
use crate::exit::{Exit, Fail};
use crate::printer::say;
use crate::shell::Shell;
use status::Status;

/// One of its commands; none but `install` needs settings that can be used.
pub(crate) async fn run(shell: Shell, action: ServiceAction) -> Result<Exit> {
    let manager = Manager::of_the_system()?;
    if let ServiceAction::Install { dry_run } = action {
        let json = shell.json;
        return install::install(&manager, &shell.settings()?, dry_run, json).await;
    }
    let (places, json) = (shell.places, shell.json);
    let installed = manager.installed()?.is_some();
    match action {
        ServiceAction::Logs { lines, follow } => return logs::logs(&places, lines, follow, json).await,
        ServiceAction::Status => {
            let status = Status::read(&manager, &places).await?;
            let exit = if status.runs() { Exit::Done } else { Exit::Broken };
            status.show(json);
            return Ok(exit);
        }
        ServiceAction::Uninstall { keep_logs } => return uninstall(&manager, &places, keep_logs, json).await,
        _ if !installed => {
            let text = "the service is not installed; install it with: porten service install";
            return Err(Fail::new(Exit::Broken, "not_installed", text).into());
        }
        _ => {}
    }
    refuse_sudo()?;
    let pid = manager.state().await?.pid;
    let quiet = json || pid.is_none();
    let done = match action {
        ServiceAction::Start => {
            manager.start().await?;
            if pid.is_some() { "The service runs already." } else { "The service was started." }
        }
        ServiceAction::Stop => {
            farewell(quiet);
            manager.stop().await?;
            if pid.is_some() {
                "The service has stopped; it starts at the next login, or with: porten service start"
            } else {
                "The service does not run."
            }
        }
        _ => {
            farewell(quiet);
            manager.restart().await?;
            if pid.is_some() {
                "The service was stopped and started."
            } else {
                "The service did not run; it was started."
            }
        }
    };
    if !json {
        say(done);
    }
    if matches!(action, ServiceAction::Start | ServiceAction::Restart) {
        return follow::until_it_answers(&manager, &places, json).await;
    }
    if json {
        say(&Status::read(&manager, &places).await?.json(Some(pid.is_some())).to_string());
    }
    Ok(Exit::Done)
}

async fn uninstall(manager: &Manager, places: &Places, keep_logs: bool, json: bool) -> Result<Exit> {
    refuse_sudo()?;
    let state = manager.state().await?;
    let was_there = manager.installed()?.is_some() || state.loaded;
    farewell(json || state.pid.is_none());
    manager.uninstall().await?;
    let swept = sweep(places, keep_logs)?;
    if json {
        say(&Status::read(manager, places).await?.json(Some(was_there)).to_string());
        return Ok(Exit::Done);
    }
    if !was_there {
        say("The service is not installed; nothing of it is left.");
        return Ok(Exit::Done);
    }
    say(&format!(
        "The service is gone: its unit{}. Settings and sign-in stay; `porten logout` ends the sign-in.",
        match (keep_logs, swept) {
            (false, true) => ", its log, its lock and its socket",
            (true, true) => ", its lock and its socket",
            (false, false) => " and its log",
            (true, false) => "",
        }
    ));
    if keep_logs {
        say(&format!("Its log stays in {}.", places.logs.display()));
    }
    if !swept {
        say("Another agent serves on this machine: see `porten status`.");
    }
    Ok(Exit::Done)
}

/// The service is the account's own.
fn refuse_sudo() -> Result<()> {
    match refuse_root() {
        Some(why) => Err(Fail::new(Exit::Wrong, "root", why).into()),
        None => Ok(()),
    }
}

fn farewell(quiet: bool) {
    if !quiet {
        say("The service finishes what runs, 50 s at most.");
    }
}
