//! The menu-bar app as a person meets it: on a screen, with a tray, a popover in WebKit, a keyring and a real Hub.
#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use porten_tests::desktop::{
    Browser, LOADED, OTHER, Page, SOON, Tray, cluster, move_in, until_offered, window, windows,
};
use porten_tests::engine::{Engine, Manner};
use porten_tests::hostile_hub::HostileHub;
use porten_tests::house::is_ready;
use porten_tests::process::{children, runs};
use porten_tests::{Agent, Hub, client, desktop, inside, wait_until};

async fn shows(tray: &Tray, face: &str) {
    let wanted = desktop::shape(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../icons/tray-{face}.png")));
    assert!(wanted.is_some(), "there is an icon {face}");
    wait_until(SOON, &format!("the icon is {face}"), async || {
        (desktop::shape(&tray.picture().await) == wanted).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_tray_says_the_state_takes_wishes_and_quits_leaving_nothing() {
    if !inside::desktop("the_tray_says_the_state_takes_wishes_and_quits_leaving_nothing") {
        return;
    }
    let tray = Tray::open().await;
    let (_sim, hub, mut agent, _browser) = cluster().await;
    agent.login(&hub).await;
    agent.run_app(&[]);
    tray.says("Ready").await;
    shows(&tray, "serving").await;
    assert_eq!(tray.title().await, "Porten", "a screen reader says whose icon it is");
    let spoken: Vec<String> = tray.menu().await.into_iter().map(|line| line.label).collect();
    let named: BTreeSet<&String> = spoken.iter().filter(|label| !label.is_empty()).collect();
    assert_eq!((named.len(), spoken.len() - named.len()), (12, 3), "each line has words of its own: {spoken:?}");
    let status = agent.status().await;
    assert_eq!(status["host"]["kind"], "app", "`porten status` sees the app's agent");
    assert!(windows("Porten").is_empty(), "nobody asked for the popover");

    tray.click("Go Offline").await;
    tray.says("Off").await;
    shows(&tray, "off").await;
    until_offered(&hub, "deepseek-v4-flash", false).await;
    tray.click("Go Online").await;
    tray.says("Ready").await;
    until_offered(&hub, "deepseek-v4-flash", true).await;

    tray.click("Open Porten").await;
    window("Porten").await;
    let mut parts = children(agent.process().id());
    assert!(!parts.is_empty(), "the popover's web processes run");
    tray.click("Quit Porten").await;
    let ended = agent.process().ended(SOON).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    wait_until(SOON, "its web processes end with it", async || {
        parts.retain(|id| runs(*id));
        parts.is_empty().then_some(())
    })
    .await;
    assert!(!agent.home().porten().join("run/agent.sock").exists(), "the socket is gone");
    until_offered(&hub, "deepseek-v4-flash", false).await;
}

#[tokio::test]
async fn the_popover_shows_the_cluster_and_its_switch_places_a_model_and_gives_it_back() {
    if !inside::desktop("the_popover_shows_the_cluster_and_its_switch_places_a_model_and_gives_it_back") {
        return;
    }
    let (sim, hub, agent, _browser) = cluster().await;
    agent.login(&hub).await;
    let page = Page::open(&agent).await;
    for words in ["Ready", "Online", "Answering", "288 GB", "of 384 GB", "studio-1", "this Mac", "RDMA"] {
        page.says(words).await;
    }
    let macs = page.run("return document.querySelectorAll('[aria-label=Macs] li').length").await;
    assert_eq!(macs, 3);
    let on = |id: &str| format!("return document.querySelector('[role=switch][aria-label=\"{id}\"]').ariaChecked");
    assert_eq!(page.run(&on("deepseek-v4-flash")).await, "true");
    until_offered(&hub, OTHER.0, false).await;

    let switch = format!("[role=switch][aria-label='{}']", OTHER.0);
    page.click(&switch).await;
    wait_until(Duration::from_secs(1), "the switch shows the wish, long before the model is there", async || {
        (page.run(&on(OTHER.0)).await == "true").then_some(())
    })
    .await;
    until_offered(&hub, OTHER.0, true).await;
    assert_eq!(sim.instances_of(OTHER.1).await.len(), 1);
    page.click(&switch).await;
    until_offered(&hub, OTHER.0, false).await;
    wait_until(SOON, "its memory is free again", async || sim.instances_of(OTHER.1).await.is_empty().then_some(()))
        .await;
    assert_eq!(sim.instances_of(LOADED).await.len(), 1, "what was there before is not touched");

    // The page's rights are the commands that its capability names, and not one of Tauri's own.
    for command in ["plugin:window|create", "plugin:clipboard-manager|read_text", "plugin:event|emit", "shell"] {
        let script = format!(
            "return window.__TAURI_INTERNALS__.invoke('{command}', {{}}).then(() => 'done', (error) => String(error))"
        );
        let answer = page.run(&script).await.as_str().unwrap_or_default().to_owned();
        assert!(answer.contains("not allowed") || answer.contains("not found"), "{command}: {answer}");
    }
}

/// Fault E12: after a sign-in its window has closed, the tokens are in the keyring alone, and no file holds what was typed.
#[tokio::test]
async fn a_person_signs_in_in_the_apps_own_window_and_the_tokens_are_in_the_keyring() {
    if !inside::desktop("a_person_signs_in_in_the_apps_own_window_and_the_tokens_are_in_the_keyring") {
        return;
    }
    let (_sim, hub, mut agent, browser) = cluster().await;
    agent.unset("PORTEN_KEYCHAIN");
    let page = Page::open(&agent).await;
    begin_sign_in(&page).await;
    let signing = window("code [A-Z]{4}-[A-Z]{4}").await;
    page.says("Finish in the sign-in window").await;
    // The page puts the cursor into its first field. The button that goes on is blue, on both pages.
    let first = desktop::button(&signing, None).await;
    desktop::focus(&signing);
    desktop::write(&hub.account);
    desktop::press("Tab");
    desktop::write(&hub.passphrase);
    desktop::press("Return");
    let connect = desktop::button(&signing, Some(first)).await;
    desktop::click(&signing, connect);
    let status = agent.status_until(SOON, "it is signed in and serves", is_ready).await;
    assert_eq!(status["account"]["kept_in"], "the system's keyring");
    page.says("Ready").await;
    assert_eq!(windows("code [A-Z]{4}-[A-Z]{4}"), Vec::<String>::new(), "the window closes by itself");
    assert_eq!(browser.opened(), Vec::<String>::new(), "no browser was needed");

    agent.assert_tokens_are_in_the_keyring_alone(&hub);
    assert!(agent.home().files_with(&hub.passphrase).is_empty(), "the window keeps nothing");
}

/// A machine whose person begins to sign in at this Hub.
async fn signing_in(hub: &HostileHub) -> (Agent, Browser, Page) {
    let mut agent = Agent::bare();
    agent.set("PORTEN_HUB_URL", &hub.ws_url()).set("PORTEN_ENGINE_URL", "http://localhost:9");
    let browser = move_in(&mut agent);
    let page = Page::open(&agent).await;
    begin_sign_in(&page).await;
    (agent, browser, page)
}

async fn begin_sign_in(page: &Page) {
    page.says("Sign in to serve").await;
    page.click(".invite .primary").await;
}

/// Everything that a page in the sign-in window might try without going away.
const TRIES: &str = r"
    const tauri = window.__TAURI_INTERNALS__;
    const ask = async (name, ask) => tell(name + ': ' + await ask().then(() => 'done', (e) => 'refused ' + e));
    for (const command of ['send', 'watch', 'sign_in', 'quit', 'hide', 'fit', 'copy_endpoint', 'cancel_sign_in',
        'plugin:event|emit', 'plugin:window|close', 'plugin:webview|create_webview_window', 'plugin:clipboard-manager|read_text']) {
        await ask(command, () => tauri
            ? tauri.invoke(command, { command: { command: 'sign_out' }, browser: true, height: 1 })
            : Promise.reject('no way to ask'));
    }
    await ask('ipc', () => fetch('ipc://localhost/quit', { method: 'POST', body: '{}' }).then((r) => r.ok ? 0 : Promise.reject(r.status)));
    await ask('tauri', () => fetch('tauri://localhost/index.html').then((r) => r.ok ? 0 : Promise.reject(r.status)));
    try { window.ipc.postMessage(JSON.stringify({ cmd: 'quit', callback: 1, error: 2, payload: {}, options: {} })); } catch { /* as well */ }
    await ask('place', () => new Promise((found, not) => navigator.geolocation.getCurrentPosition(found, (e) => not(e.code))));
    for (const device of ['audio', 'video']) {
        await ask(device, () => navigator.mediaDevices ? navigator.mediaDevices.getUserMedia({ [device]: true }) : Promise.reject('none'));
    }
    await tell('popup: ' + (window.open('/popup') === null ? 'refused' : 'done'));
    for (const address of ['tauri://localhost/index.html', 'ipc://localhost/quit', 'data:text/html,<p>x', 'about:blank',
        URL.createObjectURL(new Blob(['<p>x'], { type: 'text/html' })), 'file:///etc/passwd']) {
        try { location.href = address; } catch { /* as well */ }
        await rest(300);
        await tell('still here after ' + address.split(':')[0]);
        const frame = document.createElement('iframe');
        frame.src = address;
        document.body.append(frame);
        await rest(100);
    }
    await tell('all tried');
";

/// Fault E10: the page reaches no command, by any way it knows.
/// Fault E11: popups, downloads and the app's own schemes go nowhere; place, camera and microphone are denied.
#[tokio::test]
async fn the_sign_in_page_can_reach_no_command_no_popup_and_no_other_place() {
    if !inside::desktop("the_sign_in_page_can_reach_no_command_no_popup_and_no_other_place") {
        return;
    }
    let hub = HostileHub::start(TRIES).await;
    let (agent, browser, page) = signing_in(&hub).await;
    wait_until(SOON, "the page has tried all", async || {
        hub.told().iter().any(|line| line == "all tried").then_some(())
    })
    .await;
    let told = hub.told();
    let done: Vec<&String> =
        told.iter().filter(|line| line.contains(": done") || line.starts_with("asked for /")).collect();
    assert!(done.is_empty(), "{done:?}");
    assert_eq!(told.iter().filter(|line| line.contains(": refused")).count(), 18, "{told:?}");
    let denied = agent.home().files_with("a page asked for a permission and was denied it");
    assert!(!denied.is_empty(), "the app itself says no to the place, and not the system's default: {told:?}");
    assert_eq!(told.iter().filter(|line| line.starts_with("still here")).count(), 6, "{told:?}");
    assert_eq!(windows(".").len(), 2, "the popover and the sign-in window, and no other: {:?}", windows("."));
    assert_eq!(browser.opened(), Vec::<String>::new());
    page.says("Finish in the sign-in window").await;
}

/// Fault E11: another site ends the window and is continued in the browser.
#[tokio::test]
async fn a_page_that_goes_to_another_site_is_continued_in_the_browser() {
    if !inside::desktop("a_page_that_goes_to_another_site_is_continued_in_the_browser") {
        return;
    }
    let hub = HostileHub::start("location.href = elsewhere;").await;
    let (_agent, browser, page) = signing_in(&hub).await;
    page.says("Your Hub signs in at localhost: continue in your browser.").await;
    page.says("BCDF-GHJK").await;
    wait_until(SOON, "the browser has it", async || (browser.opened() == [hub.page()]).then_some(())).await;
    assert_eq!(windows("code"), Vec::<String>::new(), "the window is gone");
    assert_eq!(hub.told(), Vec::<String>::new(), "the other site was never asked");
    page.click(".acts .button").await;
    page.says("Sign in to serve").await;
}

#[tokio::test]
async fn a_sign_in_that_comes_to_nothing_says_why_and_can_be_begun_again() {
    if !inside::desktop("a_sign_in_that_comes_to_nothing_says_why_and_can_be_begun_again") {
        return;
    }
    for (error, words) in [
        ("access_denied", "The sign-in was refused on the Hub’s page; if that was a mistake, sign in again."),
        ("expired_token", "The code has run out before anybody answered; try again."),
    ] {
        let hub = HostileHub::answering("", error).await;
        let (_agent, browser, page) = signing_in(&hub).await;
        page.says("Not signed in").await;
        page.says(words).await;
        assert_eq!(windows("code"), Vec::<String>::new(), "its window has closed");
        assert_eq!(browser.opened(), Vec::<String>::new());
        page.click(".acts .button:not(.primary)").await;
        page.says("Sign in to serve").await;
    }
    let mut agent = Agent::bare();
    agent.set("PORTEN_HUB_URL", "ws://127.0.0.1:9").set("PORTEN_ENGINE_URL", "http://127.0.0.1:9");
    move_in(&mut agent);
    let page = Page::open(&agent).await;
    begin_sign_in(&page).await;
    page.says("Not signed in").await;
    let text = page.text().await;
    assert!(text.contains("127.0.0.1:9") || text.contains("does not answer"), "{text}");
}

#[tokio::test]
async fn quitting_says_how_long_it_waits_at_most_and_quit_now_does_not() {
    if !inside::desktop("quitting_says_how_long_it_waits_at_most_and_quit_now_does_not") {
        return;
    }
    let tray = Tray::open().await;
    let hub = Hub::start_dev().await;
    let endless = Manner { chunks: None, delay: Duration::from_millis(50), ..Manner::llama("tiny") };
    let engine = Engine::start(endless).await;
    let mut agent = Agent::new(&hub);
    agent.set_engine(&engine.url());
    move_in(&mut agent);
    agent.login(&hub).await;
    agent.run_app(&[]);
    until_offered(&hub, "tiny", true).await;
    for rest in ["For 1 Hour", "Until Tomorrow", "While I Use This Mac"] {
        assert!(tray.menu().await.iter().any(|line| line.label == rest && line.enabled), "{rest}");
    }
    let resume = tray.menu().await.into_iter().find(|line| line.label == "Resume");
    assert_eq!(resume.map(|line| line.enabled), Some(false), "nothing rests");
    let client = hub.client();
    let mut stream = client.stream("/v1/chat/completions", &client::streamed_chat("tiny", "Hi")).await;
    assert!(stream.read(2).await, "the answer has begun");
    tray.click("Quit Porten").await;
    tray.says("Finishing 1 request · at most 10 min").await;
    assert!(agent.process().is_running());
    tray.click("Quit Now").await;
    assert_eq!(agent.process().ended(SOON).await.code, Some(0));
    assert!(!stream.finish().await.done, "it was cut, and is not taken for whole");
}

/// Where the bar's way to the browser is in the sign-in window (pixels from its top left).
const INSTEAD: (usize, usize) = (90, 581);

#[tokio::test]
async fn the_sign_in_window_says_what_is_connected_and_its_way_to_the_browser_is_always_there() {
    if !inside::desktop("the_sign_in_window_says_what_is_connected_and_its_way_to_the_browser_is_always_there") {
        return;
    }
    let hub = HostileHub::start("await tell('shown');").await;
    let (_agent, browser, page) = signing_in(&hub).await;
    let signing = window("^Connecting .* code BCDF-GHJK$").await;
    wait_until(SOON, "the page is there", async || hub.told().contains(&"shown".to_owned()).then_some(())).await;
    wait_until(SOON, "a click on the bar goes to the browser", async || {
        if !windows("code").is_empty() {
            desktop::click(&signing, INSTEAD);
        }
        (browser.opened() == [hub.page()]).then_some(())
    })
    .await;
    page.says("Continue in your browser").await;
    page.says("BCDF-GHJK").await;
    assert_eq!(windows("code"), Vec::<String>::new(), "the window is gone");
}

#[tokio::test]
async fn a_second_start_opens_the_first_and_an_agent_that_serves_already_is_shown() {
    if !inside::desktop("a_second_start_opens_the_first_and_an_agent_that_serves_already_is_shown") {
        return;
    }
    let tray = Tray::open().await;
    let (_sim, hub, mut agent, _browser) = cluster().await;
    agent.login(&hub).await;
    agent.run();
    agent.status_until(SOON, "the agent in the terminal serves", is_ready).await;
    let mut app = agent.start_app(&[]);
    tray.says("Ready").await;
    assert_eq!(agent.status().await["host"]["kind"], "run", "the app is a front end of it");
    let ended = agent.start_app(&[]).ended(SOON).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    window("Porten").await;
    assert_eq!(tray.icons(), 1);

    // The one in the terminal ends: the app takes the seat.
    agent.stop().await;
    agent.status_until(SOON, "the app hosts the agent", |status| status["host"]["kind"] == "app").await;
    app.signal("TERM");
    assert_eq!(app.ended(SOON).await.code, Some(0));
}

#[tokio::test]
async fn without_a_display_and_with_words_it_does_not_know_it_says_so_in_one_sentence() {
    let agent = Agent::bare();
    let ended = agent.start_app(&[]).ended(SOON).await;
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(2), 1), "{}", ended.stderr);
    assert!(ended.stderr.contains("porten run"), "{}", ended.stderr);
    let ended = agent.start_app(&["--opne"]).ended(SOON).await;
    assert_eq!((ended.code, ended.stderr.lines().count()), (Some(2), 1), "{}", ended.stderr);
}
