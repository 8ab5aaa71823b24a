//! Posts what core decides to tell a person; a click on it opens the popover, where the notice is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use notify_rust::{Notification, NotificationHandle, NotificationResponse};
use porten_agent::setup::Setup;
use porten_core::bridge::Scene;
use porten_core::notify::{Tell, Teller, Wants};
use porten_core::popover::Input;
use tauri::{AppHandle, Manager as _};
use tokio::sync::watch;

use crate::popover;
use crate::state::Porten;

/// The name of the click on a notification itself, as the desktop's protocol has it.
const CLICK: &str = "default";
/// Each notification whose click is waited for has a thread; what comes beyond so many can be read and not clicked.
const MAX_AWAITED: usize = 8;

/// Follows the scene until the app ends.
pub(crate) async fn follow(app: AppHandle, mut scenes: watch::Receiver<Scene>) {
    #[cfg(target_os = "macos")]
    name(&app);
    let clock = app.state::<Porten>().clock;
    let awaited = Arc::new(AtomicUsize::new(0));
    let mut teller = Teller::default();
    loop {
        if let Some(snapshot) = &scenes.borrow_and_update().snapshot {
            teller.on(&snapshot.notices, clock.now().mono);
        }
        tokio::select! {
            changed = scenes.changed() => if changed.is_err() { return },
            () = clock.reached(teller.deadline()) => {
                if let Some(tell) = teller.tell(wants().await, clock.now().mono) {
                    post(&app, &awaited, tell);
                }
            }
        }
    }
}

/// What the settings say, as they are now: a person may have changed them in the file or in the terminal.
async fn wants() -> Wants {
    let read = tauri::async_runtime::spawn_blocking(Setup::read).await;
    let Ok(Ok(Setup { config, .. })) = read else {
        // The settings cannot be read, which is told too.
        return Wants { needs_you: true, cluster: true, models: true };
    };
    Wants {
        needs_you: config.notify.needs_you.value,
        cluster: config.notify.cluster.value,
        models: config.notify.models.value,
    }
}

/// macOS shows the app's own icon and name beside it.
#[cfg(target_os = "macos")]
fn name(app: &AppHandle) {
    if let Err(error) = notify_rust::set_application(&app.config().identifier) {
        tracing::info!(error = &error as &dyn std::error::Error, "notifications come without the app's name");
    }
}

/// Posts it from a thread of its own: the system's calls wait.
fn post(app: &AppHandle, awaited: &Arc<AtomicUsize>, tell: Tell) {
    let (app, awaited) = (app.clone(), Arc::clone(awaited));
    tauri::async_runtime::spawn_blocking(move || {
        let shown = Notification::new()
            .appname("Porten")
            .summary(&tell.title)
            .body(&plain(&tell.text))
            .action(CLICK, "Open Porten")
            .show();
        match shown {
            Ok(_) if awaited.load(Ordering::Relaxed) >= MAX_AWAITED => {}
            Ok(handle) => {
                awaited.fetch_add(1, Ordering::Relaxed);
                await_click(&app, handle);
                awaited.fetch_sub(1, Ordering::Relaxed);
            }
            Err(error) => {
                tracing::info!(error = &error as &dyn std::error::Error, code = ?tell.code, "no notification");
            }
        }
    });
}

/// Waits until it was clicked or has gone.
fn await_click(app: &AppHandle, handle: NotificationHandle) {
    let app = app.clone();
    let waited = handle.wait_for_response(move |response: &NotificationResponse| {
        if matches!(response, NotificationResponse::Default) {
            popover::on(&app, Input::Open);
        }
    });
    if let Err(error) = waited {
        tracing::info!(error = &error as &dyn std::error::Error, "the click on a notification");
    }
}

/// Some desktops read markup in the text of a notification.
#[cfg(not(target_os = "macos"))]
fn plain(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(target_os = "macos")]
fn plain(text: &str) -> String {
    text.to_owned()
}
