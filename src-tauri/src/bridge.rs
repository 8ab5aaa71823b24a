//! What the popover's and the settings window's pages can see and ask for. A capability of each names its commands
//! (src-tauri/capabilities); no other window has one.

use porten_core::bridge::Scene;
use porten_core::command::{Command, Declined, DeclinedCode};
use porten_core::popover::Input;
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager as _, WebviewWindow};
use tauri_plugin_clipboard_manager::ClipboardExt as _;

use crate::hold::{Hold, Live};
use crate::state::Porten;
use crate::{popover, settings_window};

/// The page is there and wants to see.
#[tauri::command]
pub(crate) async fn watch(channel: Channel<Scene>, window: WebviewWindow, app: AppHandle) {
    let porten = app.state::<Porten>();
    let stage = if window.label() == settings_window::LABEL { &porten.settings } else { &porten.stage };
    stage.attend(channel);
}

/// Asks the agent for something.
#[tauri::command]
pub(crate) async fn send(command: Command, app: AppHandle) -> Result<(), Declined> {
    let live = live(&app).ok_or_else(|| Declined {
        code: DeclinedCode::Stopping,
        text: "There is no agent to ask just now.".to_owned(),
    })?;
    live.client.send(command).await
}

/// Begins a sign-in, or takes the one under way to the person's own browser.
#[tauri::command]
pub(crate) async fn sign_in(browser: bool, app: AppHandle) {
    app.state::<Porten>().sign_in.begin(&app, browser);
}

/// Gives the sign-in up.
#[tauri::command]
pub(crate) async fn cancel_sign_in(app: AppHandle) {
    app.state::<Porten>().sign_in.cancel(&app);
}

/// Copies what clients of the Hub set as their base address.
#[tauri::command]
pub(crate) async fn copy_endpoint(app: AppHandle) -> Result<(), String> {
    copy(&app)
}

/// Copies the endpoint, from the page or from the menu.
pub(crate) fn copy(app: &AppHandle) -> Result<(), String> {
    let endpoint = live(app).map(|live| live.client.snapshot().hub.endpoint.clone());
    let endpoint = endpoint.ok_or("There is no agent to ask just now.")?;
    app.clipboard().write_text(endpoint).map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "the clipboard");
        "The clipboard cannot be written to.".to_owned()
    })
}

/// The person is done looking.
#[tauri::command]
pub(crate) async fn hide(window: WebviewWindow, app: AppHandle) {
    if window.label() == settings_window::LABEL {
        settings_window::hide(&app);
    } else {
        popover::on(&app, Input::Close);
    }
}

/// Opens the settings window in the popover's place.
#[tauri::command]
pub(crate) async fn open_settings(app: AppHandle) {
    settings_window::open(&app);
}

/// The page's content is so high (points).
#[tauri::command]
pub(crate) async fn fit(height: f64, app: AppHandle) {
    popover::fit(&app, height);
}

/// Leaves: once to finish what runs, twice at once.
#[tauri::command]
pub(crate) async fn quit(app: AppHandle) {
    app.state::<Porten>().leave.ask();
}

/// Which of the system's own settings.
#[derive(Debug, Clone, Copy, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pane {
    /// What opens at login.
    Login,
    /// Who may notify.
    Notifications,
}

/// Opens the system's own settings there.
#[tauri::command]
pub(crate) async fn open_system_settings(pane: Pane) -> Result<(), String> {
    system_settings(pane)
}

#[cfg(target_os = "macos")]
fn system_settings(pane: Pane) -> Result<(), String> {
    match pane {
        Pane::Login => {
            crate::macos::login::open_settings();
            Ok(())
        }
        Pane::Notifications => {
            open::that_detached("x-apple.systempreferences:com.apple.Notifications-Settings.extension")
                .map_err(|error| format!("System Settings does not open ({error})."))
        }
    }
}

#[cfg(not(target_os = "macos"))]
fn system_settings(pane: Pane) -> Result<(), String> {
    let what = match pane {
        Pane::Login => "what opens at login",
        Pane::Notifications => "who may notify",
    };
    Err(format!("Porten knows no place for {what} in this desktop's settings; open them yourself."))
}

/// The agent, if there is a hold on one.
pub(crate) fn live(app: &AppHandle) -> Option<Live> {
    match &*app.state::<Porten>().holds.borrow() {
        Hold::Live(live) => Some(live.clone()),
        Hold::Starting | Hold::Trouble(_) => None,
    }
}
