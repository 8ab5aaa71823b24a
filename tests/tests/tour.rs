//! What `make run` starts: the whole chain on this machine.

use std::collections::BTreeMap;
use std::time::Duration;

#[cfg(target_os = "linux")]
use porten_tests::process::{children, runs};
#[cfg(target_os = "linux")]
use porten_tests::wait_until;
use porten_tests::{Home, Process};

fn tour(home: &Home, arguments: &[&str], more: &[(&str, &str)]) -> Process {
    let mut environment: BTreeMap<String, String> = home.environment();
    // Its agent has a home of its own; the person's settings go on.
    environment.retain(|name, _| !name.starts_with("PORTEN_"));
    environment.extend(more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
    Process::start("porten-tour", arguments, &environment, home.path())
}

#[tokio::test]
async fn it_signs_in_streams_an_answer_says_the_status_and_ends_with_0() {
    let home = Home::new();
    let ended = tour(&home, &[], &[]).ended(Duration::from_secs(120)).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in [
        "its answers are simulated",
        "PORTEN_HOME=/",
        "Waiting: ",
        "Signed in as dev.",
        "deepseek-v4-flash is asked:",
        "Macs      studio-1",
        "1 answered",
    ] {
        assert!(ended.stdout.contains(part), "{part} is missing: {}", ended.stdout);
    }
    assert_eq!(ended.stdout.matches("is asked:").count(), 1, "{}", ended.stdout);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[tokio::test]
async fn it_serves_on_the_smallest_and_the_largest_macs() {
    for (macs, model) in [("1x8", "llama-3.2-1b-instruct"), ("2x24", "gpt-oss-20b"), ("6x512", "deepseek-v4-flash")] {
        let home = Home::new();
        let ended = tour(&home, &[], &[("MACS", macs)]).ended(Duration::from_secs(120)).await;
        assert_eq!(ended.code, Some(0), "{macs}: {ended:?}");
        assert!(ended.stdout.contains(&format!("{model} is asked:")), "{macs}: {}", ended.stdout);
    }
}

#[cfg(target_os = "linux")] // where processes can be looked up in /proc
#[tokio::test]
async fn a_wish_to_end_leaves_nothing_running() {
    let home = Home::new();
    let mut process = tour(&home, &["--stay"], &[]);
    wait_until(Duration::from_secs(60), "it says how a client asks", async || {
        assert!(process.is_running(), "{}{}", process.stdout(), process.stderr());
        process.stdout().contains("curl -N http://127.0.0.1:").then_some(())
    })
    .await;
    let mut parts = children(process.id());
    assert!(parts.len() >= 3, "Hub, cluster and agent: {parts:?}");
    process.signal("TERM");
    let ended = process.ended(Duration::from_secs(30)).await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    parts.retain(|id| runs(*id));
    assert_eq!(parts, [0; 0], "still running");
}

#[tokio::test]
async fn a_mistake_is_one_sentence() {
    let home = Home::new();
    let ended = tour(&home, &["--fast"], &[]).ended(Duration::from_secs(60)).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(2), "porten-tour takes no argument but --stay or --app\n"));
    let ended = tour(&home, &[], &[("MACS", "many")]).ended(Duration::from_secs(60)).await;
    assert_eq!(ended.code, Some(1));
    let sentence = "make run: porten-sim: --macs: \"many\" is no Mac";
    assert!(ended.stderr.starts_with(sentence) && ended.stderr.lines().count() == 1, "{}", ended.stderr);
}

#[cfg(target_os = "linux")] // where a tray and a screen can be made of software
#[tokio::test]
async fn on_a_screen_it_shows_the_app_signed_in_and_serving_until_somebody_quits_it() {
    use porten_tests::desktop::{Tray, session, window};
    use porten_tests::inside;

    if !inside::desktop("on_a_screen_it_shows_the_app_signed_in_and_serving_until_somebody_quits_it") {
        return;
    }
    let tray = Tray::open().await;
    let home = Home::new();
    let session = session();
    let session: Vec<(&str, &str)> = session.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let mut process = tour(&home, &["--app"], &session);
    wait_until(Duration::from_secs(90), "it says how a client asks", async || {
        assert!(process.is_running(), "{}{}", process.stdout(), process.stderr());
        process.stdout().contains("curl -N http://127.0.0.1:").then_some(())
    })
    .await;
    assert!(process.stdout().contains("The app is in the menu bar.") && process.stdout().contains("1 answered"));
    window("Porten").await;
    tray.says("Ready").await;
    tray.click("Quit Porten").await;
    let ended = process.ended(Duration::from_secs(60)).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
