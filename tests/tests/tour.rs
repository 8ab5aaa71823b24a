//! What `make run` starts, where there is no display: the whole job in the terminal.

use std::collections::BTreeMap;
use std::time::Duration;

use porten_tests::{Home, Process, wait_until};

fn tour(home: &Home, more: &[(&str, &str)]) -> Process {
    let mut environment: BTreeMap<String, String> = home.environment();
    // Its agent has a home of its own; the person's settings go on.
    environment.retain(|name, _| !name.starts_with("PORTEN_"));
    environment.extend(more.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())));
    Process::start("porten-tour", &["--headless"], &environment, home.path())
}

#[tokio::test]
async fn without_a_display_it_signs_in_streams_an_answer_says_the_status_and_ends_with_0() {
    let home = Home::new();
    let ended = tour(&home, &[]).ended(Duration::from_secs(120)).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in [
        "Signed in as dev.",
        "deepseek-v4-flash is asked:",
        "Macs      studio-1",
        "1 answered",
        "curl -N http://127.0.0.1:",
    ] {
        assert!(ended.stdout.contains(part), "{part} is missing: {}", ended.stdout);
    }
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[tokio::test]
async fn a_wish_to_end_leaves_nothing_running() {
    let home = Home::new();
    // Macs that cannot hold the model: it would wait for long.
    let mut process = tour(&home, &[("MACS", "1x512")]);
    wait_until(Duration::from_secs(60), "its parts run", async || process.stdout().contains("Signed in").then_some(()))
        .await;
    process.signal("TERM");
    let ended = process.ended(Duration::from_secs(30)).await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let url = ended.stdout.lines().find_map(|line| line.strip_prefix("Hub     ")).unwrap_or_default();
    let address = url.trim_start_matches("http://").split(' ').next().unwrap_or_default().to_owned();
    assert!(tokio::net::TcpStream::connect(&address).await.is_err(), "its Hub at {address} is gone");
}

#[tokio::test]
async fn a_mistake_is_one_sentence() {
    let home = Home::new();
    let ended = tour(&home, &[("MACS", "many")]).ended(Duration::from_secs(60)).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("make run: ") && !ended.stderr.contains("panicked"), "{}", ended.stderr);
}
