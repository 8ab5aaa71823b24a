//! Has pages drawn without the graphics card. Our pages are small and still; a graphics driver, opened in the app and in each
//! web process, would hold more memory than all of Porten (docs/performance.md) and a hundred milliseconds of the first click.

use std::process::Command;

/// What keeps GTK and WebKit from it. None of it is in a library's interface: both read it from the environment.
const PLAINLY: [(&str, &str); 3] = [
    // GTK opens the driver at its start to choose a visual, which none of our windows needs.
    ("GDK_GL", "disable"),
    // WebKit's web process draws in memory that it shares with the app.
    ("WEBKIT_DISABLE_DMABUF_RENDERER", "1"),
    // WebKit opens the driver in the app to tell the web process the card's name; a name that is there spares that.
    ("WEBKIT_WEB_RENDER_DEVICE_FILE", "/dev/null"),
];

/// Asks for it. To be called before there is a second thread; what a person has set already holds.
pub(crate) fn plainly() {
    for (name, value) in PLAINLY {
        // Without it pages look the same.
        let _ = glib::setenv(name, value, false);
    }
}

/// Keeps it from a program that the app starts: a browser has reasons to use the card.
pub(crate) fn not_for(program: &mut Command) {
    for (name, value) in PLAINLY {
        if std::env::var_os(name).is_some_and(|is| is == value) {
            program.env_remove(name);
        }
    }
}
