//! `porten service install`.

use anyhow::Result;
use porten_agent::local::Local;
use porten_agent::service::{Manager, program, spec, unseen};
use porten_agent::settings;
use porten_agent::setup::Setup;
use porten_core::bridge::SettingView;
use porten_core::config::Origin;
use porten_core::seat::Host;
use porten_core::service::placement::{Placement, placement};
use serde_json::json;

use super::follow;
use super::status::Status;
use crate::exit::{Exit, Fail};
use crate::printer::{note, say};

pub(crate) async fn install(manager: &Manager, setup: &Setup, dry_run: bool, json: bool) -> Result<Exit> {
    super::refuse_sudo()?;
    let program = program()?;
    let whole = std::fs::canonicalize(&program).map_or_else(|_| program.clone(), |path| path.display().to_string());
    let doubt = match placement(&whole) {
        Placement::Refused(why) => return Err(Fail::new(Exit::Wrong, "placement", why).into()),
        Placement::Doubtful(why) => Some(why),
        Placement::Fine => None,
    };
    let unit = manager.unit(&spec(&program)?);
    let new_settings = settings::would_persist(setup)?;
    let new_unit = manager.installed()?.as_ref() != Some(&unit);
    let state = if dry_run { None } else { Some(manager.state().await?) };
    let runs = state.as_ref().is_some_and(|state| state.pid.is_some());
    let views = settings::view(setup);
    if !json {
        let file = setup.places.config.display().to_string();
        views.iter().filter(|view| view.origin.is_chosen()).for_each(|view| say(&line(view, &file, dry_run)));
        if let Some(doubt) = doubt {
            note(&format!("{program}: {doubt}"));
        }
        if let [first, rest @ ..] = unseen().as_slice() {
            let all = rest.iter().fold((*first).to_owned(), |all, name| format!("{all}, {name}"));
            note(&format!(
                "this shell sets {all}, which the service does not see; docs/service.md says where to set it for services"
            ));
        }
    }
    if dry_run {
        dry(manager, setup, &unit, (new_settings, new_unit), json);
        return Ok(Exit::Done);
    }
    if !new_settings && !new_unit && runs && is_of_this_version(setup).await? {
        let status = Status::read(manager, &setup.places).await?;
        if json {
            say(&status.json(Some(false)).to_string());
        } else {
            say("Nothing changed: the service is installed like this and runs.");
            status.show(false);
        }
        return Ok(Exit::Done);
    }
    settings::persist(setup)?;
    if !json && runs {
        say("The service finishes what runs, 50 s at most, and starts anew with this.");
    }
    manager.install(&unit).await?;
    if !json {
        say(&format!("Installed {}.", manager.path().display()));
    }
    follow::until_it_answers(manager, &setup.places, json).await
}

/// Whether what runs is as new as this program; what does not answer is not taken for it.
async fn is_of_this_version(setup: &Setup) -> Result<bool> {
    let snapshot = Local::at(&setup.places.socket())?.snapshot().await;
    Ok(snapshot.is_ok_and(|snapshot| {
        snapshot.host.kind != Host::Service || snapshot.host.version == env!("CARGO_PKG_VERSION")
    }))
}

/// A setting with its origin, and where it is from now on.
fn line(view: &SettingView, file: &str, dry_run: bool) -> String {
    let value = view.value.as_deref().unwrap_or("-");
    let origin = match &view.origin {
        Origin::Environment(name) if dry_run => format!("from {name}; would be written into {file}"),
        Origin::Environment(name) => format!("from {name}; written into {file}"),
        other => format!("from {other}"),
    };
    format!("{} = {value} ({origin})", view.key)
}

fn dry(manager: &Manager, setup: &Setup, unit: &str, (new_settings, new_unit): (bool, bool), json: bool) {
    let (path, file) = (manager.path(), &setup.places.config);
    if json {
        let told = json!({
            "unit": path,
            "text": unit,
            "unit_changes": new_unit,
            "settings_file": file,
            "settings_change": new_settings,
            "settings": settings::view(setup),
            "log": setup.places.service_log(),
        });
        return say(&told.to_string());
    }
    say(&format!("{} would {}be written:", path.display(), if new_unit { "" } else { "not " }));
    unit.lines().for_each(say);
    say(&format!("The log would be {}.", setup.places.service_log().display()));
    say("Nothing was changed.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_setting_says_where_it_was_and_where_it_is_now() {
        let view = |origin| SettingView { key: "log.level".to_owned(), value: Some("warn".to_owned()), origin };
        let said = |dry| line(&view(Origin::Environment("PORTEN_LOG".to_owned())), "~/c.toml", dry);
        assert_eq!(said(false), "log.level = warn (from PORTEN_LOG; written into ~/c.toml)");
        assert_eq!(said(true), "log.level = warn (from PORTEN_LOG; would be written into ~/c.toml)");
        assert_eq!(
            line(&view(Origin::File("~/c.toml".to_owned())), "~/c.toml", false),
            "log.level = warn (from ~/c.toml)"
        );
    }
}
