//! The tray: a face, a word, and a plain menu.

use jiff::Timestamp;
use porten_core::bridge::Scene;
use porten_core::command::Command;
use porten_core::popover::{Area, Input};
use porten_core::snapshot::LinkView;
use porten_core::tray::{Calm, Face, face, words};
use tauri::image::Image;
use tauri::menu::{Menu, MenuItem, PredefinedMenuItem};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Manager as _, Wry};
use tokio::sync::watch;

use crate::state::Porten;
use crate::{bridge, popover};

const ID: &str = "porten";

/// The menu's items whose text or state changes.
#[derive(Clone)]
struct Items {
    state: MenuItem<Wry>,
    online: MenuItem<Wry>,
    sign_in: MenuItem<Wry>,
    copy: MenuItem<Wry>,
    quit: MenuItem<Wry>,
}

/// What the items say; compared, so that an open menu is touched only for a reason.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    word: String,
    online: Option<bool>,
    signed_out: bool,
    quitting: bool,
}

/// Makes the icon and its menu, and follows the scene.
pub(crate) fn set_up(app: &AppHandle, scenes: watch::Receiver<Scene>) -> tauri::Result<()> {
    let item = |id: &str, text: &str, enabled| MenuItem::with_id(app, id, text, enabled, None::<&str>);
    let items = Items {
        state: item("state", "Connecting…", false)?,
        online: item("online", "Go Online", false)?,
        sign_in: item("sign-in", "Sign In…", false)?,
        copy: item("copy", "Copy Endpoint", false)?,
        quit: item("quit", "Quit Porten", true)?,
    };
    let line = || PredefinedMenuItem::separator(app);
    let menu = Menu::with_items(
        app,
        &[
            &items.state,
            &line()?,
            &item("open", "Open Porten", true)?,
            &items.online,
            &items.sign_in,
            &items.copy,
            &line()?,
            &items.quit,
        ],
    )?;
    let tray = TrayIconBuilder::with_id(ID)
        .icon(picture(Face::Connecting)?)
        .icon_as_template(true)
        .tooltip("Porten")
        .menu(&menu)
        .show_menu_on_left_click(false)
        .on_menu_event(|app, event| on_menu(app, event.id().as_ref()))
        .on_tray_icon_event(|tray, event| {
            if let TrayIconEvent::Click { button: MouseButton::Left, button_state: MouseButtonState::Down, .. } = event
            {
                popover::on(tray.app_handle(), Input::Click);
            }
        })
        .build(app)?;
    tauri::async_runtime::spawn(follow(app.clone(), tray, items, scenes));
    Ok(())
}

/// Where the icon is, where the system tells (pixels).
pub(crate) fn area(app: &AppHandle) -> Option<Area> {
    let rect = app.tray_by_id(ID)?.rect().ok()??;
    // The tray speaks in pixels of its own screen; nothing has to be scaled.
    let (position, size) = (rect.position.to_physical::<f64>(1.0), rect.size.to_physical::<f64>(1.0));
    Some(Area { x: position.x, y: position.y, width: size.width, height: size.height })
}

fn on_menu(app: &AppHandle, id: &str) {
    match id {
        "open" => popover::on(app, Input::Open),
        "quit" => app.state::<Porten>().leave.ask(),
        "copy" => {
            if let Err(text) = bridge::copy(app) {
                tracing::warn!(text, "copy");
            }
        }
        "sign-in" => {
            app.state::<Porten>().sign_in.begin(app, false);
        }
        "online" => {
            let Some(live) = bridge::live(app) else { return };
            let online = !wants_online(&live.client.snapshot().hub.link);
            tauri::async_runtime::spawn(async move {
                if let Err(declined) = live.client.send(Command::SetOnline { online }).await {
                    tracing::warn!(text = declined.text, "the wish was not taken");
                }
            });
        }
        _ => {}
    }
}

const fn wants_online(link: &LinkView) -> bool {
    !matches!(link, LinkView::Off)
}

/// Keeps face, word and menu true until the app ends.
async fn follow(app: AppHandle, tray: TrayIcon, items: Items, mut scenes: watch::Receiver<Scene>) {
    let clock = app.state::<Porten>().clock;
    let mut calm = Calm::new(Face::Connecting);
    let (mut shown, mut said) = (Face::Connecting, None);
    loop {
        let now = clock.now();
        let scene = scenes.borrow_and_update().clone();
        let next = calm.on(face(&scene), now.mono);
        if next != shown {
            shown = next;
            let changed = picture(next).and_then(|icon| tray.set_icon_with_as_template(Some(icon), true));
            note(changed);
        }
        let saying = say(&scene, now.wall);
        if said.as_ref() != Some(&saying) {
            note(tell(&tray, &items, &saying));
            said = Some(saying);
        }
        tokio::select! {
            changed = scenes.changed() => if changed.is_err() { return },
            () = sleep_until(calm.deadline().map(|due| clock.instant(due))) => {}
        }
    }
}

async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn say(scene: &Scene, now: Timestamp) -> Said {
    let link = scene.snapshot.as_ref().map(|snapshot| &snapshot.hub.link);
    Said {
        word: words(scene, now),
        online: link.map(wants_online),
        signed_out: matches!(link, Some(LinkView::SignedOut { .. })),
        quitting: scene.quitting,
    }
}

fn tell(tray: &TrayIcon, items: &Items, said: &Said) -> tauri::Result<()> {
    tray.set_tooltip(Some(format!("Porten: {}", said.word)))?;
    items.state.set_text(&said.word)?;
    items.online.set_text(if said.online == Some(true) { "Go Offline" } else { "Go Online" })?;
    items.online.set_enabled(said.online.is_some())?;
    items.sign_in.set_enabled(said.signed_out)?;
    items.copy.set_enabled(said.online.is_some())?;
    // What runs is finished first; whoever will not wait asks once more.
    items.quit.set_text(if said.quitting { "Quit Now" } else { "Quit Porten" })
}

fn note(done: tauri::Result<()>) {
    if let Err(error) = done {
        tracing::warn!(error = &error as &dyn std::error::Error, "the tray");
    }
}

/// The face's picture: black on clear, 44 pixels for 22 points (tools/icons.sh draws them from icons/tray-*.svg).
fn picture(face: Face) -> tauri::Result<Image<'static>> {
    Image::from_bytes(match face {
        Face::Off => include_bytes!("../../icons/tray-off.png"),
        Face::Connecting => include_bytes!("../../icons/tray-connecting.png"),
        Face::Serving => include_bytes!("../../icons/tray-serving.png"),
        Face::Attention => include_bytes!("../../icons/tray-attention.png"),
        Face::NeedsYou => include_bytes!("../../icons/tray-needs.png"),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_face_has_a_picture_of_its_own_that_reads() {
        let faces = [Face::Off, Face::Connecting, Face::Serving, Face::Attention, Face::NeedsYou];
        let pictures: BTreeSet<Vec<u8>> = faces.map(|face| picture(face).unwrap().rgba().to_vec()).into();
        assert_eq!(pictures.len(), 5);
        assert_eq!(picture(Face::Off).map(|image| (image.width(), image.height())).unwrap(), (44, 44));
    }
}
