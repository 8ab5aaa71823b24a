//! What macOS alone asks of a menu-bar app.

pub(crate) mod icon;
pub(crate) mod login;
pub(crate) mod nap;

use tauri::menu::{Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::{ActivationPolicy, App, Manager as _};

use crate::settings_window;
use crate::state::Porten;

/// No icon in the Dock; an Edit menu, without which nothing can be pasted into a page; ⌘, for the settings, ⌘W for a
/// window, and ⌘Q that finishes what runs instead of ending the process under it.
pub(crate) fn set_up(app: &mut App) -> tauri::Result<()> {
    app.set_activation_policy(ActivationPolicy::Accessory);
    let quit = MenuItem::with_id(app, "quit-key", "Quit Porten", true, Some("Cmd+Q"))?;
    let settings = MenuItem::with_id(app, "settings-key", "Settings…", true, Some("Cmd+,"))?;
    let close = PredefinedMenuItem::close_window(app, None)?;
    let edit = Submenu::with_items(
        app,
        "Edit",
        true,
        &[
            &PredefinedMenuItem::undo(app, None)?,
            &PredefinedMenuItem::redo(app, None)?,
            &PredefinedMenuItem::separator(app)?,
            &PredefinedMenuItem::cut(app, None)?,
            &PredefinedMenuItem::copy(app, None)?,
            &PredefinedMenuItem::paste(app, None)?,
            &PredefinedMenuItem::select_all(app, None)?,
        ],
    )?;
    let porten = Submenu::with_items(app, "Porten", true, &[&settings, &close, &quit])?;
    let menu = Menu::with_items(app, &[&porten, &edit])?;
    app.set_menu(menu)?;
    app.on_menu_event(|app, event| match event.id().as_ref() {
        "quit-key" => app.state::<Porten>().leave.ask(),
        "settings-key" => settings_window::open(app),
        _ => {}
    });
    Ok(())
}
