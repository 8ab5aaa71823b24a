//! Starts the app: one instance of it, its tray, its agent.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;
use std::process::ExitCode;

use porten_agent::places::Places;
use porten_agent::setup::Setup;
use porten_core::config::HOME;
use porten_core::popover::Input;
use tauri::webview::PermissionResponse;
use tauri::{App, AppHandle, Manager as _, RunEvent, WindowEvent};

use crate::instance::{Instance, Started};
use crate::state::Porten;
use crate::{
    bridge, hold, instance, leave, login_item, notifications, popover, scene, settings, settings_window,
    sign_in_window, stage, tray,
};

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Start; with the popover open, if somebody wants that.
    Start { open: bool },
    /// Open at login from now on, or not; `None`: say how it is.
    OpenAtLogin(Option<bool>),
    /// Say which version this is.
    Version,
    /// Say what it takes.
    Help,
    /// One sentence about what cannot be understood.
    Wrong(String),
}

/// What `--help` says.
pub(crate) const HELP: &str = "\
The menu-bar app of Porten: this Mac's cluster, its Hub and its models. It hosts the agent, or shows the one that runs.

Usage: porten-app [OPTIONS]

Options:
      --open                           Open the popover at once; a second start always does
      --open-at-login on|off|status    Open at login from now on, or not, or say how it is; then end
  -V, --version                        Print version
  -h, --help                           Print help

The same in a terminal, without the app: porten --help. Settings: porten config.";

/// Reads the command line.
pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Asked {
    let mut asked = Asked::Start { open: false };
    while let Some(argument) = arguments.next() {
        asked = match argument.as_str() {
            "--open" => Asked::Start { open: true },
            "--open-at-login" => match arguments.next().as_deref() {
                Some("on") => Asked::OpenAtLogin(Some(true)),
                Some("off") => Asked::OpenAtLogin(Some(false)),
                Some("status") => Asked::OpenAtLogin(None),
                _ => return Asked::Wrong("--open-at-login takes on, off or status".to_owned()),
            },
            "--version" | "-V" => return Asked::Version,
            "--help" | "-h" => return Asked::Help,
            // Finder adds one on old systems.
            other if other.starts_with("-psn_") => continue,
            other => {
                return Asked::Wrong(format!(
                    "porten-app does not know {other}; it takes --open, --open-at-login on|off|status, --version and --help"
                ));
            }
        };
    }
    asked
}

/// Prints it, and ends well.
pub(crate) fn say(line: &str) -> ExitCode {
    print(&mut std::io::stdout(), line);
    ExitCode::SUCCESS
}

/// Complains, and ends as asked wrongly.
pub(crate) fn refuse(sentence: &str) -> ExitCode {
    print(&mut std::io::stderr(), sentence);
    ExitCode::from(2)
}

/// Says what went wrong, and ends so.
fn fail(sentence: &str) -> ExitCode {
    print(&mut std::io::stderr(), sentence);
    ExitCode::FAILURE
}

fn print(to: &mut impl std::io::Write, line: &str) {
    // Nobody reads: nobody misses it.
    let _ = writeln!(to, "{line}");
}

/// Asks for opening at login, takes it back, or says how it is; and ends.
pub(crate) fn open_at_login(wish: Option<bool>) -> ExitCode {
    if cfg!(target_os = "linux") && !has_display() {
        return refuse("there is no display here, and so no session for the app to open in; run this on the desktop");
    }
    #[cfg(target_os = "macos")]
    let way = match login_item::with(tauri::Builder::default()).build(context()) {
        Ok(app) => app,
        Err(error) => return fail(&format!("the entry for opening at login cannot be reached ({error})")),
    };
    // An app that is built here and never run has a thread that begins to listen to the keyboard, and falls over what ends
    // together with this process (seen once in some forty times).
    #[cfg(not(target_os = "macos"))]
    let way = ();
    if let Some(Err(why)) = wish.map(|on| login_item::set(&way, on)) {
        return fail(&why);
    }
    say(porten_core::login_item::words(&login_item::view(&way)))
}

/// What tells this home's app from the usual one; `None` for that. Another home is another Porten: its own seat, its own
/// instance, its own entry for opening at login.
pub(crate) fn mark() -> Option<String> {
    let mut hash = DefaultHasher::new();
    std::env::var_os(HOME)?.hash(&mut hash);
    Some(format!("h{:016x}", hash.finish()))
}

/// What the build put into this program: its pages, its rights, its names.
fn context() -> tauri::Context<tauri::Wry> {
    tauri::generate_context!()
}

/// Runs until somebody quits.
pub(crate) fn run(open: bool) -> ExitCode {
    if cfg!(target_os = "linux") && !has_display() {
        return refuse("there is no display here; `porten run` hosts the agent without one");
    }
    porten_agent::install_crypto();
    porten_log::start(
        Setup::read().map_or(porten_log::LevelFilter::INFO, |setup| porten_log::level(setup.config.log.value)),
    );
    let instance = match only_instance() {
        Ok(Started::First(instance)) => instance,
        Ok(Started::Second) => return ExitCode::SUCCESS,
        Err(why) => return fail(&why),
    };
    let mut context = context();
    if let Some(mark) = mark() {
        let identifier = &mut context.config_mut().identifier;
        *identifier = format!("{identifier}.{mark}");
    }
    let built = login_item::with(tauri::Builder::default())
        .plugin(tauri_plugin_clipboard_manager::init())
        .invoke_handler(tauri::generate_handler![
            bridge::watch,
            bridge::send,
            bridge::sign_in,
            bridge::cancel_sign_in,
            bridge::copy_endpoint,
            bridge::hide,
            bridge::open_settings,
            bridge::open_system_settings,
            settings::settings,
            settings::set_setting,
            settings::set_open_at_login,
            settings::test_engine,
            bridge::fit,
            bridge::quit,
        ])
        // No page of ours needs the camera, the microphone or the place, and the Hub's page must not have them.
        .on_permission_request(|webview, kind| {
            tracing::warn!(window = webview.label(), ?kind, "a page asked for a permission and was denied it");
            PermissionResponse::Deny
        })
        .setup(move |app| Ok(set_up(app, open, instance)?))
        .build(context);
    match built {
        Ok(app) => {
            app.run(on);
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the app cannot start");
            fail("the app cannot start; the line above says why")
        }
    }
}

/// Whether this is the home's one app; settings that do not read are no obstacle.
fn only_instance() -> Result<Started, String> {
    let home = std::env::var_os(HOME).filter(|home| !home.is_empty());
    let places = Places::find(home.as_deref().map(Path::new)).map_err(|error| error.to_string())?;
    places.prepare().map_err(|error| error.to_string())?;
    instance::start(&places).map_err(|error| error.to_string())
}

/// Something happened to the app or to one of its windows.
fn on(app: &AppHandle, event: RunEvent) {
    match event {
        // The system ends the app, or the agent has ended and the app follows.
        RunEvent::Exit => tauri::async_runtime::block_on(app.state::<Porten>().leave.at_exit()),
        // The last window closed: the tray stays.
        RunEvent::ExitRequested { code: None, api, .. } => api.prevent_exit(),
        RunEvent::WindowEvent { label, event: WindowEvent::Focused(false), .. } if label == popover::LABEL => {
            popover::on(app, Input::Blur);
        }
        RunEvent::WindowEvent { label, event: WindowEvent::CloseRequested { api, .. }, .. }
            if label == popover::LABEL =>
        {
            api.prevent_close();
            popover::on(app, Input::Close);
        }
        RunEvent::WindowEvent { label, event: WindowEvent::CloseRequested { api, .. }, .. }
            if label == settings_window::LABEL =>
        {
            api.prevent_close();
            settings_window::hide(app);
        }
        RunEvent::WindowEvent { label, event: WindowEvent::CloseRequested { .. }, .. }
            if label == sign_in_window::LABEL =>
        {
            app.state::<Porten>().sign_in.cancel(app);
        }
        #[cfg(target_os = "linux")]
        RunEvent::WindowEvent { event: WindowEvent::Destroyed, .. } => crate::linux::network::follow(app),
        _ => {}
    }
}

fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn set_up(app: &mut App, open: bool, instance: Instance) -> tauri::Result<()> {
    #[cfg(target_os = "macos")]
    crate::macos::set_up(app)?;
    let handle = app.handle();
    let opener = handle.clone();
    instance.listen(move || popover::on(&opener, Input::Open))?;
    let (porten, hands) = Porten::new();
    let (leave, scenes) = (porten.leave.clone(), porten.scenes.clone());
    app.manage(porten);
    #[cfg(target_os = "macos")]
    tauri::async_runtime::spawn(crate::macos::nap::hold_off(scenes.clone()));
    tauri::async_runtime::spawn(notifications::follow(handle.clone(), scenes.clone()));
    tray::set_up(handle, scenes)?;
    leave::on_signals(&leave);
    let quit = leave.quit.clone();
    tauri::async_runtime::spawn(scene::draw(
        hands.holds_seen,
        hands.sign_in_seen,
        hands.hidden_seen,
        hands.scenes,
        quit,
    ));
    for seats in hands.seats {
        tauri::async_runtime::spawn(stage::play(handle.clone(), seats));
    }
    let app = handle.clone();
    tauri::async_runtime::spawn(async move {
        // If the agent's own code broke, the app ends rather than show nothing for ever.
        let kept = tauri::async_runtime::spawn(hold::keep(hands.holds, leave.clone())).await;
        leave.gone.cancel();
        app.exit(i32::from(kept.is_err()));
    });
    if open {
        popover::on(handle, Input::Open);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Asked {
        read(arguments.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn it_starts_quietly_or_open_and_says_what_it_does_not_know() {
        assert_eq!(asked(&[]), Asked::Start { open: false });
        assert_eq!(asked(&["--open"]), Asked::Start { open: true });
        assert_eq!(asked(&["-psn_0_989382", "--open"]), Asked::Start { open: true });
        assert_eq!(asked(&["--version"]), Asked::Version);
        let Asked::Wrong(sentence) = asked(&["--opne"]) else { panic!("it knows --opne") };
        assert_eq!(
            sentence,
            "porten-app does not know --opne; it takes --open, --open-at-login on|off|status, --version and --help"
        );
        assert_eq!((asked(&["--help"]), asked(&["-h"])), (Asked::Help, Asked::Help));
        for option in ["--open", "--open-at-login", "--version", "--help"] {
            assert!(HELP.contains(option), "{option}");
        }
        assert_eq!(asked(&["--open-at-login", "on"]), Asked::OpenAtLogin(Some(true)));
        assert_eq!(asked(&["--open-at-login", "off"]), Asked::OpenAtLogin(Some(false)));
        assert_eq!(asked(&["--open-at-login", "status"]), Asked::OpenAtLogin(None));
        assert!(matches!(asked(&["--open-at-login"]), Asked::Wrong(_)));
        assert!(matches!(asked(&["--open-at-login", "maybe"]), Asked::Wrong(_)));
    }
}
