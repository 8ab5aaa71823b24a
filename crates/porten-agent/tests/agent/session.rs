//! The whole agent at the end of a scripted Hub's tunnel: how a link begins, what it carries, and every way it ends.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use porten_agent::agent::Agent;
use porten_core::route::Route;
use porten_core::snapshot::{LinkView, ModelState, Overall};
use porten_core::wire::{self, FromAgent, FromHub, Goodbye, GoodbyeReason, ModelTraffic, Standing, Traffic, close};
use porten_link::{Beat, End, Outgoing, http2};

use crate::support::agent::{Home, Link};
use crate::support::house::{advertised, engine, house, link, post, shows};
use crate::support::hub::{Hub, pair};
use crate::support::tunnel::{chat, read};
use crate::support::{ENGINE_ID, soon, until};

const TOKEN: &str = "POST /oauth/token";
/// Longer than the first wait of the backoff: who storms would have dialled several times.
const A_WHILE: Duration = Duration::from_millis(1300);

/// The link's state and words.
async fn refused(agent: &Agent) -> (String, String) {
    shows(agent, "a refusal", |picture| matches!(picture.hub.link, LinkView::Refused { .. })).await;
    match &agent.client().snapshot().hub.link {
        LinkView::Refused { why, remedy, .. } => (why.clone(), remedy.clone()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_link_begins_with_a_hello_and_carries_an_advert_of_what_was_proven_and_then_requests() {
    let (mut hub, _home, agent, engine) = house().await;
    let mut opened = hub.upgrade().await;
    let upgrade = hub.seen("GET /v1/node/tunnel").remove(0);
    assert_eq!(upgrade.header("authorization").as_deref(), Some("Bearer access-1"));
    assert_eq!(upgrade.header("sec-websocket-protocol").as_deref(), Some("porten.v1"));
    assert_eq!(upgrade.header("sec-websocket-extensions"), None);
    let hello = soon("a hello", opened.receive()).await.unwrap();
    let Ok(Some(FromAgent::Hello(hello))) = wire::read_from_agent(&hello) else { panic!("{hello}") };
    assert_eq!(hello.node, agent.client().snapshot().host.node);
    opened.send(crate::support::hub::welcome()).await.unwrap();
    let mut link = Link::of(opened).await;
    let advert = advertised(&mut link).await;
    assert!(advert.engine_up && advert.memory_mib > 0);
    assert_eq!((advert.models.len(), advert.models[0].id.as_str()), (1, "tiny"));
    assert_eq!(advert.models[0].routes, [Route::ChatCompletions], "this engine answers 404 on the other");
    let models = vec![ModelTraffic::new("tiny", Standing::Eligible)];
    link.say(&FromHub::Traffic(Traffic { models })).await;
    shows(&agent, "ready", |picture| picture.overall == Overall::Ready { models: 1, wanted: 1 }).await;
    assert_eq!(agent.client().snapshot().account.as_ref().and_then(|a| a.name.clone()).as_deref(), Some("jane"));
    let got = read(post(&link.call, &chat(true)).await.unwrap()).await;
    assert_eq!((got.status, got.end()), (200, "complete"));
    assert!(!format!("{got:?}").contains(ENGINE_ID));
    shows(&agent, "the count", |picture| picture.traffic.completed == 1).await;
    assert!(engine.seen().iter().all(|seen| !seen.head.contains("access-1")));
}

#[tokio::test]
async fn an_engine_that_goes_is_withdrawn_and_the_tunnel_stays() {
    let (mut hub, engine) = (Hub::start().await, engine().await);
    let home = Home::signed_in(&hub.url, &engine).await;
    let agent = home.start();
    let mut link = link(&mut hub).await;
    advertised(&mut link).await;
    drop(engine);
    agent.client().send(porten_core::command::Command::Nudge).await.unwrap();
    link.hear(|said| matches!(said, FromAgent::Advert(advert) if !advert.engine_up && advert.models.is_empty())).await;
    let row = agent.client().snapshot().models[0].state.clone();
    assert_eq!(row, ModelState::Withdrawn);
    assert!(matches!(agent.client().snapshot().hub.link, LinkView::Online { .. }), "the tunnel stays");
    let got = read(post(&link.call, &chat(true)).await.unwrap()).await;
    assert_eq!((got.status, got.refusal()), (404, Some("model_not_found")));
}

/// Fault B1: a control message that does not read closes the link with 1002, and the next dial waits.
#[tokio::test]
async fn a_control_message_that_does_not_read_closes_with_1002_and_is_dialled_again_after_a_wait() {
    for broken in ["{", "[]", r#"{"type":"catalog"}"#, r#"{"type":"goodbye","reason":3}"#] {
        let (mut hub, _home, agent, _engine) = house().await;
        let mut link = link(&mut hub).await;
        link.send(Outgoing::Text(broken.into())).await;
        let end = link.ended(Duration::from_secs(3)).await;
        assert!(matches!(end, End::Closed { code: close::PROTOCOL, .. }), "{broken}: {end:?}");
        let ended = Instant::now();
        drop(hub.welcome().await);
        assert!(ended.elapsed() > Duration::from_millis(300), "at once is a storm");
        drop(agent);
    }
}

/// Fault B1: a message of a type that is not known changes nothing, and requests go on.
#[tokio::test]
async fn a_newer_hubs_words_are_passed_over() {
    let (mut hub, _home, agent, _engine) = house().await;
    let mut link = link(&mut hub).await;
    advertised(&mut link).await;
    link.send(Outgoing::Text(r#"{"type":"confetti","n":1}"#.into())).await;
    let got = read(post(&link.call, &chat(true)).await.unwrap()).await;
    assert_eq!(got.status, 200);
    assert!(matches!(agent.client().snapshot().hub.link, LinkView::Online { .. }));
}

/// Fault B2: the agent closes with 1002 and dials again.
#[tokio::test]
async fn data_before_the_welcome_closes_with_1002_and_is_dialled_again() {
    let (mut hub, _home, _agent, _engine) = house().await;
    let mut opened = hub.upgrade().await;
    soon("a hello", opened.receive()).await.unwrap();
    let (bytes, mut control) = opened.into_link(Beat::default());
    let (_call, connection) = http2::call(bytes).await.unwrap();
    let driver = tokio::spawn(async move { drop(connection.await) });
    let end = soon("the end", control.end.wait_for(Option::is_some)).await.unwrap().clone();
    assert!(matches!(end, Some(End::Closed { code: close::PROTOCOL, .. })), "{end:?}");
    driver.await.unwrap();
    hub.welcome().await;
}

/// Fault B1: a Hub that does not stop talking is closed with 1008.
#[tokio::test]
async fn a_hub_that_never_stops_talking_is_closed_with_1008() {
    let (mut hub, _home, _agent, _engine) = house().await;
    let mut link = link(&mut hub).await;
    let outgoing = link.control.outgoing.clone();
    let flood = tokio::spawn(async move {
        while outgoing.send(Outgoing::Text(r#"{"type":"catalog","models":[]}"#.into())).await.is_ok() {
            // Slower than the agent's queue fills, which would be a flood in the link's own sense.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let end = link.ended(Duration::from_secs(10)).await;
    assert!(matches!(end, End::Closed { code: close::POLICY, .. }), "{end:?}");
    flood.abort();
}

/// Fault E5: the machine is signed out for good, and the credential is deleted.
#[tokio::test]
async fn a_grant_that_was_revoked_signs_out_for_good() {
    let (mut hub, home, agent, _engine) = house().await;
    let mut link = link(&mut hub).await;
    link.send(Outgoing::Close { code: close::REVOKED, reason: String::new() }).await;
    link.ended(Duration::from_secs(3)).await;
    shows(&agent, "signed out", |picture| {
        picture.hub.link == LinkView::SignedOut { why: Some("this Mac's access was revoked at the Hub".into()) }
    })
    .await;
    until("the credential is gone", || home.stored().is_empty()).await;
    assert_eq!(agent.client().snapshot().overall, Overall::NeedsYou);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(hub.upgrades_seen(), 1);
}

/// Fault A12: a node that was replaced stops, says so, and does not come back by itself.
#[tokio::test]
async fn a_node_that_was_replaced_stays_away_and_says_why() {
    let (mut hub, home, agent, _engine) = house().await;
    let link = link(&mut hub).await;
    let goodbye = Goodbye::new(GoodbyeReason::Replaced, "Elsewhere.");
    link.say(&FromHub::Goodbye(goodbye)).await;
    link.send(Outgoing::Close { code: close::REPLACED, reason: String::new() }).await;
    let (why, remedy) = refused(&agent).await;
    assert_eq!(why, "this node connected to the Hub from somewhere else");
    assert!(remedy.contains("sign in here again"), "{remedy}");
    tokio::time::sleep(A_WHILE).await;
    assert_eq!((hub.upgrades_seen(), home.stored().len()), (1, 1), "the sign-in is good");
}

/// Fault A2: a Hub with few nodes that restarts has them back within two seconds.
#[tokio::test]
async fn a_hub_that_restarts_is_found_again_within_two_seconds() {
    let (mut hub, _home, agent, _engine) = house().await;
    let first = link(&mut hub).await;
    first.send(Outgoing::Close { code: close::RESTART, reason: String::new() }).await;
    let ended = Instant::now();
    shows(
        &agent,
        "waiting",
        |picture| matches!(&picture.hub.link, LinkView::Waiting { why, .. } if why == "the Hub is restarting"),
    )
    .await;
    let mut second = link(&mut hub).await;
    assert!(ended.elapsed() < Duration::from_secs(2), "{:?}", ended.elapsed());
    advertised(&mut second).await;
}

#[tokio::test]
async fn the_last_word_of_a_hub_counts_also_when_its_close_says_nothing() {
    for _ in 0..10 {
        let (mut hub, _home, agent, _engine) = house().await;
        let link = link(&mut hub).await;
        let goodbye = Goodbye::new(GoodbyeReason::Replaced, "Elsewhere.");
        link.say(&FromHub::Goodbye(goodbye)).await;
        link.send(Outgoing::Close { code: close::NORMAL, reason: String::new() }).await;
        refused(&agent).await;
    }
}

/// Fault E4: a refused token is renewed once.
#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once_and_stored_before_it_is_shown() {
    let (mut hub, engine) = (Hub::start().await, engine().await);
    hub.manner(|manner| {
        manner.stale = Some("access-1");
        manner.tokens.push_back(pair("access-2", "refresh-2"));
    });
    let home = Home::signed_in(&hub.url, &engine).await;
    let _agent = home.start();
    hub.welcome().await;
    let shown = hub.seen("GET /v1/node/tunnel").pop().unwrap();
    assert_eq!(shown.header("authorization").as_deref(), Some("Bearer access-2"));
    assert!(home.stored()[0].contains("refresh-2") && !home.stored()[0].contains("refresh-1"));
    assert_eq!(hub.seen(TOKEN).len(), 1);
}

/// Fault E4: a Hub that refuses the fresh token too has signed this machine out; there is no storm of dials.
#[tokio::test]
async fn a_hub_that_refuses_the_fresh_token_too_has_signed_this_machine_out() {
    let (hub, engine) = (Hub::start().await, engine().await);
    hub.manner(|manner| {
        manner.refusal = Some((401, ""));
        manner.tokens.extend([pair("access-2", "refresh-2"), pair("access-3", "refresh-3")]);
    });
    let home = Home::signed_in(&hub.url, &engine).await;
    let agent = home.start();
    shows(&agent, "signed out", |picture| matches!(picture.hub.link, LinkView::SignedOut { why: Some(_) })).await;
    until("the credential is gone", || home.stored().is_empty()).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!((hub.upgrades_seen(), hub.seen(TOKEN).len()), (2, 1), "one refresh, no storm");
}

/// Fault E4: a 403 is one sentence, the sign-in is kept, and the Hub is left alone.
#[tokio::test]
async fn a_hub_without_this_protocol_is_refused_in_one_sentence_and_left_alone() {
    for (status, why) in [
        (404, "the server at the Hub's address does not speak Porten's protocol (HTTP 404)"),
        (302, "the server at the Hub's address does not speak Porten's protocol (HTTP 302)"),
        (200, "the server at the Hub's address does not speak Porten's protocol (HTTP 200)"),
        (403, "the Hub does not allow this node (HTTP 403)"),
    ] {
        let (hub, engine) = (Hub::start().await, engine().await);
        hub.manner(|manner| manner.refusal = Some((status, "location: /login\r\n")));
        let home = Home::signed_in(&hub.url, &engine).await;
        let agent = home.start();
        assert_eq!(refused(&agent).await.0, why);
        assert_eq!(home.stored().len(), 1, "the sign-in is kept");
        if status == 404 {
            tokio::time::sleep(A_WHILE).await;
        }
        assert_eq!((hub.upgrades_seen(), hub.seen(TOKEN).len()), (1, 0));
    }
}

#[tokio::test]
async fn a_hub_that_turns_the_hello_away_is_refused_with_its_words() {
    let (mut hub, _home, agent, _engine) = house().await;
    let mut opened = hub.upgrade().await;
    soon("a hello", opened.receive()).await.unwrap();
    let text = "This sign-in belongs to another node. Sign in on this one.";
    let goodbye = Goodbye::new(GoodbyeReason::Protocol, text);
    opened.send(wire::write(&FromHub::Goodbye(goodbye))).await.unwrap();
    opened.close(close::PROTOCOL, "").await;
    let (why, _) = refused(&agent).await;
    let words = "This sign-in belongs to another node. Sign in on this one";
    assert_eq!(why, format!("the Hub does not allow this node ({words})"));
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(hub.upgrades_seen(), 1);
}

/// Fault E4: an upgrade answered with 503 and `Retry-After` is not repeated before that time.
#[tokio::test]
async fn a_busy_hub_is_given_the_time_it_asked_for() {
    let (hub, engine) = (Hub::start().await, engine().await);
    hub.manner(|manner| manner.refusal = Some((503, "retry-after: 30\r\n")));
    let home = Home::signed_in(&hub.url, &engine).await;
    let agent = home.start();
    shows(&agent, "waiting", |picture| matches!(picture.overall, Overall::Waiting { .. })).await;
    let Overall::Waiting { until } = agent.client().snapshot().overall else { panic!("no longer waiting") };
    let wait = until.duration_since(jiff::Timestamp::now()).as_secs();
    assert!((25..=45).contains(&wait), "{wait}: what it asked for, and up to half of it more");
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(hub.upgrades_seen(), 1);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_told_and_read_again_by_itself() {
    let (mut hub, engine) = (Hub::start().await, engine().await);
    let home = Home::signed_in(&hub.url, &engine).await;
    let mut files = std::fs::read_dir(&home.places.state).unwrap().map(|file| file.unwrap().path());
    let file = files.find(|path| path.extension().is_some_and(|end| end == "json")).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let agent = home.start();
    shows(
        &agent,
        "why",
        |picture| matches!(&picture.hub.link, LinkView::Waiting { why, .. } if why.contains("others can read it")),
    )
    .await;
    assert_eq!(hub.upgrades_seen(), 0);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    hub.welcome().await;
    shows(&agent, "who is signed in", |picture| picture.account.is_some()).await;
}
