//! Opens Porten at login, or not: an entry of the system's, off until somebody asks.

use porten_core::bridge::LoginView;
use porten_core::login_item::{self, Approval};
use tauri::plugin::TauriPlugin;
use tauri::{Manager, Wry};
use tauri_plugin_autostart::{Error, ManagerExt as _};

/// What the entry is named; on macOS the launch agent's file too.
pub(crate) const NAME: &str = "Porten";

/// The part that writes the entry.
pub(crate) fn plugin() -> TauriPlugin<Wry> {
    tauri_plugin_autostart::Builder::new().app_name(NAME).build()
}

/// How it is now.
pub(crate) fn view(app: &impl Manager<Wry>) -> LoginView {
    match app.autolaunch().is_enabled() {
        Ok(entry) => login_item::view(&program(), entry, approval()),
        Err(error) => LoginView::Refused { why: failed(&error) },
    }
}

/// Asks for it, or takes it back; what went wrong is a sentence for the person.
pub(crate) fn set(app: &impl Manager<Wry>, on: bool) -> Result<(), String> {
    let entry = app.autolaunch();
    if !on {
        return entry.disable().map_err(|error| failed(&error));
    }
    match login_item::refusal(&program()) {
        Some(why) => Err(why.to_owned()),
        None => entry.enable().map_err(|error| failed(&error)),
    }
}

fn failed(error: &Error) -> String {
    format!("The entry for opening at login cannot be read or written ({error}).")
}

/// Where this program lies, links followed.
fn program() -> String {
    let path = std::env::current_exe().and_then(std::fs::canonicalize);
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

#[cfg(target_os = "macos")]
fn approval() -> Approval {
    crate::macos::login::approval(NAME)
}

#[cfg(not(target_os = "macos"))]
const fn approval() -> Approval {
    Approval::Given
}
