//! Makes the commands' permissions, and says in one sentence what is missing if the pages were not built.

/// The popover's page and the settings window's.
const PAGES: [&str; 2] = ["../ui/dist/index.html", "../ui/dist/settings.html"];

fn main() {
    if let Some(page) = PAGES.iter().find(|page| !std::path::Path::new(page).is_file()) {
        println!("cargo::error=the page {page} is not built yet: run `make ui` first");
        return;
    }
    println!("cargo::rerun-if-changed=../ui/dist");
    let commands = tauri_build::AppManifest::new().commands(&[
        "watch",
        "send",
        "sign_in",
        "cancel_sign_in",
        "copy_endpoint",
        "hide",
        "fit",
        "quit",
        "open_settings",
        "open_system_settings",
        "settings",
        "set_setting",
        "set_open_at_login",
        "test_engine",
    ]);
    if let Err(error) = tauri_build::try_build(tauri_build::Attributes::new().app_manifest(commands)) {
        println!("cargo::error={error:#}");
    }
}
