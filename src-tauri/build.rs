//! Makes the commands' permissions, and says in one sentence what is missing if the page was not built.

fn main() {
    if !std::path::Path::new("../ui/dist/index.html").exists() {
        println!("cargo::error=the popover's page is not built yet: run `make ui` first");
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
