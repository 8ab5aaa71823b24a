//! What a person began on the approval page ends with the account, the passphrase and the operator's word; and the page
//! says enough to judge who asks.

#![allow(clippy::unwrap_used, reason = "what tests share fails like a test")]

mod common;

use common::{Browser, Hub, csrf, hub, hub_with, node};
use porten_core::wire::{FromHub, Goodbye, GoodbyeReason};
use porten_hub::{Store, Timing, commands};
use serde_json::Value;

const HERE: &str = "192.0.2.7";

fn code(codes: &Value) -> &str {
    codes["user_code"].as_str().unwrap()
}

/// A Hub with a state file, and another process at the same file.
async fn hub_with_file(folder: &std::path::Path) -> (Hub, Store) {
    let path = folder.join("state.sqlite");
    (hub_with(Timing::dev(), Store::open(&path).unwrap()).await, Store::open(&path).unwrap())
}

async fn signed_in(hub: &Hub) -> Browser<'_> {
    let mut browser = Browser::at(hub, HERE);
    assert_eq!(browser.sign_in().await.status, 303);
    browser
}

#[tokio::test]
async fn a_removed_accounts_visit_opens_nothing_of_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, command) = hub_with_file(folder.path()).await;
    let mut browser = signed_in(&hub).await;
    let told = commands::remove_account(&command, "dev").await.unwrap();
    assert!(told.contains("1 API key") && told.contains("no node sign-in"), "{told}");
    commands::add_account(&command, "carol").await.unwrap();
    let codes = hub.begin("node-1").await;
    assert!(browser.get("/device").await.body.contains("Sign in"));
    assert_eq!(browser.approve(code(&codes)).await.status, 403);
    assert_eq!(hub.poll(&codes).await.error(), "authorization_pending");
}

#[tokio::test]
async fn a_new_passphrase_ends_the_visits_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, command) = hub_with_file(folder.path()).await;
    let mut browser = signed_in(&hub).await;
    let codes = hub.begin("node-1").await;
    let passphrase = commands::renew_passphrase(&command, "dev").await.unwrap();
    assert_eq!(browser.approve(code(&codes)).await.status, 403);
    assert_eq!(browser.sign_in_as("dev", passphrase.expose()).await.status, 303, "the new one is good");
    assert_eq!(browser.approve(code(&codes)).await.status, 200);
    assert_eq!(hub.poll(&codes).await.status, 200);
}

#[tokio::test]
async fn a_yes_that_nobody_collected_ends_with_the_passphrase() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, command) = hub_with_file(folder.path()).await;
    let codes = hub.begin("node-1").await;
    assert_eq!(signed_in(&hub).await.approve(code(&codes)).await.status, 200);
    commands::renew_passphrase(&command, "dev").await.unwrap();
    assert_eq!(hub.poll(&codes).await.error(), "expired_token");
    assert!(commands::list_nodes(&command).await.unwrap().is_empty());
}

#[tokio::test]
async fn who_ends_a_sign_in_ends_the_visits_of_its_account() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, command) = hub_with_file(folder.path()).await;
    commands::add_account(&command, "carol").await.unwrap();
    hub.sign_in("node-1").await;
    let mut browser = signed_in(&hub).await;
    let codes = hub.begin("node-2").await;
    let told = commands::revoke_node(&command, 1).await.unwrap();
    assert!(told.contains("Anna’s Mac") && told.contains("page as dev"), "{told}");
    assert_eq!(browser.approve(code(&codes)).await.status, 403);
}

#[tokio::test]
async fn a_second_sign_in_of_a_node_ends_the_first() {
    let hub = hub().await;
    let first = hub.sign_in("node-1").await;
    let access = |tokens: &Value| tokens["access_token"].as_str().unwrap().to_owned();
    let mut old = node::connect(&hub, "node-1", &access(&first), node::says("old")).await;
    let other = hub.sign_in("node-2").await;
    let mut beside = node::connect(&hub, "node-2", &access(&other), node::says("beside")).await;
    let second = hub.sign_in("node-1").await;
    let said = old.hear().await;
    assert!(matches!(said, FromHub::Goodbye(Goodbye { reason: GoodbyeReason::Replaced, .. })), "{said:?}");
    assert!(matches!(old.ended().await, porten_link::End::Closed { code: 4409, .. }));
    assert!(node::dial(&hub, &access(&first)).await.is_err());
    assert_eq!(hub.refresh(first["refresh_token"].as_str().unwrap()).await.error(), "invalid_grant");
    assert!(node::dial(&hub, &access(&second)).await.is_ok(), "and the second stands");
    assert_eq!(hub.refresh(second["refresh_token"].as_str().unwrap()).await.status, 200);
    assert_eq!(commands::list_nodes(&hub.store).await.unwrap().len(), 2);
    beside.advertise(&["tiny"], 8).await;
    assert!(beside.end.borrow().is_none(), "another node's stays");
}

#[tokio::test]
async fn an_account_with_64_machines_is_told_what_to_do() {
    let hub = hub().await;
    let mut browser = signed_in(&hub).await;
    for n in 0..64 {
        let codes = hub.begin(&format!("node-{n}")).await;
        assert_eq!(browser.approve(code(&codes)).await.status, 200, "{n}");
        assert_eq!(hub.poll(&codes).await.status, 200, "{n}");
    }
    let codes = hub.begin("one-more").await;
    let full = browser.approve(code(&codes)).await;
    assert!(full.status == 409 && full.body.contains("porten logout"), "{}", full.body);
    commands::revoke_node(&hub.store, 5).await.unwrap();
    let mut browser = signed_in(&hub).await;
    assert_eq!(browser.approve(code(&codes)).await.status, 200, "the code is still good");
    assert_eq!(hub.poll(&codes).await.status, 200);
    let codes = hub.begin("node-7").await;
    assert_eq!(browser.approve(code(&codes)).await.status, 200, "a machine that is in may sign in anew");
}

#[tokio::test]
async fn who_is_signed_in_already_types_the_code() {
    let hub = hub().await;
    let mut browser = signed_in(&hub).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let codes = hub.begin("node-1").await;
    let linked = browser.get(&format!("/device?user_code={}", code(&codes))).await;
    assert!(linked.status == 200 && linked.body.contains("machine’s own screen"), "{}", linked.body);
    assert!(!linked.body.contains(code(&codes)) && !linked.body.contains("value=\"connect\""), "{}", linked.body);
    let typed = [("csrf", csrf(&linked)), ("user_code", code(&codes).to_lowercase())];
    let typed = typed.each_ref().map(|(name, value)| (*name, value.as_str()));
    let question = browser.post("/device", &typed).await;
    assert!(question.body.contains(code(&codes)) && question.body.contains("value=\"connect\""), "{}", question.body);
    assert_eq!(hub.poll(&codes).await.error(), "authorization_pending", "typing decides nothing");
    // Whoever signs in after the machine asked followed its link themselves.
    let mut later = signed_in(&hub).await;
    let linked = later.get(&format!("/device?user_code={}", code(&codes))).await;
    assert!(linked.body.contains("value=\"connect\""), "{}", linked.body);
}

#[tokio::test]
async fn the_question_says_when_and_from_where_and_what_is_given() {
    let hub = hub().await;
    let mut machine = Browser::at(&hub, "2001:db8:1:2::9");
    let form = [("client_id", "porten"), ("node", "n"), ("name", "Anna\u{202e}’s\u{3164} Mac")];
    let codes = machine.post("/oauth/device_authorization", &form).await.json();
    let linked = format!("/device?user_code={}", code(&codes));
    for (from, here) in [(HERE, "not the address"), ("2001:db8:1:2:3::1", "the address that you are at too")] {
        let mut browser = Browser::at(&hub, from);
        browser.sign_in().await;
        let question = browser.get(&linked).await.body;
        assert!(question.contains("<b>Anna’s Mac</b>") && question.contains("just now"), "{question}");
        assert!(question.contains("UTC) from 2001:db8:1:2::/64") && question.contains(here), "{question}");
        assert!(question.contains("can read them"), "{question}");
    }
}

#[tokio::test]
async fn whatever_a_machine_is_called_it_gets_a_code() {
    let hub = hub().await;
    let long = "x".repeat(3000);
    let marks = format!("e{}", "\u{301}".repeat(60));
    let names = [
        ("\u{3164}", "unnamed"),
        ("", "unnamed"),
        ("a\u{34f}b", "ab"),
        ("Anna\u{180e}", "Anna"),
        ("<b>x", "-b-x"),
        (marks.as_str(), "e\u{301}\u{301}\u{301}\u{301}"),
        (long.as_str(), "xxx…"),
    ];
    for (name, shown) in names {
        let form = [("client_id", "porten"), ("node", "n"), ("name", name)];
        let codes = hub.post_form("/oauth/device_authorization", &form).await;
        assert_eq!(codes.status, 200, "{name:?}: {}", codes.body);
        let question = signed_in(&hub).await.get(&format!("/device?user_code={}", code(&codes.json()))).await.body;
        let shown = shown.trim_end_matches("x…");
        assert!(question.contains(&format!("<b>{shown}")), "{name:?}: {question}");
    }
}
