//! A flood of sign-ins or of guesses keeps nobody else out.

mod common;

use std::time::{Duration, Instant};

use common::{Browser, Hub, csrf, hub};
use futures_util::future::join_all;

const OWNER: &str = "192.0.2.7";
const STRANGER: &str = "198.51.100.9";

async fn begin(hub: &Hub, from: &str, node: &str) -> common::Answer {
    let form = [("client_id", "porten"), ("node", node), ("name", "Anna’s Mac")];
    Browser::at(hub, from).post("/oauth/device_authorization", &form).await
}

/// Fault E9: a flood of sign-ins that nobody answers does not close the door, not even at the flood's own address.
#[tokio::test]
async fn a_flood_of_sign_ins_does_not_close_the_door() {
    let hub = hub().await;
    let before = begin(&hub, STRANGER, "before").await.json();
    for n in 0..2500 {
        assert_eq!(begin(&hub, STRANGER, &format!("n{n}")).await.status, 200);
    }
    for from in [STRANGER, OWNER] {
        let honest = begin(&hub, from, "honest").await.json();
        let mut browser = Browser::at(&hub, from);
        browser.sign_in().await;
        assert_eq!(browser.approve(honest["user_code"].as_str().unwrap()).await.status, 200);
        assert_eq!(hub.poll(&honest).await.status, 200);
    }
    // One that the flood pushed out is back with its next poll.
    assert_eq!(hub.poll(&before).await.error(), "authorization_pending");
    assert_eq!(hub.decide(before["user_code"].as_str().unwrap(), "connect").await.status, 200);
    assert_eq!(hub.poll(&before).await.status, 200);
}

/// Fault E9: a stranger's wrong passphrases lock out the stranger, not the owner.
#[tokio::test]
async fn ten_mistakes_elsewhere_do_not_lock_the_owner_out() {
    let hub = hub().await;
    let mut stranger = Browser::at(&hub, STRANGER);
    for n in 0..10 {
        assert_eq!(stranger.sign_in_as("dev", &format!("wrong{n}")).await.status, 403);
    }
    assert_eq!(stranger.sign_in().await.status, 429, "right or wrong");
    assert_eq!(Browser::at(&hub, STRANGER).sign_in().await.status, 429, "another browser there is no other address");
    assert_eq!(Browser::at(&hub, OWNER).sign_in().await.status, 303);
}

/// Fault E9: guesses from many addresses lock out those addresses, and no owner anywhere.
#[tokio::test]
async fn guesses_from_many_addresses_do_not_lock_the_owner_out() {
    let hub = hub().await;
    for n in 0..40 {
        let guess = Browser::at(&hub, &format!("198.51.100.{n}")).sign_in_as("dev", "wrong").await;
        assert_eq!(guess.status, 403, "{n}");
    }
    assert_eq!(Browser::at(&hub, OWNER).sign_in().await.status, 303, "at an address that was never here before");
}

/// A flood of guesses waits for itself: it is told at once that many sign in, and others are let in meanwhile.
#[tokio::test]
async fn a_flood_of_guesses_does_not_keep_others_waiting() {
    let hub = hub().await;
    let page = Browser::at(&hub, STRANGER).get("/device").await;
    let (cookie, csrf) = (common::cookie(&page).unwrap(), csrf(&page));
    let guess = async |n: usize| {
        let account = format!("nobody{n}");
        let form = [("csrf", csrf.as_str()), ("account", &account), ("passphrase", "x")];
        hub.post_form_with("/device/sign-in", &form, Some(&cookie)).await.status.as_u16()
    };
    let flood = join_all((0..200).map(guess));
    let owner = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let started = Instant::now();
        (Browser::at(&hub, OWNER).sign_in().await.status.as_u16(), started.elapsed())
    };
    let (guesses, (owner, took)) = tokio::join!(flood, owner);
    assert!(owner == 303 && took < Duration::from_secs(8), "{owner} after {took:?}");
    let refused = guesses.iter().filter(|status| **status == 503).count();
    assert!(refused >= 150 && guesses.iter().all(|status| [403, 503].contains(status)), "{guesses:?}");
}
