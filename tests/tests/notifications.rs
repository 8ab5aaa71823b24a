//! What a person is notified of while the popover is closed, at a real notification service.
#![cfg(target_os = "linux")]

use porten_tests::desktop::{Notifications, cluster, move_in, window, windows};
use porten_tests::house::is_ready;
use porten_tests::{Agent, desktop, inside};

/// The popover, by its title alone.
const POPOVER: &str = "^Porten$";

#[tokio::test]
async fn what_needs_a_person_is_told_once_a_click_opens_it_and_recovery_is_silent() {
    if !inside::desktop("what_needs_a_person_is_told_once_a_click_opens_it_and_recovery_is_silent") {
        return;
    }
    let notifications = Notifications::open().await;
    let (sim, hub, mut agent, _browser) = cluster().await;
    agent.run_app(&[]);
    let first = notifications.last_of(1).await;
    assert_eq!(first.app, "Porten");
    assert!(first.title.to_lowercase().contains("sign"), "{first:?}");
    assert!(!first.text.is_empty() && first.actions.contains(&"default".to_owned()), "{first:?}");
    assert_eq!(windows(POPOVER), Vec::<String>::new(), "nothing opens by itself");
    notifications.click(&first).await;
    window(POPOVER).await;

    agent.login(&hub).await;
    agent.status_until(desktop::SOON, "it serves", is_ready).await;
    drop(sim);
    let second = notifications.last_of(2).await;
    assert!(second.title.contains("engine"), "the engine is down; that all was well was not told: {second:?}");
}

#[tokio::test]
async fn what_comes_together_is_one_notification() {
    if !inside::desktop("what_comes_together_is_one_notification") {
        return;
    }
    let notifications = Notifications::open().await;
    let mut agent = Agent::bare();
    // Nobody is signed in, and nothing listens there.
    agent.set("PORTEN_HUB_URL", "ws://127.0.0.1:9").set("PORTEN_ENGINE_URL", "http://127.0.0.1:9");
    move_in(&mut agent);
    agent.run_app(&[]);
    let one = notifications.last_of(1).await;
    assert!(one.text.contains("Also: "), "{one:?}");
    let status = agent.status().await;
    let needs = status["notices"].as_array().expect("notices").iter().filter(|one| one["severity"] == "needs_you");
    assert_eq!(needs.count(), 2, "{status}");
    assert_eq!(notifications.posted().len(), 1);
}
