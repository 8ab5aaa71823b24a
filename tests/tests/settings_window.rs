//! The settings window as a person meets it, what its page may ask for, and what it changes outside of Porten.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, reason = "a test that cannot go on says so")]

use porten_tests::desktop::{Page, SOON, Tray, move_in, press, window, windows};
use porten_tests::{Agent, desktop, inside, wait_until};
use serde_json::{Value, json};

const TITLE: &str = "Porten Settings";
/// Every command of the app, with arguments that would do.
const COMMANDS: [&str; 15] = [
    "watch",
    "send",
    "sign_in",
    "cancel_sign_in",
    "copy_endpoint",
    "hide",
    "fit",
    "quit",
    "open_settings",
    "settings",
    "set_setting",
    "test_engine",
    "set_open_at_login",
    "open_system_settings",
    "shell",
];
/// What only one of the two pages may ask for.
const POPOVERS: [&str; 5] = ["cancel_sign_in", "copy_endpoint", "fit", "quit", "open_settings"];
const SETTINGS: [&str; 5] = ["settings", "set_setting", "test_engine", "set_open_at_login", "open_system_settings"];
/// What none may, though it is part of what the app is built from.
const NOBODYS: [&str; 12] = [
    "plugin:autostart|enable",
    "plugin:autostart|disable",
    "plugin:autostart|is_enabled",
    "plugin:clipboard-manager|read_text",
    "plugin:event|emit",
    "plugin:event|listen",
    "plugin:menu|new",
    "plugin:tray|new",
    "plugin:webview|create_webview_window",
    "plugin:window|create",
    "plugin:window|close",
    "plugin:path|resolve_directory",
];

async fn until_gone(title: &str) {
    wait_until(SOON, &format!("no window named {title}"), async || windows(title).is_empty().then_some(())).await;
}

#[tokio::test]
async fn the_menu_and_the_popover_open_the_settings_once_and_escape_hides_them() {
    if !inside::desktop("the_menu_and_the_popover_open_the_settings_once_and_escape_hides_them") {
        return;
    }
    let tray = Tray::open().await;
    let mut agent = Agent::bare();
    move_in(&mut agent);
    let page = Page::open(&agent).await;
    window("^Porten$").await;
    opened(&page).await;
    let shown = window(TITLE).await;
    until_gone("^Porten$").await;
    tray.click("Settings…").await;
    assert_eq!(windows(TITLE), std::slice::from_ref(&shown), "there is one");
    desktop::focus(&shown);
    press("Escape");
    until_gone(TITLE).await;
    tray.click("Settings…").await;
    assert_eq!(window(TITLE).await, shown, "it was hidden, not ended");
    page.ask("hide", &Value::Null).await.expect("the page may close its window");
    until_gone(TITLE).await;
}

/// Fault E10: the popover's page reaches nothing that is the settings window's, and the other way round.
#[tokio::test]
async fn no_page_reaches_a_command_that_it_has_no_right_to() {
    if !inside::desktop("no_page_reaches_a_command_that_it_has_no_right_to") {
        return;
    }
    let tray = Tray::open().await;
    let mut agent = Agent::bare();
    move_in(&mut agent);
    let page = Page::open(&agent).await;
    page.says("Porten").await;
    refused(&page, &[&SETTINGS[..], &NOBODYS[..], &["shell"]].concat()).await;
    tray.click("Settings…").await;
    window(TITLE).await;
    page.turn_to("settings.html").await;
    refused(&page, &[&POPOVERS[..], &NOBODYS[..], &["shell"]].concat()).await;
    let known: Vec<&str> = [&POPOVERS[..], &SETTINGS[..], &["watch", "send", "sign_in", "hide", "shell"]].concat();
    assert!(COMMANDS.iter().all(|command| known.contains(command)), "each command is tried by one of the two");
}

async fn refused(page: &Page, commands: &[&str]) {
    let arguments = json!({
        "command": { "command": "nudge" }, "browser": true, "height": 1, "key": "log.level", "value": "debug",
        "url": "http://localhost:1", "on": true, "pane": "login", "text": "x", "event": "x", "payload": 1, "label": "x",
    });
    for command in commands {
        let error = page.ask(command, &arguments).await.err().unwrap_or_default();
        assert!(error.contains("not allowed") || error.contains("not found"), "{command}: {error}");
    }
}

/// Opens it and turns to its page.
async fn opened(page: &Page) {
    let asked = page.ask("open_settings", &Value::Null).await;
    assert!(asked.is_ok(), "the popover may open the settings: {asked:?}");
    window(TITLE).await;
    page.turn_to("settings.html").await;
}

#[tokio::test]
async fn the_command_line_writes_the_entry_for_login_and_takes_it_away() {
    if !inside::desktop("the_command_line_writes_the_entry_for_login_and_takes_it_away") {
        return;
    }
    let mut agent = Agent::bare();
    move_in(&mut agent);
    let entry = agent.home().path().join(".config/autostart/Porten.desktop");
    let asked = async |wish: &str| {
        let ended = agent.start_app(&["--open-at-login", wish]).ended(SOON).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{wish}");
        ended.stdout.trim().to_owned()
    };
    assert_eq!(asked("status").await, "Porten does not open at login.");
    assert!(!entry.exists(), "off until somebody asks");
    assert_eq!(asked("on").await, "Porten opens at login.");
    let text = std::fs::read_to_string(&entry).expect("the entry");
    let program = porten_tests::process::app();
    assert!(text.lines().any(|line| line.trim_end() == format!("Exec={}", program.display())), "{text}");
    assert_eq!(asked("status").await, "Porten opens at login.");
    assert_eq!(asked("off").await, "Porten does not open at login.");
    assert!(!entry.exists());
    assert_eq!(asked("off").await, "Porten does not open at login.", "once more is no failure");
}

#[tokio::test]
async fn the_page_changes_the_settings_file_and_the_entry_for_login() {
    if !inside::desktop("the_page_changes_the_settings_file_and_the_entry_for_login") {
        return;
    }
    let mut agent = Agent::bare();
    move_in(&mut agent);
    let entry = agent.home().path().join(".config/autostart/Porten.desktop");
    let file = agent.home().porten().join("config.toml");
    let page = Page::open(&agent).await;
    agent.status_until(SOON, "the agent runs", |status| status["host"]["kind"] == "app").await;
    opened(&page).await;
    let shown = page.ask("settings", &Value::Null).await.expect("the settings");
    assert_eq!(shown["login"], json!({ "state": "off" }), "off until somebody asks");
    assert_eq!(shown["file"], json!(file));
    assert!(shown["kept"].as_array().is_some_and(|kept| !kept.is_empty()), "{shown}");
    let value = |view: &Value, key: &str| {
        let settings = view["settings"].as_array().expect("settings").iter();
        settings.clone().find(|setting| setting["key"] == key).map(|setting| setting["value"].clone())
    };
    assert_eq!(value(&shown, "power.keep_awake"), Some(json!("false")));

    let set = async |key: &str, value: Value| page.ask("set_setting", &json!({ "key": key, "value": value })).await;
    let changed = set("power.keep_awake", json!("true")).await.expect("it is changed");
    assert_eq!(value(&changed, "power.keep_awake"), Some(json!("true")));
    let written = std::fs::read_to_string(&file).expect("the file");
    assert!(written.contains("keep_awake = true"), "{written}");
    let why = set("power.keep_awake", json!("perhaps")).await.expect_err("it cannot be used");
    assert!(why.contains("true or false") && why.ends_with('.'), "{why}");
    let why = set("log.level", json!("debug")).await.expect_err("the environment says it");
    assert!(why.contains("PORTEN_LOG"), "{why}");
    assert_eq!(std::fs::read_to_string(&file).expect("the file"), written, "what was refused changed nothing");
    let back = set("power.keep_awake", Value::Null).await.expect("it is taken back");
    assert_eq!(value(&back, "power.keep_awake"), Some(json!("false")));

    let engine = page.ask("test_engine", &json!({ "url": "http://127.0.0.1:9" })).await.expect("it was looked");
    assert_eq!(engine["answers"], json!(false));
    assert!(engine["text"].as_str().is_some_and(|text| text.ends_with('.')), "{engine}");

    let login = async |on: bool| page.ask("set_open_at_login", &json!({ "on": on })).await.expect("it is done");
    assert_eq!(login(true).await["login"], json!({ "state": "on" }));
    assert!(entry.is_file());
    assert_eq!(login(false).await["login"], json!({ "state": "off" }));
    assert!(!entry.exists());
}
