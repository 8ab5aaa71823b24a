//! What the settings window can read and change: the settings file, and whether the app opens at login.

use porten_agent::places::Places;
use porten_agent::settings::{change, kept, view};
use porten_agent::setup::{Setup, environment};
use porten_core::bridge::{EngineTest, SettingsView};
use porten_core::command::Command;
use porten_core::snapshot::sentence;
use tauri::AppHandle;

use crate::{bridge, login_item};

/// All that the window shows.
#[tauri::command]
pub(crate) async fn settings(app: AppHandle) -> Result<SettingsView, String> {
    read(app).await
}

/// Sets a setting in the file, or takes it out; then the agent reads the file again.
#[tauri::command]
pub(crate) async fn set_setting(key: String, value: Option<String>, app: AppHandle) -> Result<SettingsView, String> {
    waiting(move || {
        let (places, environment) = (Places::here().map_err(said)?, environment().map_err(said)?);
        change(&places, &environment, &key, value.as_deref()).map_err(said)
    })
    .await?;
    if let Some(live) = bridge::live(&app) {
        live.client.send(Command::Reload).await.map_err(|declined| declined.text)?;
    }
    read(app).await
}

/// Opens the app at login from now on, or not.
#[tauri::command]
pub(crate) async fn set_open_at_login(on: bool, app: AppHandle) -> Result<SettingsView, String> {
    let asked = app.clone();
    waiting(move || login_item::set(&asked, on)).await?;
    read(app).await
}

/// Looks for an engine at this address; without one, where Porten looks by itself.
#[tauri::command]
pub(crate) async fn test_engine(url: String) -> Result<EngineTest, String> {
    let setup = waiting(|| Setup::read().map_err(said)).await?;
    let named = Some(url.trim()).filter(|url| !url.is_empty());
    let (remote, kind) = (setup.config.engine_allow_remote.value, setup.config.engine);
    let mut found = porten_agent::engine::test(named, remote, kind).await;
    // The window shows no more.
    found.models.truncate(100);
    Ok(found)
}

/// Reads it all anew: a person may have changed the file, or System Settings.
async fn read(app: AppHandle) -> Result<SettingsView, String> {
    waiting(move || {
        let setup = Setup::read().map_err(said)?;
        Ok(SettingsView {
            settings: view(&setup),
            file: setup.places.config.display().to_string(),
            login: login_item::view(&app),
            kept: kept(&setup),
        })
    })
    .await
}

/// On a thread that may wait: for the disk, and for a keychain that may be asking a person.
async fn waiting<T: Send + 'static>(work: impl FnOnce() -> Result<T, String> + Send + 'static) -> Result<T, String> {
    let done = tauri::async_runtime::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err("The settings cannot be read just now; try again.".to_owned()))
}

fn said(error: impl std::error::Error) -> String {
    sentence(&error.to_string())
}
