//! Opens Porten at login, or not: an entry of the system's, off until somebody asks.

use porten_core::bridge::LoginView;
use porten_core::login_item;
use tauri::{Builder, Wry};

pub(crate) use system::Way;

/// What the entry is named; on macOS the launch agent's file too.
pub(crate) const NAME: &str = "Porten";

/// Gives the app what the entry is written with.
pub(crate) fn with(app: Builder<Wry>) -> Builder<Wry> {
    #[cfg(target_os = "macos")]
    let app = app.plugin(tauri_plugin_autostart::Builder::new().app_name(NAME).build());
    app
}

/// How it is now.
pub(crate) fn view(way: &impl Way) -> LoginView {
    match system::is_there(way) {
        Ok(entry) => login_item::view(refusal(), entry, system::approval()),
        Err(why) => LoginView::Refused { why },
    }
}

/// Asks for it, or takes it back; what went wrong is a sentence for the person.
pub(crate) fn set(way: &impl Way, on: bool) -> Result<(), String> {
    match refusal() {
        Some(why) if on => Err(why.to_owned()),
        _ => system::put(way, on),
    }
}

fn refusal() -> Option<&'static str> {
    // A launch agent holds a program and its arguments, and nothing of its environment that we could say.
    let lost = cfg!(target_os = "macos") && std::env::var_os(porten_core::config::HOME).is_some();
    login_item::refusal(&program(), lost)
}

fn failed(error: &dyn std::fmt::Display) -> String {
    format!("The entry for opening at login cannot be read or written ({error}).")
}

/// Where this program lies, links followed.
fn program() -> String {
    let path = std::env::current_exe().and_then(std::fs::canonicalize);
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

/// On macOS a launch agent, which Tauri's plugin writes.
#[cfg(target_os = "macos")]
mod system {
    use porten_core::login_item::Approval;
    use tauri::{Manager, Wry};
    use tauri_plugin_autostart::ManagerExt as _;

    use super::{NAME, failed};

    /// What leads to the entry: an app that has the plugin.
    pub(crate) trait Way: Manager<Wry> {}
    impl<A: Manager<Wry>> Way for A {}

    pub(super) fn is_there(way: &impl Way) -> Result<bool, String> {
        way.autolaunch().is_enabled().map_err(|error| failed(&error))
    }

    pub(super) fn put(way: &impl Way, on: bool) -> Result<(), String> {
        let entry = way.autolaunch();
        if on { entry.enable() } else { entry.disable() }.map_err(|error| failed(&error))
    }

    pub(super) fn approval() -> Approval {
        crate::macos::login::approval(NAME)
    }
}

/// Elsewhere a file in the desktop's autostart folder. What Tauri's plugin writes with is asked directly: the plugin quotes no
/// path, and knows no home but the usual one.
#[cfg(not(target_os = "macos"))]
mod system {
    use auto_launch::{AutoLaunch, LinuxLaunchMode};
    use porten_core::config::HOME;
    use porten_core::login_item::{Approval, exec};

    use super::{NAME, failed, program};
    use crate::start::mark;

    /// What leads to the entry: nothing is needed.
    pub(crate) trait Way {}
    impl<A> Way for A {}

    fn entry() -> Result<AutoLaunch, String> {
        let home = std::env::var_os(HOME).map(std::path::absolute).transpose().map_err(|error| failed(&error))?;
        let home = home.map(|home| home.display().to_string());
        // Another home is another Porten, with an entry of its own.
        let name = mark().map_or(NAME.to_owned(), |mark| format!("{NAME}-{mark}"));
        let exec = exec(&program(), home.as_deref())?;
        Ok(AutoLaunch::new(&name, &exec, LinuxLaunchMode::XdgAutostart, &[] as &[&str]))
    }

    pub(super) fn is_there(_: &impl Way) -> Result<bool, String> {
        entry()?.is_enabled().map_err(|error| failed(&error))
    }

    pub(super) fn put(_: &impl Way, on: bool) -> Result<(), String> {
        let entry = entry()?;
        if on { entry.enable() } else { entry.disable() }.map_err(|error| failed(&error))
    }

    pub(super) const fn approval() -> Approval {
        Approval::Given
    }
}
