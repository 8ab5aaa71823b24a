//! The machine is kept awake while the agent serves, and that alone.

use std::time::Duration;

use porten_tests::engine::Manner;
use porten_tests::inside::{self, SUPPLIES};
use porten_tests::logind::Logind;
use porten_tests::{Agent, House, wait_until};
use serde_json::Value;

/// What the machine runs on is looked at every 30 s.
const SOON: Duration = Duration::from_secs(60);

/// A house whose system bus is this one.
async fn house(bus: &str) -> House {
    let house = House::signed_in(Manner::llama("tiny"), |agent| {
        agent.set("DBUS_SYSTEM_BUS_ADDRESS", bus);
    })
    .await;
    house.wait_ready(SOON).await;
    house
}

fn this_bus() -> String {
    std::env::var("DBUS_SESSION_BUS_ADDRESS").expect("a session bus")
}

async fn run(agent: &Agent, arguments: &[&str]) {
    let ended = agent.command(arguments).await;
    assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.stderr);
}

async fn until(agent: &Agent, state: &str) -> Value {
    let is_so = |status: &Value| status["awake"]["state"] == state;
    agent.status_until(SOON, &format!("its status says {state}"), is_so).await
}

fn supply(name: &str, files: &[(&str, &str)]) {
    let folder = std::path::Path::new(SUPPLIES).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    files.iter().for_each(|(file, text)| std::fs::write(folder.join(file), format!("{text}\n")).expect("a file"));
}

async fn until_held(logind: &Logind, count: usize) {
    wait_until(SOON, &format!("{count} locks are held"), async || (logind.held() == count).then_some(())).await;
}

#[test]
fn the_machine_is_kept_awake_while_it_is_wanted_and_served_and_let_go_otherwise() {
    if inside::bus_and_supplies("awake::the_machine_is_kept_awake_while_it_is_wanted_and_served_and_let_go_otherwise") {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(held_and_let_go());
    }
}

async fn held_and_let_go() {
    let logind = Logind::open(false).await;
    let mut house = house(&this_bus()).await;
    assert_eq!(house.agent.status().await["awake"]["state"], "not_wanted");
    assert!(logind.asked().is_empty(), "nobody wanted it");

    run(&house.agent, &["config", "set", "power.keep_awake", "true"]).await;
    until(&house.agent, "held").await;
    assert_eq!(logind.held(), 1);
    assert_eq!(logind.asked(), [["sleep:idle", "Porten", "Serving models to a Hub", "block"].map(str::to_owned)]);
    let told = house.agent.command(&["status"]).await.stdout;
    assert!(told.contains("  Awake     kept awake on mains power while it is online\n"), "{told}");

    for (rest, back) in [(&["offline"][..], "online"), (&["pause", "--for", "1h"], "resume")] {
        run(&house.agent, rest).await;
        until(&house.agent, "idle").await;
        until_held(&logind, 0).await;
        run(&house.agent, &[back]).await;
        until(&house.agent, "held").await;
        until_held(&logind, 1).await;
    }
    run(&house.agent, &["config", "unset", "power.keep_awake"]).await;
    until(&house.agent, "not_wanted").await;
    until_held(&logind, 0).await;

    run(&house.agent, &["config", "set", "power.keep_awake", "true"]).await;
    until_held(&logind, 1).await;
    assert_eq!(house.agent.stop().await.code, Some(0));
    until_held(&logind, 0).await;
    assert_eq!(logind.asked().len(), 4);
}

#[test]
fn on_battery_the_machine_may_sleep_and_that_is_said() {
    if inside::bus_and_supplies("awake::on_battery_the_machine_may_sleep_and_that_is_said") {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(on_battery());
    }
}

async fn on_battery() {
    let logind = Logind::open(false).await;
    supply("BAT0", &[("type", "Battery"), ("status", "Discharging")]);
    supply("AC", &[("type", "Mains"), ("online", "0")]);
    let house = house(&this_bus()).await;
    run(&house.agent, &["config", "set", "power.keep_awake", "true"]).await;
    until(&house.agent, "on_battery").await;
    let told = house.agent.command(&["status"]).await.stdout;
    assert!(told.contains("  Awake     on battery: this machine may sleep\n"), "{told}");
    let noted = |status: &Value| status["notices"][0]["title"] == "On battery: this machine may sleep";
    house.agent.status_until(SOON, "it is a notice too", noted).await;
    assert!(logind.asked().is_empty(), "{:?}", logind.asked());

    supply("AC", &[("online", "1")]);
    let status = until(&house.agent, "held").await;
    assert!(logind.held() == 1 && status["notices"] == serde_json::json!([]), "{status}");
    supply("AC", &[("online", "0")]);
    // A wish that changes is a reason to look at once.
    run(&house.agent, &["offline"]).await;
    run(&house.agent, &["online"]).await;
    until(&house.agent, "on_battery").await;
    until_held(&logind, 0).await;
}

#[test]
fn a_system_that_refuses_is_one_sentence_and_the_agent_serves_on() {
    if inside::bus_and_supplies("awake::a_system_that_refuses_is_one_sentence_and_the_agent_serves_on") {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(refused());
    }
}

async fn refused() {
    let logind = Logind::open(true).await;
    let house = house(&this_bus()).await;
    run(&house.agent, &["config", "set", "power.keep_awake", "true"]).await;
    let why = until(&house.agent, "refused").await["awake"]["why"].to_string();
    assert!(why.contains("does not let Porten keep it awake (Permission denied)"), "{why}");
    for switch in ["offline", "online", "offline", "online"] {
        run(&house.agent, &[switch]).await;
        until(&house.agent, if switch == "online" { "refused" } else { "idle" }).await;
    }
    assert_eq!(logind.asked().len(), 1, "it is not asked again at once");
    house.served_within(SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_a_system_bus_is_one_sentence_and_the_agent_serves_on() {
    let house = house("unix:path=/nowhere/at/all").await;
    run(&house.agent, &["config", "set", "power.keep_awake", "true"]).await;
    let why = until(&house.agent, "refused").await["awake"]["why"].to_string();
    assert!(why.contains("no logind answers on the system bus"), "{why}");
    house.served_within(SOON).await;
}
