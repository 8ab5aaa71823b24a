//! Settings that change while the agent runs.

use porten_agent::agent::Ended;
use porten_agent::settings::change;
use porten_agent::setup::Setup;
use porten_core::command::{Command, DeclinedCode};
use porten_core::config::LogLevel;
use porten_core::leaving::PERSONS;
use porten_core::snapshot::Overall;

use crate::support::agent::{Home, offline};
use crate::support::house::{advertised, engine, link, shows};
use crate::support::hub::Hub;
use crate::support::soon;

fn setup(home: &Home) -> Setup {
    Setup { config: home.config.clone(), places: home.places.clone(), environment: home.environment.clone() }
}

fn set(home: &Home, key: &str, value: Option<&str>) {
    assert_eq!(change(&home.places, &home.environment, key, value).unwrap(), None);
}

#[tokio::test]
async fn what_the_running_agent_can_take_up_holds_at_once_and_its_link_stays() {
    let (mut hub, engine) = (Hub::start().await, engine().await);
    let home = Home::signed_in(&hub.url, &engine).await;
    let agent = home.start();
    let mut link = link(&mut hub).await;
    advertised(&mut link).await;
    let settings = agent.settings();
    for (key, value) in [("log.level", "debug"), ("memory.budget_mb", "5000")] {
        set(&home, key, Some(value));
    }
    agent.client().send(Command::Reload).await.unwrap();
    assert_eq!(settings.borrow().log.value, LogLevel::Debug);
    shows(&agent, "the budget", |picture| picture.memory.memory.advertised_mib == 5000).await;
    set(&home, "memory.budget_mb", None);
    agent.client().send(Command::Reload).await.unwrap();
    shows(&agent, "no budget of a person", |picture| picture.memory.memory.advertised_mib != 5000).await;
    assert_eq!(hub.upgrades_seen(), 1);
}

#[tokio::test]
async fn another_store_ends_the_agent_in_order_so_that_one_is_started_with_it() {
    let hub = Hub::start().await;
    let mut home = offline(&hub.url).await;
    home.environment.remove("PORTEN_KEYCHAIN");
    set(&home, "keychain.store", Some("file"));
    home.config = setup(&home).again().unwrap().config;
    let mut agent = home.start();
    shows(&agent, "off", |picture| picture.overall == Overall::Off).await;
    set(&home, "keychain.store", Some("auto"));
    agent.client().send(Command::Reload).await.unwrap();
    let ended = soon("the end", agent.ended()).await;
    assert_eq!((ended, agent.ended().await), (Ended::Anew, Ended::Anew));
}

#[tokio::test]
async fn who_quits_while_the_agent_makes_way_for_another_gets_none() {
    let hub = Hub::start().await;
    let mut home = offline(&hub.url).await;
    home.environment.remove("PORTEN_HUB_URL");
    let mut agent = home.start();
    agent.quit(PERSONS);
    let _ = agent.client().send(Command::Reload).await;
    assert_eq!(soon("the end", agent.ended()).await, Ended::Done);
}

/// Fault F3: settings that do not read while the agent runs are one sentence, and the old ones hold on.
#[tokio::test]
async fn a_file_that_does_not_read_changes_nothing_and_says_where() {
    let hub = Hub::start().await;
    let home = offline(&hub.url).await;
    let agent = home.start();
    let before = std::sync::Arc::clone(&agent.settings().borrow());
    std::fs::write(&home.places.config, "[log]\nlevel = \"loud\"\n").unwrap();
    let declined = agent.client().send(Command::Reload).await.unwrap_err();
    assert_eq!(declined.code, DeclinedCode::Settings);
    assert!(declined.text.starts_with("log.level (line 2 of "), "{}", declined.text);
    assert_eq!(*agent.settings().borrow(), before);
}

#[tokio::test]
async fn an_engine_is_tried_before_it_is_set_and_what_is_wrong_is_one_sentence() {
    porten_agent::install_crypto();
    let engine = engine().await;
    let found = porten_agent::engine::test(Some(engine.url.as_str()), false, None).await;
    assert!(found.answers && !found.models.is_empty() && found.text.contains("1 model"), "{found:?}");
    for (url, told) in [
        ("http://127.0.0.1:9", "no engine answers at http://127.0.0.1:9"),
        ("http://10.0.0.5:8000", "is on another machine"),
        ("ftp://localhost", "must begin with http"),
    ] {
        let found = porten_agent::engine::test(Some(url), false, None).await;
        let text = found.text.to_lowercase();
        assert!(!found.answers && found.models.is_empty() && text.contains(told), "{found:?}");
        assert_eq!(found.text.lines().count(), 1);
    }
}
