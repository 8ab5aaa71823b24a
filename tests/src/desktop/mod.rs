//! A desktop around a test: a screen, a session bus, a keyring, a browser that only writes down what it was to open.
//!
//! A test gets it by running inside `inside::desktop`.

mod cluster;
mod notifications;
mod page;
mod picture;
mod tray;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub use cluster::{LOADED, OTHER, cluster, until_offered};
pub use notifications::{Notifications, Posted};
pub use page::Page;
pub use picture::{button, is_drawn, shape};
pub use tray::Tray;

use crate::agent::Agent;
use crate::wait::wait_until;

/// A window appears, a click has its effect, in this time.
pub const SOON: Duration = Duration::from_secs(60);

/// What of this session's environment a program needs to be on its screen and its bus.
const SESSION: [&str; 3] = ["DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS"];

/// What a program's environment must have to be on this desktop.
///
/// # Panics
/// The test does not run inside one.
#[must_use]
pub fn session() -> Vec<(String, String)> {
    let of_ours = SESSION.map(|name| (name.to_owned(), std::env::var(name).expect("the test runs inside a desktop")));
    // No settings of the desktop's, no second bus for accessibility.
    let quiet = [("GSETTINGS_BACKEND", "memory"), ("NO_AT_BRIDGE", "1")];
    of_ours.into_iter().chain(quiet.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

/// Puts the programs of this machine on the desktop, and a browser on their path that opens nothing.
///
/// # Panics
/// The test does not run inside a desktop.
pub fn move_in(agent: &mut Agent) -> Browser {
    for (name, value) in session() {
        agent.set(&name, &value);
    }
    let browser = Browser::new(agent.home().path());
    let path = format!("{}:/usr/bin:/bin", browser.folder.display());
    agent.set("PATH", &path);
    browser
}

/// The person's browser: it writes down what it was to open.
#[derive(Debug)]
pub struct Browser {
    folder: PathBuf,
    opened: PathBuf,
}

impl Browser {
    fn new(home: &Path) -> Self {
        let (folder, opened) = (home.join("bin"), home.join("opened"));
        std::fs::create_dir(&folder).expect("a folder for the browser");
        let script = format!("#!/bin/sh\necho \"$1\" >>'{}'\n", opened.display());
        let program = folder.join("xdg-open");
        std::fs::write(&program, script).expect("a browser");
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a program");
        Self { folder, opened }
    }

    /// What it was to open, in order.
    #[must_use]
    pub fn opened(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.opened).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

/// The window with these words in its title, once it is on the screen.
///
/// # Panics
/// It does not come.
pub async fn window(words: &str) -> String {
    wait_until(SOON, &format!("a window named {words}"), async || windows(words).pop()).await
}

/// The windows on the screen with these words in their titles.
#[must_use]
pub fn windows(words: &str) -> Vec<String> {
    let found = xdotool(&["search", "--onlyvisible", "--name", words]);
    found.lines().map(str::to_owned).collect()
}

/// Gives a window the keyboard.
pub fn focus(window: &str) {
    xdotool(&["windowfocus", "--sync", window]);
}

/// Types into the window that has the keyboard.
pub fn write(text: &str) {
    xdotool(&["type", "--delay", "20", text]);
}

/// Clicks there, so many pixels from the window's top left corner.
pub fn click(window: &str, (x, y): (usize, usize)) {
    xdotool(&["mousemove", "--window", window, &x.to_string(), &y.to_string(), "click", "1"]);
}

/// Presses a key there, like `Tab` or `Return`.
pub fn press(key: &str) {
    xdotool(&["key", key]);
}

fn xdotool(arguments: &[&str]) -> String {
    let output = Command::new("xdotool").args(arguments).output().expect("xdotool (package xdotool)");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
