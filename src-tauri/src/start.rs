//! Starts the app: one instance of it, its tray, its agent.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::process::ExitCode;

use porten_agent::setup::Setup;
use porten_core::config::HOME;
use porten_core::popover::Input;
use tauri::{App, Manager as _, RunEvent, WindowEvent};

use crate::state::Porten;
use crate::{bridge, hold, leave, popover, scene, sign_in_window, tray};

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Start; with the popover open, if somebody wants that.
    Start { open: bool },
    /// Say which version this is.
    Version,
    /// One sentence about what cannot be understood.
    Wrong(String),
}

/// Reads the command line.
pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Asked {
    let mut asked = Asked::Start { open: false };
    for argument in arguments {
        asked = match argument.as_str() {
            "--open" => Asked::Start { open: true },
            "--version" => return Asked::Version,
            // Finder adds one on old systems.
            other if other.starts_with("-psn_") => continue,
            other => {
                return Asked::Wrong(format!("porten-app does not know {other}; it takes --open and --version"));
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

fn print(to: &mut impl std::io::Write, line: &str) {
    // Nobody reads: nobody misses it.
    let _ = writeln!(to, "{line}");
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
    let mut context = tauri::generate_context!();
    if let Some(home) = std::env::var_os(HOME) {
        // Another home is another Porten: its own seat, its own instance.
        let mut hash = DefaultHasher::new();
        home.hash(&mut hash);
        let identifier = &mut context.config_mut().identifier;
        *identifier = format!("{identifier}.h{:016x}", hash.finish());
    }
    let built = tauri::Builder::default()
        .plugin(tauri_plugin_single_instance::init(|app, _, _| popover::on(app, Input::Open)))
        .plugin(tauri_plugin_clipboard_manager::init())
        .invoke_handler(tauri::generate_handler![
            bridge::watch,
            bridge::send,
            bridge::sign_in,
            bridge::cancel_sign_in,
            bridge::copy_endpoint,
            bridge::hide,
            bridge::fit,
            bridge::quit,
        ])
        .setup(move |app| Ok(set_up(app, open)?))
        .build(context);
    match built {
        Ok(app) => {
            app.run(|app, event| match event {
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
                RunEvent::WindowEvent { label, event: WindowEvent::CloseRequested { .. }, .. }
                    if label == sign_in_window::LABEL =>
                {
                    app.state::<Porten>().sign_in.cancel(app);
                }
                _ => {}
            });
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the app cannot start");
            print(&mut std::io::stderr(), "the app cannot start; the line above says why");
            ExitCode::FAILURE
        }
    }
}

fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

fn set_up(app: &mut App, open: bool) -> tauri::Result<()> {
    #[cfg(target_os = "macos")]
    crate::macos::set_up(app)?;
    let handle = app.handle();
    let (porten, hands) = Porten::new();
    let (leave, scenes) = (porten.leave.clone(), porten.scenes.clone());
    app.manage(porten);
    tray::set_up(handle, scenes)?;
    leave::on_signals(&leave);
    let quit = leave.quit.clone();
    tauri::async_runtime::spawn(scene::draw(hands.holds_seen, hands.sign_in_seen, hands.scenes, quit));
    tauri::async_runtime::spawn(bridge::show(handle.clone(), hands.shown_seen, hands.page_seen));
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
        assert_eq!(sentence, "porten-app does not know --opne; it takes --open and --version");
    }
}
