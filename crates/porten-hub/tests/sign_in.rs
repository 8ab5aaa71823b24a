//! A node signs in, stays signed in, and is signed out, over real HTTP.

mod common;

use std::time::Duration;

use common::{cookie, csrf, hub, hub_with, node};
use porten_core::tunnel::{Failure, Refused};
use porten_hub::{Store, Timing, commands};

#[tokio::test]
async fn the_metadata_names_the_endpoints_and_the_tunnels_protocol() {
    let hub = hub().await;
    let metadata = hub.get("/.well-known/oauth-authorization-server").await.json();
    let url = hub.running.url();
    assert_eq!(metadata["issuer"], url);
    assert_eq!(metadata["device_authorization_endpoint"], format!("{url}/oauth/device_authorization"));
    assert_eq!(metadata["token_endpoint"], format!("{url}/oauth/token"));
    assert_eq!(metadata["revocation_endpoint"], format!("{url}/oauth/revoke"));
    assert_eq!(metadata["porten_protocols"][0], "porten.v1");
}

/// Fault E9: a code is good once, for ten minutes.
#[tokio::test]
async fn a_person_says_yes_and_the_node_gets_its_tokens_once() {
    let hub = hub().await;
    let codes = hub.begin("node-1").await;
    let user_code = codes["user_code"].as_str().unwrap();
    assert_eq!(codes["verification_uri_complete"], format!("{}/device?user_code={user_code}", hub.running.url()));
    assert_eq!((codes["interval"].as_u64(), codes["expires_in"].as_u64()), (Some(1), Some(600)));

    let pending = hub.poll(&codes).await;
    assert_eq!((pending.status.as_u16(), pending.error().as_str()), (400, "authorization_pending"));
    let hasty = hub.poll(&codes).await;
    assert_eq!((hasty.status.as_u16(), hasty.error().as_str()), (400, "slow_down"));

    let decided = hub.decide(user_code, "connect").await;
    assert!(decided.body.contains("Connected"), "{}", decided.body);
    let tokens = hub.poll(&codes).await;
    assert_eq!(tokens.status, 200);
    assert_eq!(tokens.headers["cache-control"], "no-store");
    assert_eq!(
        (tokens.json()["token_type"].as_str(), tokens.json()["expires_in"].as_u64()),
        (Some("Bearer"), Some(3600))
    );
    assert_eq!(hub.poll(&codes).await.error(), "invalid_grant", "a device code is good once");
    assert!(node::dial(&hub, tokens.json()["access_token"].as_str().unwrap()).await.is_ok());
}

#[tokio::test]
async fn a_person_says_no_and_the_node_hears_it() {
    let hub = hub().await;
    let codes = hub.begin("node-1").await;
    let user_code = codes["user_code"].as_str().unwrap();
    let decided = hub.decide(user_code, "refuse").await;
    assert!(decided.body.contains("Not connected"), "{}", decided.body);
    assert_eq!(hub.poll(&codes).await.error(), "access_denied");
    let (visit, csrf) = hub.visit(hub.begin("node-2").await["user_code"].as_str().unwrap()).await;
    let form = [("csrf", csrf.as_str()), ("user_code", user_code), ("answer", "connect")];
    let again = hub.post_form_with("/device", &form, Some(&visit)).await;
    assert_eq!(again.status, 404, "an answer stands");
}

/// Fault E9: a code runs out.
#[tokio::test]
async fn codes_run_out() {
    let timing = Timing { device_lifetime: Duration::ZERO, ..Timing::dev() };
    let hub = hub_with(timing, Store::in_memory().unwrap()).await;
    let codes = hub.begin("node-1").await;
    assert_eq!(hub.poll(&codes).await.error(), "expired_token");
}

/// Fault E9: a code in the address fills a field and decides nothing: a person says yes on a page that names the machine.
#[tokio::test]
async fn the_code_in_the_address_fills_a_field_and_decides_nothing() {
    let hub = hub().await;
    let codes = hub.begin("node-1").await;
    let user_code = codes["user_code"].as_str().unwrap();
    let (visit, _) = hub.visit(user_code).await;
    for path in [format!("/device?user_code={user_code}&answer=connect"), format!("/device?user_code={user_code}")] {
        assert_eq!(hub.get_with(&path, &visit).await.status, 200);
    }
    assert_eq!(hub.poll(&codes).await.error(), "authorization_pending");
}

/// Fault E9: a form from elsewhere changes nothing.
#[tokio::test]
async fn a_form_that_did_not_come_from_the_page_changes_nothing() {
    let hub = hub().await;
    let codes = hub.begin("node-1").await;
    let user_code = codes["user_code"].as_str().unwrap();
    let (visit, _) = hub.visit(user_code).await;
    let stranger = hub.get("/device").await;
    for token in ["", "0", csrf(&stranger).as_str()] {
        let form = [("csrf", token), ("user_code", user_code), ("answer", "connect")];
        assert_eq!(hub.post_form_with("/device", &form, Some(&visit)).await.status, 403, "{token:?}");
    }
    let right = [("account", "dev"), ("passphrase", hub.passphrase.as_str()), ("user_code", user_code)];
    let mut form = vec![("csrf", "0")];
    form.extend(right);
    assert_eq!(hub.post_form_with("/device/sign-in", &form, cookie(&stranger).as_deref()).await.status, 403);
    assert_eq!(hub.post_form("/device/sign-in", &form).await.status, 403, "no cookie at all");
    assert_eq!(hub.poll(&codes).await.error(), "authorization_pending");
}

/// Fault E9: codes and passphrases cannot be tried out: ten wrong ones close the door.
#[tokio::test]
async fn a_wrong_passphrase_opens_nothing_and_ten_close_the_door() {
    let hub = hub().await;
    let page = hub.get("/device").await;
    let (cookie, csrf) = (cookie(&page).unwrap(), csrf(&page));
    let form = |passphrase: String| [("csrf", csrf.clone()), ("account", "dev".into()), ("passphrase", passphrase)];
    let attempt = async |passphrase: &str| {
        let form = form(passphrase.to_owned());
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        hub.post_form_with("/device/sign-in", &form, Some(&cookie)).await
    };
    for _ in 0..10 {
        let wrong = attempt("guess").await;
        assert_eq!(wrong.status, 403);
        assert!(!wrong.headers.contains_key("set-cookie"));
    }
    assert_eq!(attempt(hub.passphrase.as_str()).await.status, 429);
}

/// Fault E9: ten wrong codes close the door.
#[tokio::test]
async fn ten_wrong_codes_are_enough() {
    let hub = hub().await;
    let codes = hub.begin("node-1").await;
    let user_code = codes["user_code"].as_str().unwrap();
    let (visit, _) = hub.visit(user_code).await;
    for _ in 0..10 {
        assert_eq!(hub.get_with("/device?user_code=BBBB-BBBB", &visit).await.status, 404);
    }
    assert_eq!(hub.get_with(&format!("/device?user_code={user_code}"), &visit).await.status, 429);
}

/// Fault E6: the old pair works once more after a crash; used again the whole grant ends.
#[tokio::test]
async fn a_refreshed_pair_replaces_the_old_one_and_a_crash_between_is_forgiven_once() {
    let hub = hub().await;
    let first = hub.sign_in("node-1").await;
    let old = first["refresh_token"].as_str().unwrap();
    let lost = hub.refresh(old).await;
    assert_eq!(lost.status, 200);
    // The agent crashed before it kept the answer, and comes back with what it has.
    let kept = hub.refresh(old).await;
    assert_eq!(kept.status, 200, "{}", kept.body);
    let lost_access = node::dial(&hub, lost.json()["access_token"].as_str().unwrap()).await;
    assert!(matches!(lost_access, Err(Failure::Refused(Refused::SignIn))), "the lost pair is worth nothing");
    assert!(node::dial(&hub, kept.json()["access_token"].as_str().unwrap()).await.is_ok());
    // The new pair was seen: the old token in somebody's hand now means that it was stolen.
    assert_eq!(hub.refresh(old).await.error(), "invalid_grant");
    assert_eq!(hub.refresh(kept.json()["refresh_token"].as_str().unwrap()).await.error(), "invalid_grant");
    let after = node::dial(&hub, kept.json()["access_token"].as_str().unwrap()).await;
    assert!(matches!(after, Err(Failure::Refused(Refused::SignIn))), "the whole family ended");
}

#[tokio::test]
async fn a_sign_in_survives_a_restart_of_the_hub() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let hub = hub_with(Timing::dev(), Store::open(&path).unwrap()).await;
    let refresh = hub.sign_in("node-1").await["refresh_token"].as_str().unwrap().to_owned();
    hub.running.stop().await;
    let hub = hub_with(Timing::dev(), Store::open(&path).unwrap()).await;
    assert_eq!(hub.refresh(&refresh).await.status, 200);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(refresh.len()).any(|part| part == refresh.as_bytes()), "only digests are stored");
    }
}

/// A sign-in that waits ends with the Hub's process, and its agent hears at once that it has to begin anew.
#[tokio::test]
async fn a_restart_of_the_hub_ends_the_sign_ins_that_wait() {
    let store = Store::in_memory().unwrap();
    let hub = hub_with(Timing::dev(), store.clone()).await;
    let codes = hub.begin("node-1").await;
    hub.running.stop().await;
    let hub = hub_with(Timing::dev(), store).await;
    let answer = hub.poll(&codes).await;
    assert!(answer.error() == "expired_token" && answer.body.contains("restarted"), "{}", answer.body);
}

#[tokio::test]
async fn an_access_token_that_ran_out_opens_no_tunnel() {
    let timing = Timing { access_lifetime: Duration::ZERO, ..Timing::dev() };
    let hub = hub_with(timing, Store::in_memory().unwrap()).await;
    let tokens = hub.sign_in("node-1").await;
    let refused = node::dial(&hub, tokens["access_token"].as_str().unwrap()).await;
    assert!(matches!(refused, Err(Failure::Refused(Refused::SignIn))));
}

/// Fault E5: the Hub says goodbye and closes the tunnel with 4401.
#[tokio::test]
async fn revoking_any_token_ends_the_grant_and_the_tunnel() {
    for which in ["access_token", "refresh_token"] {
        let hub = hub().await;
        let tokens = hub.sign_in("node-1").await;
        let access = tokens["access_token"].as_str().unwrap();
        let mut node = node::connect(&hub, "node-1", access, node::says("a")).await;
        let form = [("client_id", "porten"), ("token", tokens[which].as_str().unwrap())];
        assert_eq!(hub.post_form("/oauth/revoke", &form).await.status, 200);
        assert_eq!(hub.post_form("/oauth/revoke", &form).await.status, 200, "twice is as good as once");
        let said = node.hear().await;
        assert!(format!("{said:?}").contains("Revoked"), "{said:?}");
        assert!(matches!(node.ended().await, porten_link::End::Closed { code: 4401, .. }));
        assert_eq!(hub.refresh(tokens["refresh_token"].as_str().unwrap()).await.error(), "invalid_grant");
    }
}

#[tokio::test]
async fn a_node_that_is_signed_out_by_command_is_disconnected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.sqlite");
    let hub = hub_with(Timing::dev(), Store::open(&path).unwrap()).await;
    let tokens = hub.sign_in("node-1").await;
    let mut node = node::connect(&hub, "node-1", tokens["access_token"].as_str().unwrap(), node::says("a")).await;
    // The command is another process: here another connection to the file.
    let command = Store::open(&path).unwrap();
    let listed = commands::list_nodes(&command).await.unwrap();
    assert!(listed[0].contains("node-1") && listed[0].contains("Anna’s Mac"), "{listed:?}");
    commands::revoke_node(&command, 1).await.unwrap();
    assert!(matches!(node.ended().await, porten_link::End::Closed { code: 4401, .. }));
}

#[tokio::test]
async fn what_is_no_sign_in_is_refused_in_oauths_words() {
    let hub = hub().await;
    let device = "/oauth/device_authorization";
    let good = [("client_id", "porten"), ("node", "n"), ("name", "n")];
    assert_eq!(hub.post_form(device, &good[1..]).await.error(), "invalid_client");
    assert_eq!(hub.post_form(device, &good[..2]).await.error(), "invalid_request");
    assert_eq!(hub.post_form(device, &[good[0], good[0], good[1], good[2]]).await.error(), "invalid_request");
    let long = "x".repeat(10_000);
    assert_eq!(hub.post_form(device, &[good[0], ("node", &long), good[2]]).await.error(), "invalid_request");
    let grant = [("client_id", "porten"), ("grant_type", "password")];
    assert_eq!(hub.post_form("/oauth/token", &grant).await.error(), "unsupported_grant_type");
    assert_eq!(hub.refresh("porten_rt_0").await.error(), "invalid_grant");
    assert_eq!(hub.get("/oauth/token").await.status, 405);
}
