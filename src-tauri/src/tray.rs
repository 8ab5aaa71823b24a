//! The tray: a face, a word, and a plain menu.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp, Zoned};
use porten_core::bridge::Scene;
use porten_core::command::Command;
use porten_core::pause::{Pause, tomorrow};
use porten_core::popover::{Area, Input};
use porten_core::tray::{Calm, Deed, Face, Menu as Offer, Signing, face, leaving, menu as offer};
use tauri::image::Image;
use tauri::menu::{Menu, MenuItem, PredefinedMenuItem, Submenu};
use tauri::tray::{MouseButton, MouseButtonState, TrayIcon, TrayIconBuilder, TrayIconEvent};
use tauri::{AppHandle, Manager as _, Rect, Wry};
use tokio::sync::watch;

use crate::state::Porten;
use crate::{bridge, popover, settings_window};

const ID: &str = "porten";
/// The short rest.
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// The menu's items whose text or state changes.
#[derive(Clone)]
struct Items {
    state: MenuItem<Wry>,
    step: MenuItem<Wry>,
    online: MenuItem<Wry>,
    pause: Submenu<Wry>,
    resume: MenuItem<Wry>,
    sign_in: MenuItem<Wry>,
    copy: MenuItem<Wry>,
    quit: MenuItem<Wry>,
}

/// Makes the icon and its menu, and follows the scene.
pub(crate) fn set_up(app: &AppHandle, scenes: watch::Receiver<Scene>) -> tauri::Result<()> {
    let (items, menu) = menu(app)?;
    let tray = TrayIconBuilder::with_id(ID)
        .icon(picture(Face::Connecting)?)
        .icon_as_template(true)
        .tooltip("Porten")
        .menu(&menu)
        .show_menu_on_left_click(false)
        .on_menu_event(|app, event| on_menu(app, event.id().as_ref()))
        .on_tray_icon_event(|tray, event| {
            if let TrayIconEvent::Click {
                button: MouseButton::Left, button_state: MouseButtonState::Down, rect, ..
            } = event
            {
                // With several screens each has an icon: it opens under the one that was clicked.
                let app = tray.app_handle();
                if let Ok(mut icon) = app.state::<Porten>().icon.lock() {
                    *icon = Some(pixels(&rect));
                }
                popover::on(app, Input::Click);
            }
        })
        .build(app)?;
    #[cfg(target_os = "macos")]
    tauri::async_runtime::spawn(crate::macos::icon::watch(app.clone(), tray.clone()));
    tauri::async_runtime::spawn(follow(app.clone(), tray, items, scenes));
    Ok(())
}

fn menu(app: &AppHandle) -> tauri::Result<(Items, Menu<Wry>)> {
    let item = |id: &str, text: &str, enabled| MenuItem::with_id(app, id, text, enabled, None::<&str>);
    let rests = [
        &item("pause-hour", "For 1 Hour", true)?,
        &item("pause-tomorrow", "Until Tomorrow", true)?,
        &item("pause-in-use", "While I Use This Mac", true)?,
    ];
    let pause = Submenu::with_id(app, "pause", "Pause", false)?;
    for rest in rests {
        pause.append(rest)?;
    }
    let items = Items {
        state: item("state", "Starting…", false)?,
        step: item("step", "Check Again", false)?,
        online: item("online", "Go Online", false)?,
        pause,
        resume: item("resume", "Resume", false)?,
        sign_in: item("sign-in", "Sign In…", false)?,
        copy: item("copy", "Copy Endpoint", false)?,
        quit: item("quit", "Quit Porten", true)?,
    };
    let line = || PredefinedMenuItem::separator(app);
    let menu = Menu::with_items(
        app,
        &[
            &items.state,
            &items.step,
            &line()?,
            &items.online,
            &items.pause,
            &items.resume,
            &line()?,
            &item("open", "Open Porten", true)?,
            &items.copy,
            &items.sign_in,
            &line()?,
            &MenuItem::with_id(app, "settings", "Settings…", true, Some("CmdOrCtrl+,"))?,
            &items.quit,
        ],
    )?;
    Ok((items, menu))
}

/// Where the icon is that was clicked last, else where the system says that it is (pixels).
pub(crate) fn area(app: &AppHandle) -> Option<Area> {
    let clicked = app.state::<Porten>().icon.lock().ok().and_then(|icon| *icon);
    clicked.or_else(|| Some(pixels(&app.tray_by_id(ID)?.rect().ok()??)))
}

fn pixels(rect: &Rect) -> Area {
    // The tray speaks in pixels of its own screen; nothing has to be scaled.
    let (position, size) = (rect.position.to_physical::<f64>(1.0), rect.size.to_physical::<f64>(1.0));
    Area { x: position.x, y: position.y, width: size.width, height: size.height }
}

fn on_menu(app: &AppHandle, id: &str) {
    match id {
        "open" => popover::on(app, Input::Open),
        "settings" => settings_window::open(app),
        "quit" => app.state::<Porten>().leave.ask(),
        "copy" => {
            if let Err(text) = bridge::copy(app) {
                tracing::warn!(text, "copy");
            }
        }
        "sign-in" => {
            let porten = app.state::<Porten>();
            let browser = offered(app).sign_in == Signing::Browser;
            porten.sign_in.begin(app, browser);
        }
        "online" => {
            if let Some(online) = offered(app).online {
                send(app, Command::SetOnline { online: !online });
            }
        }
        "step" => match offered(app).step.1 {
            Deed::None => {}
            Deed::Send(command) => send(app, command),
            Deed::Settings => settings_window::open(app),
        },
        "pause-hour" => pause(app, Timestamp::now().checked_add(HOUR).ok().map(|until| Pause::Until { until })),
        "pause-tomorrow" => pause(app, tomorrow(&Zoned::now()).map(|until| Pause::Until { until })),
        "pause-in-use" => pause(app, Some(Pause::WhileInUse)),
        "resume" => send(app, Command::Pause { pause: None }),
        _ => {}
    }
}

/// Begins a rest, unless its end is beyond the calendar.
fn pause(app: &AppHandle, pause: Option<Pause>) {
    if pause.is_some() {
        send(app, Command::Pause { pause });
    }
}

fn send(app: &AppHandle, command: Command) {
    let Some(live) = bridge::live(app) else { return };
    tauri::async_runtime::spawn(async move {
        if let Err(declined) = live.client.send(command).await {
            tracing::warn!(text = declined.text, "the wish was not taken");
        }
    });
}

/// What the menu offers now.
fn offered(app: &AppHandle) -> Offer {
    let porten = app.state::<Porten>();
    let scene = porten.scenes.borrow().clone();
    offer(&scene, porten.clock.now().wall)
}

/// Keeps face, word and menu true until the app ends.
async fn follow(app: AppHandle, tray: TrayIcon, items: Items, mut scenes: watch::Receiver<Scene>) {
    let (clock, leave) = (app.state::<Porten>().clock, app.state::<Porten>().leave.clone());
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
        let left = leave.left().filter(|_| scene.quitting).map(leaving);
        let saying = say(&scene, left.as_ref().map(|(words, _)| words.as_str()), now.wall);
        if said.as_ref() != Some(&saying) {
            note(tell(&tray, &items, &saying));
            said = Some(saying);
        }
        // Another face may be due, or another number of minutes.
        let counted = left.map(|(_, holds)| holds).filter(|holds| *holds < Duration::MAX);
        let due = calm.deadline().into_iter().chain(counted.map(|holds| now.mono + holds)).min();
        tokio::select! {
            changed = scenes.changed() => if changed.is_err() { return },
            () = clock.reached(due) => {}
        }
    }
}

fn say(scene: &Scene, left: Option<&str>, now: Timestamp) -> Offer {
    let offer = offer(scene, now);
    Offer { word: left.map_or(offer.word.clone(), |left| format!("{} · {left}", offer.word)), ..offer }
}

fn tell(tray: &TrayIcon, items: &Items, said: &Offer) -> tauri::Result<()> {
    let label = format!("Porten: {}", said.word);
    #[cfg(target_os = "macos")]
    crate::macos::icon::label(tray, label.clone())?;
    tray.set_tooltip(Some(label))?;
    items.state.set_text(&said.word)?;
    let (step, deed) = &said.step;
    items.step.set_text(step)?;
    items.step.set_enabled(*deed != Deed::None)?;
    items.online.set_text(if said.online == Some(true) { "Go Offline" } else { "Go Online" })?;
    items.online.set_enabled(said.online.is_some())?;
    items.pause.set_enabled(said.pause)?;
    items.resume.set_enabled(said.resume)?;
    let browser = said.sign_in == Signing::Browser;
    items.sign_in.set_text(if browser { "Sign In in the Browser Instead" } else { "Sign In…" })?;
    items.sign_in.set_enabled(said.sign_in != Signing::No)?;
    items.copy.set_enabled(said.copy)?;
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
