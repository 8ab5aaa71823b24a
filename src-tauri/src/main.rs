//! `porten-app`: the menu-bar host. A tray icon, a popover, a settings and a sign-in window around the agent; it takes no decision.

mod bridge;
mod browser;
mod hold;
mod instance;
mod leave;
#[cfg(target_os = "linux")]
mod linux;
mod login_item;
#[cfg(target_os = "macos")]
mod macos;
mod notifications;
mod popover;
mod scene;
mod settings;
mod settings_window;
mod sign_in;
mod sign_in_window;
mod stage;
mod start;
mod state;
mod tray;

use std::process::ExitCode;

use start::Asked;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    linux::set_up();
    match start::read(std::env::args().skip(1)) {
        Asked::Start { open } => start::run(open),
        Asked::OpenAtLogin(wish) => start::open_at_login(wish),
        Asked::Version => start::say(concat!("porten-app ", env!("CARGO_PKG_VERSION"))),
        Asked::Help => start::say(start::HELP),
        Asked::Wrong(sentence) => start::refuse(&sentence),
    }
}
