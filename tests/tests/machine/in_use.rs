//! A rest while somebody uses the machine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use porten_tests::engine::Manner;
use porten_tests::house::is_ready;
use porten_tests::logind::{Logind, Session, gnome};
use porten_tests::{House, inside, wait_until};
use serde_json::Value;

const SOON: Duration = Duration::from_secs(40);
const MINUTE: Duration = Duration::from_secs(60);
/// Nobody here has this account.
const STRANGER: u32 = 54_321;

/// Microseconds since 1970, so long ago.
fn ago(time: Duration) -> u64 {
    let then = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970") - time;
    u64::try_from(then.as_micros()).expect("a time of these days")
}

fn desktop(idle: bool, since: u64) -> Session {
    Session { uid: STRANGER, seat: "seat0", class: "user", kind: "wayland", idle, since }
}

fn own_uid() -> u32 {
    let this = std::fs::metadata("/proc/self").expect("a process");
    std::os::unix::fs::MetadataExt::uid(&this)
}

/// Asks for a rest while the machine is used, as if for the first time.
async fn pause(house: &House) {
    for command in [&["resume"][..], &["pause", "--while-in-use"]] {
        let ended = house.agent.command(command).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
}

async fn until(house: &House, what: &str, is_so: impl Fn(&Value) -> bool) {
    house.agent.status_until(SOON, what, is_so).await;
}

fn rests(status: &Value) -> bool {
    status["pause"]["rests"] == true && status["overall"]["state"] == "paused"
}

fn serves(status: &Value) -> bool {
    status["pause"]["rests"] == false && status["pause"]["cannot"].is_null() && is_ready(status)
}

#[test]
fn it_rests_while_a_person_at_this_machine_uses_it() {
    if inside::bus("in_use::it_rests_while_a_person_at_this_machine_uses_it") {
        tokio::runtime::Runtime::new().expect("a runtime").block_on(in_use());
    }
}

async fn in_use() {
    let bus = std::env::var("DBUS_SESSION_BUS_ADDRESS").expect("a session bus");
    let logind = Logind::open(false).await;
    let house = House::signed_in(Manner::llama("tiny"), |agent| {
        agent.set("DBUS_SYSTEM_BUS_ADDRESS", &bus).set("DBUS_SESSION_BUS_ADDRESS", &bus);
    })
    .await;
    house.wait_ready(SOON).await;

    // The login screen is nobody, and who comes over the network touches no key here.
    let remote = Session { seat: "", kind: "tty", ..desktop(false, ago(Duration::ZERO)) };
    let greeter = Session { class: "greeter", ..desktop(false, ago(Duration::ZERO)) };
    logind.seat(vec![remote.clone(), greeter]).await;
    pause(&house).await;
    // It looks again only once it has made something of the first answer.
    wait_until(SOON, "it has looked twice", async || (logind.listed() >= 2).then_some(())).await;
    assert!(serves(&house.agent.status().await));

    logind.seat(vec![remote, desktop(false, ago(20 * MINUTE))]).await;
    pause(&house).await;
    until(&house, "a desktop is in use", rests).await;
    // Ten seconds more, and it has been so for five minutes.
    logind.seat(vec![desktop(true, ago(5 * MINUTE - Duration::from_secs(10)))]).await;
    pause(&house).await;
    until(&house, "it rests still", rests).await;
    until(&house, "it comes back by itself", serves).await;

    // A desktop that never tells when it is used.
    logind.seat(vec![Session { uid: own_uid(), ..desktop(false, 0) }]).await;
    pause(&house).await;
    let cannot = "This system does not tell when it was last used; pause for a time instead.";
    until(&house, "it cannot say", |status| status["pause"]["cannot"] == cannot && is_ready(status)).await;
    // GNOME does.
    let _gnome = gnome(2_000).await;
    until(&house, "it rests where GNOME says that it is used", rests).await;
}
