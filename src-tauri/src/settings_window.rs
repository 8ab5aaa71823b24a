//! The settings window: made when it is first wanted, hidden when it is closed, given back like the popover.

use porten_core::popover::Input;
use tauri::webview::NewWindowResponse;
use tauri::{AppHandle, Manager as _, WebviewUrl, WebviewWindow, WebviewWindowBuilder};

use crate::state::Porten;
use crate::{popover, stage};

/// Its label.
pub(crate) const LABEL: &str = "settings";
/// Its width (points).
const WIDTH: f64 = 560.0;
/// Its height at first, and the least (points); what is longer scrolls.
const HEIGHT: f64 = 640.0;
const MIN_HEIGHT: f64 = 320.0;
/// No screen is higher (points).
const MAX_HEIGHT: f64 = 4_000.0;

/// Esc hides it, and so does the key that closes a window (on macOS ⌘W, which the app's own menu has). What is open in the
/// page takes the key first.
const KEYS: &str = r"
    addEventListener('keydown', (event) => {
        const closes = event.key === 'Escape' || (event.key === 'w' && event.ctrlKey);
        if (closes && !event.defaultPrevented) void window.__TAURI_INTERNALS__.invoke('hide');
    });
";

/// Opens it, or brings it to the front.
pub(crate) fn open(app: &AppHandle) {
    // It takes the popover's place.
    popover::on(app, Input::Close);
    let window = app.get_webview_window(LABEL).map_or_else(|| make(app), Ok);
    note(window.and_then(|window| app.state::<Porten>().settings.show(&window)));
}

/// Hides it.
pub(crate) fn hide(app: &AppHandle) {
    if let Some(window) = app.get_webview_window(LABEL) {
        note(app.state::<Porten>().settings.hide(&window));
    }
}

fn make(app: &AppHandle) -> tauri::Result<WebviewWindow> {
    let window = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("settings.html".into()))
        .title("Porten Settings")
        .inner_size(WIDTH, HEIGHT)
        .min_inner_size(WIDTH, MIN_HEIGHT)
        .max_inner_size(WIDTH, MAX_HEIGHT)
        .maximizable(false)
        .center()
        .visible(false)
        .devtools(cfg!(debug_assertions))
        .initialization_script(stage::introduction())
        .initialization_script(KEYS)
        // Its own pages and nothing else; a link is no way out.
        .on_navigation(|url| url.scheme() == "tauri")
        .on_new_window(|_, _| NewWindowResponse::Deny)
        .build()?;
    stage::ground(&window)?;
    Ok(window)
}

fn note(done: tauri::Result<()>) {
    if let Err(error) = done {
        tracing::error!(error = &error as &dyn std::error::Error, "the settings window");
    }
}
