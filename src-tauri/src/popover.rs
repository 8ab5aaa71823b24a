//! The popover's window: made when it is first wanted, placed under the icon, given back when nobody looks for a while.

use porten_core::popover::{Area, Effect, Input, Screen, spot};
use tauri::webview::NewWindowResponse;
use tauri::{
    AppHandle, LogicalPosition, LogicalSize, Manager as _, Monitor, PhysicalPosition, PhysicalSize, WebviewUrl,
    WebviewWindow, WebviewWindowBuilder,
};

use crate::state::Porten;
use crate::{stage, tray};

/// Its label.
pub(crate) const LABEL: &str = "popover";
/// Its width (points).
const WIDTH: f64 = 320.0;
/// It is never higher (points).
const MAX_HEIGHT: f64 = 560.0;
/// Nor lower.
const MIN_HEIGHT: f64 = 80.0;
/// Until the page says how high it is (points).
const FIRST_HEIGHT: f64 = 420.0;
/// Something happened; the machine in core decides what comes of it.
pub(crate) fn on(app: &AppHandle, input: Input) {
    let porten = app.state::<Porten>();
    let effect = {
        let Ok(mut popover) = porten.popover.lock() else { return };
        popover.on(input, porten.clock.now().mono)
    };
    let done = match effect {
        Some(Effect::Show) => show(app, &porten),
        Some(Effect::Hide) => hide(app, &porten),
        None => Ok(()),
    };
    if let Err(error) = done {
        tracing::error!(error = &error as &dyn std::error::Error, "the popover");
    }
}

/// The page's content is so high (points).
pub(crate) fn fit(app: &AppHandle, height: f64) {
    let Some(window) = app.get_webview_window(LABEL) else { return };
    let height = if height.is_finite() { height.clamp(MIN_HEIGHT, MAX_HEIGHT) } else { FIRST_HEIGHT };
    let sized = window.set_size(LogicalSize::new(WIDTH, height)).and_then(|()| put(app, &window, height));
    if let Err(error) = sized {
        tracing::warn!(error = &error as &dyn std::error::Error, "the popover's size");
    }
}

fn show(app: &AppHandle, porten: &Porten) -> tauri::Result<()> {
    let window = match app.get_webview_window(LABEL) {
        Some(window) => window,
        None => make(app)?,
    };
    let height = window.inner_size()?.to_logical::<f64>(window.scale_factor()?).height;
    put(app, &window, height)?;
    porten.stage.show(&window)
}

fn hide(app: &AppHandle, porten: &Porten) -> tauri::Result<()> {
    app.get_webview_window(LABEL).map_or(Ok(()), |window| porten.stage.hide(&window))
}

fn make(app: &AppHandle) -> tauri::Result<WebviewWindow> {
    let builder = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::App("index.html".into()))
        .title("Porten")
        .inner_size(WIDTH, FIRST_HEIGHT)
        .decorations(false)
        .resizable(false)
        .maximizable(false)
        .minimizable(false)
        .skip_taskbar(true)
        .always_on_top(true)
        .visible_on_all_workspaces(true)
        .accept_first_mouse(true)
        .visible(false)
        .devtools(cfg!(debug_assertions))
        .initialization_script(stage::introduction())
        // Its own pages and nothing else; a link is no way out.
        .on_navigation(|url| url.scheme() == "tauri")
        .on_new_window(|_, _| NewWindowResponse::Deny);
    // Rounded corners need a see-through window, and that a compositor: macOS has one.
    let builder = if cfg!(target_os = "macos") { builder.transparent(true) } else { builder };
    let window = builder.build()?;
    if cfg!(not(target_os = "macos")) {
        stage::ground(&window)?;
    }
    Ok(window)
}

/// Puts it where it belongs, given its height (points).
fn put(app: &AppHandle, window: &WebviewWindow, height: f64) -> tauri::Result<()> {
    // The one with the menu bar first: the popover goes there if the icon is on none.
    let screens: Vec<Screen> =
        app.primary_monitor()?.into_iter().chain(app.available_monitors()?).map(|monitor| screen(&monitor)).collect();
    match spot(tray::area(app), &screens, (WIDTH, height)) {
        // In points: pixels would be taken for those of the screen that the window was on last.
        Some((x, y)) => window.set_position(LogicalPosition::new(x, y)),
        None => Ok(()),
    }
}

fn screen(monitor: &Monitor) -> Screen {
    let free = monitor.work_area();
    Screen {
        whole: area(*monitor.position(), *monitor.size()),
        free: area(free.position, free.size),
        scale: monitor.scale_factor(),
    }
}

fn area(position: PhysicalPosition<i32>, size: PhysicalSize<u32>) -> Area {
    Area {
        x: f64::from(position.x),
        y: f64::from(position.y),
        width: f64::from(size.width),
        height: f64::from(size.height),
    }
}
