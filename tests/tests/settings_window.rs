//! The settings window as a person meets it, what its page may ask for, and what it changes outside of Porten.
#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, reason = "a test that cannot go on says so")]

use std::path::{Path, PathBuf};

use porten_tests::desktop::{Page, SOON, Tray, move_in, press, window, windows};
use porten_tests::{Agent, Process, desktop, inside, wait_until};
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
    let asked = async |agent: &Agent, wish: &str| {
        let ended = agent.start_app(&["--open-at-login", wish]).ended(SOON).await;
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{wish}");
        ended.stdout.trim().to_owned()
    };
    assert_eq!(asked(&agent, "status").await, "Porten does not open at login.");
    assert_eq!(entries(&agent), Vec::<PathBuf>::new(), "off until somebody asks");
    assert_eq!(asked(&agent, "on").await, "Porten opens at login.");
    assert_eq!(entries(&agent).len(), 1);
    assert_eq!(asked(&agent, "status").await, "Porten opens at login.");

    // Without a home of its own it is another Porten, which has an entry of its own.
    agent.unset("PORTEN_HOME");
    assert_eq!(asked(&agent, "status").await, "Porten does not open at login.");
    assert_eq!(asked(&agent, "on").await, "Porten opens at login.");
    let usual = agent.home().path().join(".config/autostart/Porten.desktop");
    let text = std::fs::read_to_string(&usual).expect("the entry");
    let program = porten_tests::process::app();
    assert!(text.lines().any(|line| line.trim_end() == format!("Exec={}", program.display())), "{text}");
    assert_eq!(asked(&agent, "off").await, "Porten does not open at login.");
    assert!(!usual.exists());
    assert_eq!(entries(&agent).len(), 1, "the other's is left alone");

    let home = agent.home().porten();
    agent.set("PORTEN_HOME", &home.to_string_lossy());
    assert_eq!(asked(&agent, "off").await, "Porten does not open at login.");
    assert_eq!(entries(&agent), Vec::<PathBuf>::new());
    assert_eq!(asked(&agent, "off").await, "Porten does not open at login.", "once more is no failure");
}

/// What the desktop would start at login.
fn entries(agent: &Agent) -> Vec<PathBuf> {
    let files = std::fs::read_dir(agent.home().path().join(".config/autostart"));
    files.into_iter().flatten().flatten().map(|file| file.path()).collect()
}

#[tokio::test]
async fn what_opens_at_login_is_this_porten_with_its_home_though_its_folder_has_a_space() {
    if !inside::desktop("what_opens_at_login_is_this_porten_with_its_home_though_its_folder_has_a_space") {
        return;
    }
    let tray = Tray::open().await;
    let mut agent = Agent::bare();
    move_in(&mut agent);
    let folder = agent.home().path().join("100% \"my\" $Apps");
    std::fs::create_dir(&folder).expect("a folder");
    let program = folder.join("porten-app");
    std::fs::copy(porten_tests::process::app(), &program).expect("the app, elsewhere");
    let mut asked = Process::start_at(&program, &["--open-at-login", "on"], agent.environment(), &folder);
    let ended = asked.ended(SOON).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));

    // A desktop reads the entry and starts what it says, with nothing of this environment but the session's own.
    let [entry] = &entries(&agent)[..] else { panic!("one entry: {:?}", entries(&agent)) };
    let mut session = agent.environment().clone();
    session.retain(|name, _| !name.starts_with("PORTEN_"));
    let entry = entry.to_string_lossy().into_owned();
    let mut desktop = Process::start_at(Path::new("/usr/bin/gio"), &["launch", &entry], &session, &folder);
    let status = agent.status_until(SOON, "the app runs in its home", |status| status["host"]["kind"] == "app").await;
    let id = status["host"]["pid"].as_u64().and_then(|id| u32::try_from(id).ok()).expect("its id");
    assert_eq!(std::fs::read_link(format!("/proc/{id}/exe")).expect("a process"), program);
    tray.click("Quit Porten").await;
    wait_until(SOON, "it has ended", async || (!porten_tests::process::runs(id)).then_some(())).await;
    assert_eq!(desktop.ended(SOON).await.code, Some(0));
}

#[tokio::test]
async fn the_page_changes_the_settings_file_and_the_entry_for_login() {
    if !inside::desktop("the_page_changes_the_settings_file_and_the_entry_for_login") {
        return;
    }
    let mut agent = Agent::bare();
    move_in(&mut agent);
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
    assert_eq!(entries(&agent).len(), 1);
    assert_eq!(login(false).await["login"], json!({ "state": "off" }));
    assert_eq!(entries(&agent), Vec::<PathBuf>::new());
}
