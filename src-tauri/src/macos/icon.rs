//! The icon in the menu bar: what VoiceOver reads, and whether it can be seen: macOS hides it behind the notch, or because a person said so.

use objc2::MainThreadMarker;
use objc2_app_kit::{NSAccessibility as _, NSWindowOcclusionState};
use objc2_foundation::NSString;
use porten_core::icon::Presence;
use tauri::tray::TrayIcon;
use tauri::{AppHandle, Manager as _};

use crate::state::Porten;

/// Looks until it was seen once, and says so while it is not.
pub(crate) async fn watch(app: AppHandle, tray: TrayIcon) {
    let porten = app.state::<Porten>();
    let mut presence = Presence::default();
    while let Some(wait) = presence.wait() {
        tokio::time::sleep(wait).await;
        let before = presence;
        presence = presence.on(is_hidden(&tray));
        if (before == Presence::Hidden) != (presence == Presence::Hidden) {
            tracing::info!(?presence, "the icon in the menu bar");
            porten.hidden.send_replace((presence == Presence::Hidden).then(|| porten.clock.now()));
        }
    }
}

/// What VoiceOver reads.
pub(crate) fn label(tray: &TrayIcon, words: String) -> tauri::Result<()> {
    tray.with_inner_tray_icon(move |inner| {
        let button = MainThreadMarker::new().and_then(|thread| inner.ns_status_item()?.button(thread));
        if let Some(button) = button {
            button.setAccessibilityLabel(Some(&NSString::from_str(&words)));
        }
    })
}

/// Whether it is hidden; `None` while the system does not tell.
fn is_hidden(tray: &TrayIcon) -> Option<bool> {
    let told = tray.with_inner_tray_icon(|inner| {
        let thread = MainThreadMarker::new()?;
        let window = inner.ns_status_item()?.button(thread)?.window()?;
        Some(!window.occlusionState().contains(NSWindowOcclusionState::Visible))
    });
    told.ok().flatten()
}
