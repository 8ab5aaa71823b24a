//! What the popover's page can see and ask for. Its capability names each command; no other window has one.

use porten_core::bridge::Scene;
use porten_core::command::{Command, Declined, DeclinedCode};
use porten_core::popover::Input;
use tauri::ipc::Channel;
use tauri::{AppHandle, Manager as _};
use tauri_plugin_clipboard_manager::ClipboardExt as _;
use tokio::sync::watch;

use crate::hold::{Hold, Live};
use crate::popover;
use crate::state::Porten;

/// The page is there and wants to see.
#[tauri::command]
pub(crate) async fn watch(channel: Channel<Scene>, app: AppHandle) {
    app.state::<Porten>().page.send_replace(Some(channel));
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
pub(crate) async fn hide(app: AppHandle) {
    popover::on(&app, Input::Close);
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

/// The agent, if there is a hold on one.
pub(crate) fn live(app: &AppHandle) -> Option<Live> {
    match &*app.state::<Porten>().holds.borrow() {
        Hold::Live(live) => Some(live.clone()),
        Hold::Starting | Hold::Trouble(_) => None,
    }
}

/// Sends the page what there is to see while it is shown, and tells the agent that somebody looks; a hidden page is sent
/// nothing.
pub(crate) async fn show(
    app: AppHandle,
    mut shown: watch::Receiver<bool>,
    mut page: watch::Receiver<Option<Channel<Scene>>>,
) {
    let porten = app.state::<Porten>();
    let (mut scenes, mut holds) = (porten.scenes.clone(), porten.holds.clone());
    loop {
        let channel = page.borrow_and_update().clone();
        if !*shown.borrow_and_update() {
            tokio::select! {
                Ok(()) = shown.changed() => {}
                Ok(()) = page.changed() => {}
                else => return,
            }
            continue;
        }
        holds.mark_unchanged();
        let _look = live(&app).map(|live| live.client.look());
        scenes.mark_changed();
        loop {
            tokio::select! {
                Ok(()) = scenes.changed() => {
                    let scene = scenes.borrow_and_update().clone();
                    if let Some(channel) = &channel {
                        // A page that went away comes back with a channel of its own.
                        let _ = channel.send(scene);
                    }
                }
                Ok(()) = shown.changed() => break,
                Ok(()) = page.changed() => break,
                Ok(()) = holds.changed() => break,
                else => return,
            }
        }
    }
}
