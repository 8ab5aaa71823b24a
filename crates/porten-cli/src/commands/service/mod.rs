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
use crate::exit::{self, Exit};
use crate::printer::{complain, say};
use status::Status;

/// One of its commands; none but `install` needs settings that can be used.
pub(crate) async fn run(action: ServiceAction, json: bool) -> Exit {
    match act(action, json).await {
        Ok(exit) => exit,
        Err(error) => {
            complain(&format!("{error:#}"));
            exit::of(&error)
        }
    }
}

async fn act(action: ServiceAction, json: bool) -> Result<Exit> {
    let manager = Manager::of_the_system()?;
    if let ServiceAction::Install { dry_run } = action {
        return install::install(&manager, dry_run, json).await;
    }
    let places = places()?;
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
            complain("the service is not installed; install it with: porten service install");
            return Ok(Exit::Broken);
        }
        _ => {}
    }
    if let Some(why) = refuse_root() {
        complain(why);
        return Ok(Exit::Wrong);
    }
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
        Status::read(&manager, &places).await?.show(true);
    }
    Ok(Exit::Done)
}

async fn uninstall(manager: &Manager, places: &Places, keep_logs: bool, json: bool) -> Result<Exit> {
    if let Some(why) = refuse_root() {
        complain(why);
        return Ok(Exit::Wrong);
    }
    let state = manager.state().await?;
    let was_there = manager.installed()?.is_some() || state.loaded;
    farewell(json || state.pid.is_none());
    manager.uninstall().await?;
    let swept = sweep(places, keep_logs)?;
    if json {
        Status::read(manager, places).await?.show(true);
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

fn farewell(quiet: bool) {
    if !quiet {
        say("The service finishes what runs, 50 s at most.");
    }
}

/// Where things are, whatever the settings say.
fn places() -> Result<Places> {
    let home = std::env::var_os(porten_core::config::HOME).filter(|home| !home.to_string_lossy().trim().is_empty());
    let home = home.map(|home| std::path::PathBuf::from(home.to_string_lossy().trim()));
    Ok(Places::find(home.as_deref())?)
}
