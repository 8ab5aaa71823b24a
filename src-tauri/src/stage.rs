//! A window of ours whose page looks at the scene: whether it is shown, and the way to its page.

use std::time::Duration;

use porten_core::bridge::Scene;
use tauri::ipc::Channel;
use tauri::webview::Color;
use tauri::{AppHandle, Manager as _, Theme, WebviewWindow};
use tokio::sync::watch;

use crate::bridge;
use crate::state::Porten;

/// How long a hidden page is kept for a quick return; its process costs most of the app's memory.
const KEPT: Duration = Duration::from_secs(3 * 60);
/// The pages' ground in both appearances, so that nothing flashes before it is drawn (ui/src/tokens.css).
const LIGHT: Color = Color(0xf7, 0xf7, 0xf9, 0xff);
const DARK: Color = Color(0x26, 0x26, 0x29, 0xff);

/// One of them.
pub(crate) struct Stage {
    /// Whether the window is shown.
    shown: watch::Sender<bool>,
    /// Its page, while there is one.
    page: watch::Sender<Option<Channel<Scene>>>,
}

/// What its task listens to.
pub(crate) struct Seats {
    shown: watch::Receiver<bool>,
    page: watch::Receiver<Option<Channel<Scene>>>,
}

impl Stage {
    pub(crate) fn new() -> (Self, Seats) {
        let (shown, shown_seen) = watch::channel(false);
        let (page, page_seen) = watch::channel(None);
        (Self { shown, page }, Seats { shown: shown_seen, page: page_seen })
    }

    /// The page is there and wants to see.
    pub(crate) fn attend(&self, channel: Channel<Scene>) {
        self.page.send_replace(Some(channel));
    }

    /// Shows the window, in front.
    pub(crate) fn show(&self, window: &WebviewWindow) -> tauri::Result<()> {
        window.show()?;
        window.set_focus()?;
        self.shown.send_replace(true);
        Ok(())
    }

    /// Hides the window, and gives it back when nobody wants it for a while.
    pub(crate) fn hide(&self, window: &WebviewWindow) -> tauri::Result<()> {
        if !self.shown.send_replace(false) {
            return Ok(());
        }
        window.hide()?;
        let mut shown = self.shown.subscribe();
        let page = self.page.clone();
        let window = window.clone();
        tauri::async_runtime::spawn(async move {
            if tokio::time::timeout(KEPT, shown.wait_for(|shown| *shown)).await.is_err() {
                page.send_replace(None);
                // It is made anew when it is wanted again.
                let _ = window.destroy();
            }
        });
        Ok(())
    }
}

/// What each of our own pages is told before it runs: the system it is on.
pub(crate) fn introduction() -> String {
    let os = if cfg!(target_os = "macos") { "macos" } else { "linux" };
    format!("document.documentElement.dataset.os = '{os}'")
}

/// Gives a window that is not see-through the page's ground.
pub(crate) fn ground(window: &WebviewWindow) -> tauri::Result<()> {
    window.set_background_color(Some(if window.theme()? == Theme::Dark { DARK } else { LIGHT }))
}

/// Sends the page what there is to see while it is shown, and tells the agent that somebody looks; a hidden page is sent
/// nothing.
pub(crate) async fn play(app: AppHandle, seats: Seats) {
    let Seats { mut shown, mut page } = seats;
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
        let _look = bridge::live(&app).map(|live| live.client.look());
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
